/** LOG5: what a store in which bit rot heals shows, hides and takes in. */
import {
  type Batch,
  type BatchStore,
  cryptoReady,
  damageBatch,
  type DamageChange,
  type DeviceId,
  DriftlogError,
  equalBytes,
  memoryMedium,
  memoryStore,
  type PageLimit,
  type PrunePoint,
  quarantining,
  type QuarantiningStore,
  startCursor,
} from '@driftlog/core'
import fc from 'fast-check'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { batchStoreContract } from './contract/batch-store-contract.ts'
import { bytesOf, kinds, plain, snapshot, wide } from './contract/setup.ts'
import { makeTestBatch, makeTestDevice, makeTestHistory, type TestBatch, type TestDevice } from './test-batches.ts'

const SPACE = 'home'

// While nothing is damaged it is a store like any other.
batchStoreContract('quarantining', async () => {
  const medium = memoryMedium()
  let store = quarantining(memoryStore(medium))
  return {
    store,
    async reopen() {
      await store.close()
      store = quarantining(memoryStore(medium))
      return store
    },
    another: async () => quarantining(memoryStore(medium)),
    dispose: () => store.close(),
  }
})

let ann: TestDevice
let bob: TestDevice
let plainStore: BatchStore
let store: QuarantiningStore
let changes: DamageChange[]
let damage: (...batches: readonly TestBatch[]) => Promise<void>

const begin = (): void => {
  const medium = memoryMedium()
  plainStore = memoryStore(medium)
  store = quarantining(plainStore)
  changes = []
  store.onDamage((change) => changes.push(change))
  damage = async (...batches) => {
    const all = medium.spaces.get(SPACE)!.batches
    for (const batch of batches) {
      const held = all.find((stored) => equalBytes(stored.batch.bytes, batch.bytes))
      damageBatch(medium, SPACE, held!.position)
    }
  }
}

beforeAll(async () => {
  await cryptoReady()
  ann = makeTestDevice(SPACE, 'ann')
  bob = makeTestDevice(SPACE, 'bob')
})
beforeEach(begin)

const pagedAfter = async (limit: PageLimit): Promise<Uint8Array[]> => {
  const read: Uint8Array[] = []
  for (let cursor = startCursor; ; ) {
    const page = await store.readAfter(SPACE, cursor, limit)
    read.push(...bytesOf(page))
    if (!page.more) return read
    expect(page.batches.length).toBeGreaterThan(0)
    cursor = page.cursor
  }
}

const pagedAbove = async (limit: PageLimit, above: readonly (readonly [DeviceId, number])[] = []) => {
  const read: Uint8Array[] = []
  for (const vector = new Map(above); ; ) {
    const page = await store.readAbove(SPACE, vector, limit)
    read.push(...bytesOf(page))
    for (const { branch, batch } of page.batches) vector.set(branch, batch.header.toSeq)
    if (!page.more) return read
    expect(page.batches.length).toBeGreaterThan(0)
  }
}

/** Branch and bytes of everything above a vector, page by page. */
const allAbove = async (read: BatchStore, above: readonly (readonly [DeviceId, number])[]) => {
  const all: (readonly [DeviceId, Uint8Array])[] = []
  for (const vector = new Map(above); ; ) {
    const page = await read.readAbove(SPACE, vector, wide)
    all.push(...page.batches.map(({ branch, batch }) => [branch, batch.bytes] as const))
    for (const { branch, batch } of page.batches) vector.set(branch, batch.header.toSeq)
    if (!page.more) return all
  }
}

const found = (): number => changes.filter(({ kind }) => kind === 'found').length
const healed = (): number => changes.filter(({ kind }) => kind === 'healed').length

describe('a damaged batch', () => {
  for (const [where, index] of [
    ['first', 0],
    ['middle', 2],
    ['last', 4],
  ] as const) {
    for (const read of [pagedAfter, pagedAbove]) {
      it(`the ${where} of a branch, met by ${read.name}: it and what follows are hidden, named, and come back`, async () => {
        const history = makeTestHistory(ann, [1, 2, 1, 3, 1])
        const others = makeTestHistory(bob, [1, 1])
        await store.append(SPACE, [...history.slice(0, 3), others[0], ...history.slice(3), others[1]])
        const before = await snapshot(plainStore, SPACE)
        await damage(history[index])
        const visible = [...history.slice(0, Math.min(index, 3)), others[0], ...history.slice(3, index), others[1]]
        expect(await read(wide)).toEqual(plain(visible))
        expect(await read({ batches: 1, bytes: 1 })).toEqual(plain(visible))
        expect(store.damaged(SPACE)).toMatchObject([{ branch: ann.device, fromSeq: history[index].header.fromSeq }])
        expect(store.damaged()).toEqual(store.damaged(SPACE))
        const have = index === 0 ? 0 : history[index - 1].header.toSeq
        const vector = await store.vector(SPACE)
        expect([vector.get(ann.device), vector.get(bob.device)]).toEqual([have || undefined, 2])
        const tip = (await store.tips(SPACE)).get(ann.device)
        expect(tip).toEqual(have === 0 ? undefined : { seq: have, tag: history[index - 1].header.tagAfter })
        const points = history.map(({ header }) => ({ seq: header.toSeq, tag: header.tagAfter }))
        expect(await store.common(SPACE, ann.device, points)).toBe(have)
        expect([await store.hides(SPACE, ann.device), await store.hides(SPACE, bob.device)]).toEqual([true, false])
        // A cursor that names what is hidden stays good: at a server it may be a device's.
        const { tagAfter } = history[index].header
        const at = before.batches.find(([, , bytes]) => equalBytes(bytes, history[index].bytes))![0]
        expect(bytesOf(await store.readAfter(SPACE, { position: at, tag: tagAfter }, wide)).at(-1)).toEqual(
          others[1].bytes,
        )
        // Fetched again, as sync would: all above what is there.
        const outcomes = await store.append(SPACE, history.slice(index), { allOrNothing: true })
        expect(kinds(outcomes)).toEqual(['appended', ...history.slice(index + 1).map(() => 'duplicate')])
        expect(outcomes[0]).toEqual({ kind: 'appended', position: at, branch: ann.device, isSplit: false })
        expect(await snapshot(store, SPACE)).toEqual(before)
        expect(await snapshot(plainStore, SPACE)).toEqual(before)
        expect(store.damaged()).toEqual([])
        expect(changes.map(({ kind }) => kind)).toEqual(['found', 'healed'])
      })
    }
  }

  it('what goes on from something hidden is a gap, unless it was written before that was known', async () => {
    const history = makeTestHistory(ann, [1, 1, 1, 1, 1])
    await store.append(SPACE, history.slice(0, 3))
    await damage(history[1])
    await pagedAfter(wide)
    const records = [{ key: 'cursor', value: new Uint8Array(1) }]
    expect(await store.append(SPACE, [history[3]])).toEqual([{ kind: 'gap', have: 1 }])
    expect(await store.append(SPACE, [history[2]])).toEqual([{ kind: 'gap', have: 1 }])
    const others = makeTestHistory(bob, [1])
    const all = [...others, history[3]]
    expect(await store.append(SPACE, all, { records, allOrNothing: true })).toEqual([
      { kind: 'undone' },
      { kind: 'gap', have: 1 },
    ])
    expect((await store.records(SPACE, '')).length).toBe(0)
    expect(kinds(await store.append(SPACE, all, { records }))).toEqual(['appended', 'gap'])
    expect((await store.records(SPACE, '')).length).toBe(1)
    expect(kinds(await store.append(SPACE, [history[3]], { behindDamage: true }))).toEqual(['appended'])
    expect(await store.vector(SPACE)).toEqual(
      new Map([
        [ann.device, 1],
        [bob.device, 1],
      ]),
    )
    expect(kinds(await store.append(SPACE, [history[1], history[4]]))).toEqual(['appended', 'appended'])
    expect((await store.vector(SPACE)).get(ann.device)).toBe(5)
  })

  it('an undone call heals nothing', async () => {
    const history = makeTestHistory(ann, [1, 1])
    await store.append(SPACE, history)
    await damage(history[1])
    await pagedAfter(wide)
    const strange = makeTestHistory(bob, [1, 1])[1]
    const outcomes = await store.append(SPACE, [history[1], strange], { allOrNothing: true })
    expect(kinds(outcomes)).toEqual(['undone', 'gap'])
    expect(store.damaged(SPACE)).toHaveLength(1)
    expect(kinds(await store.append(SPACE, [history[1]]))).toEqual(['appended'])
    expect(store.damaged(SPACE)).toEqual([])
  })

  it('a call that heals is one transaction: where it fails, nothing of it is stored', async () => {
    const history = makeTestHistory(ann, [1, 1])
    await store.append(SPACE, history)
    await damage(history[0])
    await pagedAfter(wide)
    const { append } = plainStore
    const calls: string[] = []
    Object.assign(plainStore, {
      append: (...args: Parameters<typeof append>) => {
        calls.push('append')
        return calls.length === 1 ? Promise.reject(new DriftlogError('STORAGE_FULL')) : append.apply(plainStore, args)
      },
      replace: () => Promise.reject(new DriftlogError('STORAGE_FULL')),
    })
    const records = [{ key: 'cursor', value: new Uint8Array(1) }]
    const all = [...makeTestHistory(bob, [1]), history[0]]
    const before = await plainStore.tips(SPACE)
    await expect(store.append(SPACE, all, { records, allOrNothing: true })).rejects.toMatchObject({
      code: 'STORAGE_FULL',
    })
    expect([await plainStore.tips(SPACE), await plainStore.records(SPACE, '')]).toEqual([before, []])
    expect(store.damaged(SPACE)).toHaveLength(1)
    expect(kinds(await store.append(SPACE, all, { records, allOrNothing: true }))).toEqual(['appended', 'appended'])
    expect(await pagedAfter(wide)).toEqual(plain([...history, all[0]]))
    expect(calls).toHaveLength(2)
  })

  it('that another process heals is there again before who watches is told', async () => {
    const history = makeTestHistory(ann, [1, 1, 1, 1])
    await store.append(SPACE, history)
    await damage(history[1], history[3])
    await pagedAfter(wide)
    const seen: number[] = []
    const stop = store.watch(SPACE, () => seen.push(store.damaged(SPACE).length))
    const another = quarantining(plainStore)
    await another.readAfter(SPACE, { position: 1, tag: history[0].header.tagAfter }, wide)
    await another.append(SPACE, [history[1]])
    await expect.poll(() => seen).toEqual([1])
    expect(await pagedAfter(wide)).toEqual(plain(history.slice(0, 3)))
    await another.append(SPACE, [history[3]])
    await expect.poll(() => seen).toEqual([1, 0])
    expect([found(), healed()]).toEqual([2, 2])
    stop()
    expect(await snapshot(store, SPACE)).toEqual(await snapshot(plainStore, SPACE))
  })

  it('the same ops sealed otherwise do not count as held while they are hidden', async () => {
    const history = makeTestHistory(ann, [1, 1, 1])
    await store.append(SPACE, history)
    await damage(history[1])
    await pagedAfter(wide)
    const wider = makeTestBatch(ann, { previous: history[0], toSeq: 3, chainAfter: history[2].chainAfter })
    expect(await store.append(SPACE, [wider])).toEqual([{ kind: 'gap', have: 1 }])
  })

  it('with children: they are hidden with it, under names that a later fork gives too', async () => {
    const history = makeTestHistory(ann, [1, 1, 1, 1])
    const left = makeTestHistory(ann, [1, 1], history[1], 'left')
    await store.append(SPACE, [...history, ...left])
    await damage(history[1])
    expect(await pagedAfter(wide)).toEqual(plain(history.slice(0, 1)))
    expect(await pagedAbove(wide)).toEqual(plain(history.slice(0, 1)))
    expect(await store.vector(SPACE)).toEqual(new Map([[ann.device, 1]]))
    // A sibling of the damaged one itself: what is hidden has another name from now on.
    const sibling = makeTestHistory(ann, [1, 1], history[0], 'sibling')
    expect(await store.append(SPACE, sibling)).toMatchObject([
      { kind: 'appended', isSplit: true },
      { kind: 'appended' },
    ])
    expect(await pagedAfter(wide)).toEqual(plain([history[0], ...sibling]))
    expect(await pagedAbove({ batches: 1, bytes: 1 })).toEqual(plain([history[0], ...sibling]))
    // And what can be read goes on under the name that it would have alone.
    expect(await store.vector(SPACE)).toEqual(new Map([[ann.device, 3]]))
    expect(found()).toBe(1)
    const outcomes = await store.append(SPACE, [...history, ...left])
    expect(kinds(outcomes)).toEqual(['duplicate', 'appended', 'duplicate', 'duplicate', 'duplicate', 'duplicate'])
    expect(await snapshot(store, SPACE)).toEqual(await snapshot(plainStore, SPACE))
    expect([found(), healed()]).toEqual([1, 1])
  })

  it('what another process forked or took in meanwhile is judged by what it goes on from', async () => {
    const history = makeTestHistory(ann, [1, 1, 1])
    const others = makeTestHistory(bob, [1, 1])
    await store.append(SPACE, history)
    await damage(history[1])
    await pagedAfter(wide)
    const fork = makeTestHistory(ann, [1], history[2], 'fork')
    const next = makeTestHistory(ann, [1], history[2])
    const sibling = makeTestHistory(ann, [1], history[0], 'sibling')
    await plainStore.append(SPACE, [...others, ...next, ...fork, ...sibling])
    expect(await pagedAfter(wide)).toEqual(plain([history[0], ...others, ...sibling]))
    await damage(others[1])
    expect(await pagedAbove(wide)).toEqual(plain([history[0], others[0], ...sibling]))
    expect(store.damaged(SPACE)).toHaveLength(2)
    expect(await store.replace(SPACE, others[1])).toBe(true)
    expect(await store.replace(SPACE, history[1])).toBe(true)
    expect(await snapshot(store, SPACE)).toEqual(await snapshot(plainStore, SPACE))
  })

  it('of one space hides nothing of another, and what is not a batch goes through', async () => {
    const elsewhere = makeTestHistory(makeTestDevice('elsewhere', 'ann'), [1, 1])
    const history = makeTestHistory(ann, [1])
    await store.append(SPACE, history)
    await store.append('elsewhere', elsewhere)
    await damage(history[0])
    expect(await pagedAfter(wide)).toEqual([])
    expect((await store.vector('elsewhere')).size).toBe(1)
    expect(store.damaged('elsewhere')).toEqual([])
    expect(await store.certificate(SPACE, ann.device)).toEqual(ann.certificate)
    await store.append(SPACE, [], { records: [{ key: 'key', value: new Uint8Array(1) }] })
    expect(await store.records(SPACE, '')).toHaveLength(1)
    await expect(store.readAfter(SPACE, { position: 9, tag: new Uint8Array(16) }, wide)).rejects.toMatchObject({
      code: 'BASE_MISMATCH',
    })
  })
})

const pointOf = ({ header }: Batch, branch: DeviceId = header.device): PrunePoint => ({
  branch,
  seq: header.toSeq,
  tag: header.tagAfter,
})

describe('STORE7 a prune', () => {
  for (const [by, prune] of [
    ['through it', (point: PrunePoint) => store.prune(SPACE, [point])],
    ['by another process', (point: PrunePoint) => plainStore.prune(SPACE, [point])],
  ] as const) {
    it(`over damage, ${by}: it is gone and forgotten, and what goes on from the floor is there again`, async () => {
      const history = makeTestHistory(ann, [1, 1, 1, 1, 1])
      await store.append(SPACE, history)
      await damage(history[1], history[4])
      expect(await pagedAfter(wide)).toEqual(plain(history.slice(0, 1)))
      expect(await prune(pointOf(history[2]))).toMatchObject([{ kind: 'pruned', batches: 3 }])
      expect(await pagedAfter(wide)).toEqual(plain([history[3]]))
      expect(await pagedAbove(wide)).toEqual(plain([history[3]]))
      expect(store.damaged(SPACE)).toMatchObject([{ fromSeq: 5 }])
      expect(await store.tips(SPACE)).toEqual(new Map([[ann.device, { seq: 4, tag: history[3].header.tagAfter }]]))
      expect(await store.append(SPACE, [history[1]])).toEqual([{ kind: 'below', floor: 3 }])
      expect(await prune(pointOf(history[3]))).toMatchObject([{ kind: 'pruned', batches: 1 }])
      // All that is left is hidden: then the branch ends at its floor.
      expect(await store.tips(SPACE)).toEqual(new Map([[ann.device, { seq: 4, tag: history[3].header.tagAfter }]]))
      expect(await store.append(SPACE, makeTestHistory(ann, [1], history[4]))).toEqual([{ kind: 'gap', have: 4 }])
      expect(kinds(await store.append(SPACE, [history[4]]))).toEqual(['appended'])
      expect(store.damaged(SPACE)).toEqual([])
      expect(await store.floors(SPACE)).toEqual(await plainStore.floors(SPACE))
      expect(await snapshot(store, SPACE)).toEqual(await snapshot(plainStore, SPACE))
    })
  }

  it('a pruned side of a fork is one still: the other side keeps its name', async () => {
    const [root] = makeTestHistory(ann, [1])
    const left = makeTestHistory(ann, [1, 1], root, 'left')
    const right = makeTestHistory(ann, [1, 1], root, 'right')
    await store.append(SPACE, [root, ...left, ...right])
    const tips = await plainStore.tips(SPACE)
    const [leftName] = [...tips].find(([, { tag }]) => equalBytes(tag, left[1].header.tagAfter))!
    await store.prune(SPACE, [pointOf(left[1], leftName)])
    await damage(right[1])
    expect(await pagedAfter(wide)).toEqual(plain([root, right[0]]))
    expect([...(await store.tips(SPACE)).keys()].sort()).toEqual([...tips.keys()].sort())
  })

  it('what was pruned keeps its name where the other side of its fork is hidden: its floor is told by it', async () => {
    const [root] = makeTestHistory(ann, [1])
    const left = makeTestHistory(ann, [1], root, 'left')
    const right = makeTestHistory(ann, [1, 1], root, 'right')
    await store.append(SPACE, [root, ...left, ...right])
    const [name] = [...(await plainStore.tips(SPACE))].find(([, { seq }]) => seq === 3)!
    await store.prune(SPACE, [pointOf(right[0], name)])
    await damage(left[0])
    expect(await pagedAfter(wide)).toEqual(plain([root, right[1]]))
    expect(await store.vector(SPACE)).toEqual(
      new Map([
        [ann.device, 1],
        [name, 3],
      ]),
    )
    expect([...(await store.floors(SPACE)).keys()]).toEqual([name])
  })

  it('STORE9 a record that is there is told, whatever is hidden', async () => {
    const history = makeTestHistory(ann, [1, 1, 1])
    await store.append(SPACE, history, { records: [{ key: 'key', value: new Uint8Array(1) }] })
    await damage(history[0])
    await pagedAfter(wide)
    const call = store.append(SPACE, [history[1]], { allOrNothing: true, absent: ['key'] })
    await expect(call).rejects.toMatchObject({ code: 'RECORD_EXISTS', details: { key: 'key' } })
  })
})

describe('any tree, any damage, healed in any order', () => {
  /** Each batch goes on from one before it in the list (or from nothing), of two devices. */
  const trees = fc.array(fc.record({ device: fc.nat(1), parent: fc.nat(20), length: fc.integer({ min: 1, max: 3 }) }), {
    minLength: 1,
    maxLength: 14,
  })

  const grow = (nodes: readonly { device: number; parent: number; length: number }[]) => {
    const batches: TestBatch[] = []
    const parents: (number | undefined)[] = []
    nodes.forEach(({ device, parent, length }, index) => {
      const author = [ann, bob][device]
      const own = batches.flatMap(({ header }, at) => (header.device === author.device ? [at] : []))
      const at = own.length === 0 || parent === 20 ? undefined : own[parent % own.length]
      const previous = at === undefined ? undefined : batches[at]
      batches.push(makeTestHistory(author, [length], previous, index)[0])
      parents.push(at)
    })
    return { batches, parents }
  }

  it('STORE7 shows exactly what is whole from a beginning or a floor on, whoever prunes', async () => {
    const cut = fc.record({ at: fc.nat(13), isForeign: fc.boolean() })
    const property = fc.asyncProperty(
      trees,
      fc.array(fc.nat(13), { maxLength: 6 }),
      fc.array(cut, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 4 }),
      async (nodes, hit, cuts, size) => {
        begin()
        const { batches, parents } = grow(nodes)
        await store.append(SPACE, batches)
        const stored = (await plainStore.readAfter(SPACE, startCursor, wide)).batches
        const damaged = new Set(hit.map((index) => index % batches.length))
        await damage(...[...damaged].map((index) => batches[index]))
        await pagedAfter(wide)
        const pruned = new Set<number>()
        const limit = { batches: size, bytes: wide.bytes }
        const check = async (): Promise<void> => {
          const isVisible = (index: number): boolean => {
            const parent = parents[index]
            const isWhole = parent === undefined || pruned.has(parent) || isVisible(parent)
            return !pruned.has(index) && !damaged.has(index) && isWhole
          }
          const visible = batches.filter((_, index) => isVisible(index))
          expect(await pagedAfter(limit)).toEqual(plain(visible))
          expect(await pagedAbove(limit)).toEqual(plain(visible))
          expect(await allAbove(store, [...(await store.vector(SPACE))])).toEqual([])
          const left = [...damaged].filter((index) => !pruned.has(index)).map((index) => stored[index].position)
          const known = store.damaged(SPACE).map(({ position }) => position)
          expect(known).toEqual(left.sort((a, b) => a - b))
        }
        await check()
        for (const { at, isForeign } of cuts) {
          const { branch, batch } = stored[at % batches.length]
          await (isForeign ? plainStore : store).prune(SPACE, [pointOf(batch, branch)])
          stored.forEach((other, index) => {
            if (other.branch === branch && other.batch.header.toSeq <= batch.header.toSeq) pruned.add(index)
          })
          await check()
        }
        await store.append(
          SPACE,
          batches.filter((_, index) => !pruned.has(index)),
        )
        expect(store.damaged()).toEqual([])
        expect(await snapshot(store, SPACE)).toEqual(await snapshot(plainStore, SPACE))
      },
    )
    await fc.assert(property, { numRuns: 150 })
  })

  it('shows exactly what is whole from its beginning on, and in the end everything', async () => {
    const batchNumbers = fc.array(fc.nat(13), { maxLength: 6 })
    const property = fc.asyncProperty(
      trees,
      batchNumbers,
      fc.array(fc.nat(13), { maxLength: 20 }),
      fc.integer({ min: 1, max: 4 }),
      async (nodes, hit, order, size) => {
        begin()
        const { batches, parents } = grow(nodes)
        await store.append(SPACE, batches)
        const before = await snapshot(plainStore, SPACE)
        const damaged = new Set(hit.map((index) => index % batches.length))
        await damage(...[...damaged].map((index) => batches[index]))
        const limit = { batches: size, bytes: wide.bytes }
        const check = async (): Promise<void> => {
          const isVisible = (index: number): boolean => {
            const parent = parents[index]
            return !damaged.has(index) && (parent === undefined || isVisible(parent))
          }
          const visible = batches.filter((_, index) => isVisible(index))
          expect(await pagedAfter(limit)).toEqual(plain(visible))
          expect(await pagedAbove(limit)).toEqual(plain(visible))
          // BR1: names follow from what can be read, as if nothing else had ever come.
          const alone = memoryStore()
          await alone.append(SPACE, visible)
          expect(await store.tips(SPACE)).toEqual(await alone.tips(SPACE))
          const whole = [...(await alone.tips(SPACE))].map(([branch, { seq }]) => [branch, seq - 1] as const)
          for (const above of [[], ...whole.map((entry) => [entry])]) {
            expect(await allAbove(store, above)).toEqual(await allAbove(alone, above))
          }
        }
        await check()
        for (const index of [...order.map((index) => index % batches.length), ...batches.keys()]) {
          const isHealed = damaged.has(index)
          await store.append(SPACE, [batches[index]])
          damaged.delete(index)
          if (isHealed) await check()
        }
        expect(store.damaged()).toEqual([])
        expect(await snapshot(store, SPACE)).toEqual(before)
        expect(healed()).toBe(found())
      },
    )
    await fc.assert(property, { numRuns: 150 })
  })
})
