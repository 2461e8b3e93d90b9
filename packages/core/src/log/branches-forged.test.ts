/** Branches and shifts of devices that write whatever they like. */
import { beforeAll, describe, expect, it } from 'vitest'
import { cryptoReady } from '../crypto/sodium.ts'
import { chainNext } from '../crypto/chain.ts'
import { encodeRun } from '../op/run-codec.ts'
import { opCount } from '../op/run.ts'
import { createReplica, forgeRun, type ForgedOp, identityOf, shapes, SPACE } from '../testing/replicas.test-support.ts'
import type { DeviceId } from '../clock/dot.ts'
import type { Batch, Shift } from './batch.ts'
import { firstTagOf } from './batch.ts'
import { branchId } from './branch.ts'
import { ChainIndex } from './chain-index.ts'
import { memoryStore } from './memory-store.ts'
import { sealBatch } from './seal.ts'

interface Point {
  readonly seq: number
  readonly hash: Uint8Array
}

/** A forger that goes on from any point of its history. */
const treeForger = (number: number) => {
  const identity = identityOf(number)
  const { device, certificate, keys } = identity
  const index = new ChainIndex(SPACE)
  index.begin(device, certificate)
  const root: Point = { seq: 0, hash: index.last(device) }
  const tag = (hash: Uint8Array) => index.tag(device, hash)
  const seal = (
    from: Point,
    runs: readonly (readonly ForgedOp[])[],
    {
      references = [],
      shifts = [],
      innerTags,
    }: { references?: readonly Uint8Array[]; shifts?: readonly Shift[]; innerTags?: readonly Uint8Array[] } = {},
  ): { batch: Batch; end: Point } => {
    let { seq, hash } = from
    let maxHlc = 0
    const bytes: Uint8Array[] = []
    const ends: { toSeq: number; tag: Uint8Array }[] = []
    for (const ops of runs) {
      const run = forgeRun(device, seq + 1, ops)
      const encoded = encodeRun(run)
      hash = chainNext(hash, encoded, references)
      seq += opCount(run)
      maxHlc = Math.max(maxHlc, ...run.hlc)
      bytes.push(encoded)
      ends.push({ toSeq: seq, tag: innerTags?.[ends.length] ?? tag(hash) })
    }
    const last = ends.pop()!
    const batch = sealBatch(
      {
        space: SPACE,
        device,
        fromSeq: from.seq + 1,
        toSeq: seq,
        maxHlc,
        tagBefore: tag(from.hash),
        tagAfter: last.tag,
        innerEnds: ends,
        shifts,
        certificate,
      },
      bytes,
      keys,
    )
    return { batch, end: { seq, hash } }
  }
  return { device, root, seal, tag }
}

const everything = { batches: 1_000_000, bytes: Number.MAX_SAFE_INTEGER }

/** A replica that reads anew what a store holds after taking in batches in this order. */
const readIn = async (order: readonly Batch[], number = 999_999) => {
  const store = memoryStore()
  const outcomes = await store.append(SPACE, order)
  const { batches } = await store.readAbove(SPACE, new Map(), everything)
  const replica = createReplica(number, SPACE, (log) => {
    for (const { batch } of batches) log.addShifts(batch.header.shifts)
    for (const { batch, branch } of batches) log.receive(log.check(batch), branch)
  })
  return { ...replica, outcomes: outcomes.map(({ kind }) => kind), store }
}
const summary = (r: Awaited<ReturnType<typeof readIn>>) => ({
  outcomes: r.outcomes.toSorted().join(),
  damage: r.log.damage?.code,
  backlog: r.log.backlog(),
  voids: r.projector.voidCount,
  digest: r.digest().slice(0, 16),
})

const insert = (id: string) => ({ shape: shapes.insert, row: { id } }) as const
const derived = (device: DeviceId, batch: Batch): DeviceId =>
  branchId(device, batch.header.fromSeq - 1, firstTagOf(batch.header))

describe('review', () => {
  beforeAll(cryptoReady)

  it('[BR5] a group that a fork divides does not hold up the branches', async () => {
    const d = treeForger(1)
    const stem = d.seal(d.root, [[{ hlc: 10, changes: [insert('x')], groupLeft: 2 }]])
    const a = d.seal(stem.end, [[{ hlc: 10, changes: [insert('y')], groupLeft: 1 }]])
    const b = d.seal(stem.end, [[{ hlc: 20, changes: [insert('z')] }]])
    const read = await readIn([stem.batch, a.batch, b.batch])
    expect(read.log.backlog()).toEqual({ waiting: 0, parked: 0 })
  })

  it('[BR4] a handle that fits both branches means one row everywhere', async () => {
    const d = treeForger(1)
    const stem = d.seal(d.root, [[{ hlc: 10, changes: [insert('x')] }]])
    const a = d.seal(stem.end, [[{ hlc: 20, changes: [insert('a')] }]])
    const b = d.seal(stem.end, [[{ hlc: 21, changes: [insert('b')] }]])
    const m = treeForger(2)
    const heads = [
      { device: derived(d.device, a.batch), seq: 2 },
      { device: derived(d.device, b.batch), seq: 2 },
    ]
    const op = m.seal(
      m.root,
      [[{ hlc: 30, heads, changes: [{ shape: shapes.title, row: { device: d.device, ordinal: 1 }, value: 'mine' }] }]],
      { references: [a.end.hash, b.end.hash] },
    )
    const one = await readIn([stem.batch, a.batch, b.batch, op.batch])
    const other = await readIn([stem.batch, b.batch, a.batch, op.batch])
    expect(summary(other)).toEqual(summary(one))
  })

  it('[BR2 OP7] a void op that follows something lifted does not void who saw it', async () => {
    const build = async (isForked: boolean) => {
      const d = treeForger(1)
      const one = d.seal(d.root, [[{ hlc: 100, changes: [insert('x')] }]])
      const bad = d.seal(one.end, [
        [{ hlc: 5000, changes: [{ shape: shapes.title, row: { device: d.device, ordinal: 99 }, value: 'no' }] }],
      ])
      const sibling = d.seal(one.end, [[{ hlc: 6000 }]])
      const e = treeForger(2)
      const op = e.seal(e.root, [[{ hlc: 500, heads: [{ device: d.device, seq: 2 }], changes: [insert('honest')] }]], {
        references: [bad.end.hash],
      })
      const m = treeForger(3)
      const shift = { device: d.device, base: 0, firstTag: d.tag(one.end.hash), shift: 0, floor: 1000 }
      const stating = m.seal(m.root, [[{ hlc: 1 }]], { shifts: [shift] })
      const read = await readIn([one, bad, ...(isForked ? [sibling] : []), op, stating].map(({ batch }) => batch))
      return { voids: read.projector.voidCount, honest: read.row('honest')?.touches.length }
    }
    expect(await build(false)).toEqual({ voids: 1, honest: 1 })
    expect(await build(true)).toEqual({ voids: 1, honest: 1 })
  })

  it('[BR2] a shift does not reach back before its run', async () => {
    const d = treeForger(1)
    const one = d.seal(d.root, [
      [
        { hlc: 1000, changes: [insert('x')] },
        { hlc: 2000, changes: [insert('y')], groupLeft: 2 },
      ],
    ])
    const two = d.seal(one.end, [[{ hlc: 2000, changes: [insert('z')], groupLeft: 1 }, { hlc: 3000 }]])
    const shift = { device: d.device, base: 2, firstTag: d.tag(two.end.hash), shift: 900, floor: 0 }
    const m = treeForger(3)
    const stating = m.seal(m.root, [[{ hlc: 1 }]], { shifts: [shift] })
    const { projector } = await readIn([one, two, stating].map(({ batch }) => batch))
    expect(projector.ops.stamp(projector.ops.refOf({ device: d.device, seq: 1 }))).toBe(1000)
  })
})
