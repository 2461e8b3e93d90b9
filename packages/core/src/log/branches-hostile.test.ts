/** Members that fork as often, as deep or as wide as they can: what everybody else wrote is shown all the same, and soon. */
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { columnIndex, type Row } from '../cells/row.ts'
import type { DeviceId } from '../clock/dot.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { Projector } from '../projection/projector.ts'
import { createReplica, forgeRun, hexOf, identityOf, shapes, NO_BACKLOG } from '../testing/replicas.test-support.ts'
import { createTreeForger, derivedId, type ForgedPoint, readIn } from '../testing/fork-forger.test-support.ts'
import type { Batch } from './batch.ts'
import { branchId } from './branch.ts'
import { meanings } from './meaning.ts'
import type { OpLog } from './op-log.ts'

const insert = (id: string) => ({ shape: shapes.insert, row: { id } }) as const
const title = (device: DeviceId, ordinal: number, value: string) =>
  ({ shape: shapes.title, row: { device, ordinal }, value }) as const

const titleOf = (row: Row | undefined) => row?.values[columnIndex(row.table, shapes.title.law, shapes.title.path)]

/** `count` histories that begin in one place. */
const siblings = (forger: ReturnType<typeof createTreeForger>, count: number) =>
  Array.from({ length: count }, (_, n) => forger.seal(forger.root, [{ hlc: 10 + n }]))

/** How often a log hashed a run from now on. */
const countHashes = ({ chain }: OpLog): (() => number) => {
  let count = 0
  const hashAfter = chain.hashAfter.bind(chain)
  chain.hashAfter = (...given) => {
    count++
    return hashAfter(...given)
  }
  return () => count
}

describe('hostile branches', () => {
  beforeAll(cryptoReady)

  it('[BR1 BR4] 20,000 forks inside each other are projected, and a handle finds its row at any depth', () => {
    const projector = new Projector()
    const { device } = identityOf(1)
    const reader = identityOf(2).device
    const depth = 20_000
    const names: DeviceId[] = [device]
    projector.begin(device, device, undefined, 0)
    projector.project([forgeRun(device, 1, [{ hlc: 1, changes: [insert('row 0')] }])])
    for (let n = 1; n <= depth; n++) {
      const tag = new Uint8Array(16)
      const name = branchId(device, n, tag, tag)
      projector.begin(name, device, names[n - 1], n)
      projector.project([forgeRun(name, n + 1, [{ hlc: n + 1, changes: [insert(`row ${n}`)] }])])
      names.push(name)
    }
    projector.begin(reader, reader, undefined, 0)
    const heads = [{ device: names[depth], seq: depth + 1 }]
    const stem = [0, 7, depth].map((ordinal) => title(device, ordinal, `${ordinal} by the stem`))
    const last = [1, 8, depth - 1].map((ordinal) => title(names[depth], ordinal, `${ordinal} by the last`))
    projector.project([forgeRun(reader, 1, [{ hlc: depth + 2, heads, changes: [...stem, ...last] }])])
    expect(projector.voidCount).toBe(0)
    const rowOf = (ordinal: number) => projector.cells.table('tasks').rows.get(`row ${ordinal}`)
    for (const ordinal of [0, 7, depth]) expect(titleOf(rowOf(ordinal))).toBe(`${ordinal} by the stem`)
    for (const ordinal of [1, 8, depth - 1]) expect(titleOf(rowOf(ordinal))).toBe(`${ordinal} by the last`)
    // What the op did not see makes it void, and is not looked for below.
    projector.project([forgeRun(reader, 2, [{ hlc: depth + 3, changes: [title(device, depth + 1, 'none')] }])])
    expect(projector.voidCount).toBe(1)
  })

  it('[BR4] who saw one of 4,100 siblings is understood, in whatever order they came', () => {
    const d = createTreeForger(1)
    const flood = siblings(d, 4_100)
    const [seen, ...others] = flood
    const heads = [{ device: d.device, seq: 1 }]
    const e = createTreeForger(2)
    const { batch } = e.seal(e.root, [{ hlc: 99_000, heads, changes: [insert('honest')] }], [seen.end.hash])
    const read = (order: readonly Batch[]) => {
      const replica = createReplica(9)
      const branchOf = (one: Batch): DeviceId => (one === batch ? e.device : derivedId(one))
      for (const one of order) replica.log.receive(replica.log.open(one), branchOf(one))
      return replica
    }
    const first = read([...flood.map((sibling) => sibling.batch), batch])
    const last = read([batch, ...others.map((sibling) => sibling.batch).toReversed(), seen.batch])
    for (const { log, row } of [first, last]) {
      expect(log.damage).toBeUndefined()
      expect(log.backlog()).toEqual(NO_BACKLOG)
      expect(row('honest')?.touches).toHaveLength(1)
    }
    expect(last.digest()).toBe(first.digest())
  }, 30_000)

  it('[BR4] readings: the likely ones first, each once, and of more candidates only what is new', () => {
    const names = ['a', 'b', 'c'] as DeviceId[]
    const of = (...counts: number[]) =>
      new Map(names.map((name, at) => [name, Array.from({ length: counts[at] }, (_, n) => `${name}${n}` as DeviceId)]))
    const untried = new Map<DeviceId, Set<DeviceId>>()
    const triedOf = (...counts: number[]) => new Map(Array.from(of(...counts), ([name, all]) => [name, new Set(all)]))
    const read = (...given: Parameters<typeof meanings>) =>
      Array.from(meanings(...given), (meaning) => names.map((name) => meaning(name).slice(1)).join(''))
    const all = read(of(2, 3, 1), untried, 100)
    expect(all).toEqual(['000', '100', '010', '020', '110', '120'])
    expect(read(of(2, 3, 2), triedOf(2, 3, 1), 100).toSorted()).toEqual(
      all.map((way) => `${way.slice(0, 2)}1`).toSorted(),
    )
    expect(read(of(2, 3, 2), triedOf(2, 3, 2), 100)).toEqual([])
    expect(read(of(400, 400, 400), untried, 100)).toHaveLength(20_000)
    expect(read(of(400, 400, 400), untried, 1024 * 1024)).toHaveLength(256)
  })

  it('[BR4] what fits no reading is tried again with a sibling that it can mean, and not with other batches', async () => {
    const d = createTreeForger(1)
    const f = createTreeForger(2)
    const all = [...siblings(d, 40), ...siblings(f, 40)]
    const late = d.seal(d.root, [{ hlc: 1_000 }])
    const m = createTreeForger(3)
    const heads = [d, f].map(({ device }) => ({ device, seq: 1 }))
    const read = await readIn(all.map(({ batch }) => batch))
    const { log } = read
    const hashed = countHashes(log)
    const receive = (batch: Batch, branch: DeviceId): number => {
      const before = hashed()
      log.receive(log.open(batch), branch)
      return hashed() - before
    }
    const references = [late.end.hash, all[79].end.hash]
    const { batch } = m.seal(m.root, [{ hlc: 5_000, heads, changes: [insert('m')] }], references)
    expect(receive(batch, m.device)).toBe(1_600)
    expect(log.damage?.code).toBe('CHAIN_BROKEN')
    // One more run of a branch that was tried: nothing new can be meant.
    expect(receive(d.seal(all[0].end, [{ hlc: 2_000 }]).batch, derivedId(all[0].batch))).toBe(1)
    const other = d.seal(d.root, [{ hlc: 1_001 }]).batch
    expect(receive(other, derivedId(other))).toBe(1 + 40)
    expect(log.damage?.code).toBe('CHAIN_BROKEN')
    expect(receive(late.batch, derivedId(late.batch))).toBeLessThanOrEqual(1 + 40)
    expect(log.damage).toBeUndefined()
    expect(read.row('m')?.touches).toHaveLength(1)
  })

  it('[BR4] any name of what an op saw, of a random tree, means the same in every order and with any siblings', async () => {
    const step = fc.record({ from: fc.nat(), isRead: fc.boolean(), name: fc.nat(), row: fc.nat() })
    let reads = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 4, maxLength: 20 }),
        fc.infiniteStream(fc.nat()),
        async (steps, order) => {
          const d = createTreeForger(1)
          // Each place with the batches that lead to it; each of them introduced one row.
          const places: { readonly end: ForgedPoint; readonly path: readonly Batch[] }[] = [{ end: d.root, path: [] }]
          const read: { readonly batch: Batch; readonly path: readonly Batch[]; readonly seen: string }[] = []
          for (const [index, { from, isRead, name, row }] of steps.entries()) {
            const { end, path } = places[from % places.length]
            if (!isRead || path.length === 0) {
              const next = d.seal(end, [{ hlc: 10 + index, changes: [insert(`row ${index}`)] }])
              places.push({ end: next.end, path: [...path, next.batch] })
              continue
            }
            const names = [d.device, ...path.map(derivedId)]
            const heads = [{ device: names[name % names.length], seq: end.seq }]
            const changes = [
              title(names[(name >> 5) % names.length], row % path.length, `read ${index}`),
              insert(`own ${index}`),
            ]
            const e = createTreeForger(10 + index)
            const { batch } = e.seal(e.root, [{ hlc: 100 + index, heads, changes }], [end.hash])
            read.push({ batch, path, seen: `own ${index}` })
          }
          reads += read.length
          for (const { batch, path, seen } of read) {
            const alone = createReplica(9)
            for (const one of [batch, ...path]) alone.log.receive(alone.log.open(one))
            expect(alone.log.backlog()).toEqual(NO_BACKLOG)
            expect(alone.projector.voidCount).toBe(0)
            expect(alone.row(seen)?.touches).toHaveLength(1)
          }
          const all = [...new Set([...places.flatMap(({ path }) => path), ...read.map(({ batch }) => batch)])]
          const digests = new Set<string>()
          for (let round = 0; round < 3; round++) {
            // A store takes a batch in only after what it goes on from.
            const left = new Set(all)
            const taken: Batch[] = []
            while (left.size > 0) {
              const ends = new Set(taken.map(({ header }) => hexOf(header.tagAfter)))
              const ready = [...left].filter(({ header }) => header.fromSeq === 1 || ends.has(hexOf(header.tagBefore)))
              const next = ready[order.next().value % ready.length]
              left.delete(next)
              taken.push(next)
            }
            const replica = await readIn(taken)
            expect(replica.log.damage).toBeUndefined()
            expect(replica.log.backlog()).toEqual(NO_BACKLOG)
            expect(replica.projector.voidCount).toBe(0)
            digests.add(replica.digest())
          }
          expect(digests.size).toBe(1)
        },
      ),
      { numRuns: 200 },
    )
    expect(reads).toBeGreaterThan(300)
  }, 60_000)

  it('[OP6 LOG2] a group over 4,000 runs is verified once, run by run', () => {
    const d = createTreeForger(1)
    const count = 4_000
    const { log, projected } = createReplica(9)
    const hashed = countHashes(log)
    let at = d.root
    for (let n = 0; n < count; n++) {
      const { batch, end } = d.seal(at, [{ hlc: 10, groupLeft: count - n }])
      at = end
      expect(projected(d.device)).toBe(0)
      log.receive(log.open(batch))
    }
    expect(projected(d.device)).toBe(count)
    expect(hashed()).toBe(count)
  }, 30_000)

  describe('[BR4] a derived name is understood without the sibling that it is derived for', () => {
    const make = () => {
      const d = createTreeForger(1)
      const e = createTreeForger(2)
      const one = d.seal(d.root, [{ hlc: 10, changes: [insert('x')] }])
      const two = d.seal(one.end, [{ hlc: 20, changes: [insert('a')] }])
      const three = d.seal(two.end, [{ hlc: 21 }])
      const sibling = d.seal(one.end, [{ hlc: 22, changes: [insert('b')] }])
      const name = derivedId(two.batch)
      const heads = [{ device: name, seq: 3 }]
      const op = e.seal(e.root, [{ hlc: 30, heads, changes: [title(name, 1, 'by head')] }], [three.end.hash])
      // No head here: a handle alone.
      const next = e.seal(op.end, [{ hlc: 31, changes: [title(name, 1, 'by handle'), title(name, 0, 'stem')] }])
      return {
        history: [one, two, three].map(({ batch }) => batch),
        sibling: sibling.batch,
        ops: [op.batch, next.batch],
      }
    }

    it('in any order of arrival, and alike with it', async () => {
      const { history, sibling, ops } = make()
      const orders = [
        [...history, ...ops],
        [...ops, ...history],
        [history[0], ops[0], history[1], ops[1], history[2]],
      ]
      const digests = new Set<string>()
      for (const order of orders) {
        const replica = createReplica(9)
        for (const batch of order) replica.log.receive(replica.log.open(batch))
        expect(replica.log.backlog()).toEqual(NO_BACKLOG)
        expect(replica.projector.voidCount).toBe(0)
        expect([titleOf(replica.row('a')), titleOf(replica.row('x'))]).toEqual(['by handle', 'stem'])
        digests.add(hexOf(replica.projector.cells.digest()))
      }
      expect(digests.size).toBe(1)
      const forked = await readIn([...history, sibling, ...ops])
      expect(forked.log.backlog()).toEqual(NO_BACKLOG)
      expect(forked.projector.voidCount).toBe(0)
      expect(titleOf(forked.row('a'))).toBe('by handle')
      expect(titleOf(forked.row('x'))).toBe('stem')
    })

    it('where this replica itself goes on from there', () => {
      const e = createTreeForger(2)
      const own = createReplica(1)
      own.write(Date.UTC(2026, 0, 1), own.change(shapes.insert, 'x'))
      own.writer.seal()
      own.write(Date.UTC(2026, 0, 1), own.change(shapes.insert, 'a'))
      const [second] = own.writer.seal()
      own.write(Date.UTC(2026, 0, 1), own.change(shapes.insert, 'open'))
      const name = derivedId(second)
      const hash = own.log.chain.covering(own.device, 2)!
      const heads = [{ device: name, seq: 2 }]
      const hlc = own.writer.highest + 1
      const { batch } = e.seal(e.root, [{ hlc, heads, changes: [title(name, 1, 'mine')] }], [hash])
      own.log.receive(own.log.open(batch))
      expect(own.log.backlog()).toEqual(NO_BACKLOG)
      expect(titleOf(own.row('a'))).toBe('mine')
    })
  })
})
