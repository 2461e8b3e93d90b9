/** SYNC7, SYNC21, SYNC22: what a server's tips mean where its names are others, checked against what both stores hold. */
import {
  type Batch,
  type BatchStore,
  cryptoReady,
  decodeTips,
  type DeviceId,
  encodeTips,
  placeTips,
  pointsOf,
  seqOf,
  tipsDigest,
} from '@driftlog/core'
import { makeTestDevice, makeTestHistory, type TestBatch, type TestDevice } from '@driftlog/testkit'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { allOf, contents, SPACE, storeOf, treeOf } from './stores.ts'

beforeAll(cryptoReady)

const place = async (server: BatchStore, local: BatchStore, own?: DeviceId) =>
  placeTips(
    decodeTips(encodeTips(await server.tips(SPACE))),
    treeOf(await allOf(local)),
    new Set(own === undefined ? [] : [own]),
  )

/** Histories of two devices that fork wherever the numbers say. */
const forest = (forks: readonly number[]): { batches: TestBatch[]; devices: TestDevice[] } => {
  const devices = [makeTestDevice(SPACE, 1), makeTestDevice(SPACE, 2)]
  const batches: TestBatch[] = []
  forks.forEach((fork, index) => {
    const device = devices[fork % 2]
    const own = batches.filter(({ header }) => header.device === device.device)
    const at = own[(fork >> 1) % (own.length + 1)]
    batches.push(...makeTestHistory(device, [1 + (fork % 3), 2], at, index))
  })
  return { batches, devices }
}

/** A part of the batches that a store could hold: picked ones, with all that they go on from. */
const partOf = (batches: readonly TestBatch[], picks: readonly number[]): Batch[] => {
  const wanted = new Set<string>()
  for (const pick of picks) {
    let next: TestBatch | undefined = batches[pick % batches.length]
    while (next !== undefined) {
      wanted.add(next.header.tagAfter.join())
      const before: TestBatch['header'] = next.header
      next = batches.find(
        ({ header }) => header.device === before.device && header.tagAfter.join() === before.tagBefore.join(),
      )
    }
  }
  return batches.filter(({ header }) => wanted.has(header.tagAfter.join()))
}

const ends = (batches: readonly Batch[]): Set<string> => new Set(batches.map(({ header }) => header.tagAfter.join()))

describe('placing tips', () => {
  it('SYNC7 SYNC22 finds exactly what is held, claims nothing that is not, and asks where a pull would be led astray', async () => {
    const numbers = (minLength: number) => fc.array(fc.nat(1_000), { minLength, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(numbers(1), numbers(0), numbers(0), async (forks, here, there) => {
        const { batches, devices } = forest(forks)
        const mine = partOf(batches, here)
        const theirs = partOf(batches, there)
        const local = await storeOf(mine)
        const server = await storeOf(theirs)
        const own = devices[0].device
        const { vector, unverified, forked } = await place(server, local, own)
        const held = ends(theirs)
        const isInside = [...held].every((end) => ends(mine).has(end))
        // Nothing is missing here exactly where all is found.
        expect(unverified.length === 0).toBe(isInside)
        if (unverified.length === 0) expect(forked).toEqual([])
        const asked = new Set(forked)
        for (const { batch, branch } of await allOf(local)) {
          const isThere = held.has(batch.header.tagAfter.join())
          const isClaimed = seqOf(vector, branch) >= batch.header.toSeq
          // What was found is told in full, and of the own device nothing else.
          if (isInside) expect(isClaimed).toBe(isThere)
          if (batch.header.device === own && isClaimed) expect(isThere).toBe(true)
        }
        // SYNC8: what a pull above the held vector, less the branches in question, leaves out is held here.
        const above = new Map([...(await local.vector(SPACE))].filter(([name]) => !asked.has(name)))
        const page = await server.readAbove(SPACE, above, { batches: 1_000, bytes: 1e9 })
        const got = ends(page.batches.map(({ batch }) => batch))
        for (const { batch, branch } of await allOf(server)) {
          const end = batch.header.tagAfter.join()
          // A name that goes on above what is held may part before: the page that does not join tells.
          const mayPart = unverified.includes(branch) && !asked.has(branch)
          if (!got.has(end) && !mayPart) expect(ends(mine).has(end)).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('SYNC7 digests are equal exactly where stores are', async () => {
    const { batches } = forest([2, 2, 4, 6, 8])
    const one = await storeOf(batches)
    const other = await storeOf([...batches].reverse())
    expect(await contents(one)).toEqual(await contents(other))
    expect(tipsDigest(await one.tips(SPACE))).toEqual(tipsDigest(await other.tips(SPACE)))
    const clone = await storeOf(makeTestHistory(makeTestDevice(SPACE, 1), [3], undefined, 'a'))
    const equallyLong = await storeOf(makeTestHistory(makeTestDevice(SPACE, 1), [3], undefined, 'b'))
    expect(await clone.vector(SPACE)).toEqual(await equallyLong.vector(SPACE))
    expect(tipsDigest(await clone.tips(SPACE))).not.toEqual(tipsDigest(await equallyLong.tips(SPACE)))
  })

  it('SYNC21 what a server says of the own device counts only where it was found', async () => {
    const author = makeTestDevice(SPACE, 1)
    const mine = makeTestHistory(author, [5])
    const local = await storeOf(mine)
    const longer = await storeOf([...mine, ...makeTestHistory(author, [5], mine[0], 'more')])
    const other = await storeOf(makeTestHistory(author, [5, 5], undefined, 'other'))
    const { device } = author
    for (const server of [longer, other]) {
      expect(await place(server, local, device)).toEqual({ vector: new Map(), unverified: [device], forked: [device] })
      // Of another device it is believed until a batch does not join.
      expect(await place(server, local)).toEqual({ vector: new Map([[device, 10]]), unverified: [device], forked: [] })
    }
  })

  it('SYNC22 names places evenly along the path to a branch, in as many steps as it takes', async () => {
    const author = makeTestDevice(SPACE, 1)
    const trunk = makeTestHistory(
      author,
      Array.from({ length: 100 }, () => 2),
    )
    const local = await storeOf([...trunk, ...makeTestHistory(author, [1, 1], trunk[49], 'fork')])
    const tree = treeOf(await allOf(local))
    const [branch] = tree.branchesOf(author.device).filter((name) => tree.branch(name)!.seq === 102)
    const asked = pointsOf(tree, { branch, above: 0, upTo: Number.MAX_SAFE_INTEGER }, 5)!
    expect(asked.path).toEqual([
      { branch: author.device, base: 0 },
      { branch, base: 100 },
    ])
    expect(asked.points.map(({ seq }) => seq)).toEqual([22, 42, 64, 84, 102])
    expect(asked.isComplete).toBe(false)
    const narrowed = pointsOf(tree, { branch, above: 95, upTo: 101 }, 5)!
    expect(narrowed.points.map(({ seq }) => seq)).toEqual([96, 98, 100, 101])
    expect(narrowed.isComplete).toBe(true)
    expect(pointsOf(tree, { branch: 'gone' as DeviceId, above: 0, upTo: 9 })).toBeUndefined()
  })
})
