/** Branches and shifts of devices that write whatever they like. */
import { beforeAll, describe, expect, it } from 'vitest'
import { cryptoReady } from '../crypto/sodium.ts'
import { encodeRun } from '../op/run-codec.ts'
import {
  codeOf,
  createReplica,
  forgeRun,
  identityOf,
  permutations,
  plainKeys,
  shapes,
  SPACE,
  START_MS,
  NO_BACKLOG,
} from '../testing/replicas.test-support.ts'
import type { DeviceId } from '../clock/dot.ts'
import { treeForger } from '../testing/tree-forger.test-support.ts'
import { type Batch, firstTagOf } from './batch.ts'
import { branchId } from './branch.ts'
import { memoryStore } from './memory-store.ts'
import { sealBatch } from './seal.ts'

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

const title = (id: string, value: string) => ({ shape: shapes.title, row: { id }, value }) as const
const insert = (id: string) => ({ shape: shapes.insert, row: { id } }) as const
const derived = (device: DeviceId, batch: Batch): DeviceId =>
  branchId(device, batch.header.fromSeq - 1, batch.header.tagBefore, firstTagOf(batch.header))

describe('devices that write whatever they like', () => {
  beforeAll(cryptoReady)

  it('[BR5] a group that a fork divides does not hold up the branches', async () => {
    const d = treeForger(1)
    const stem = d.seal(d.root, [[{ hlc: 10, changes: [insert('x')], groupLeft: 2 }]])
    const a = d.seal(stem.end, [[{ hlc: 10, changes: [insert('y')], groupLeft: 1 }]])
    const b = d.seal(stem.end, [[{ hlc: 20, changes: [insert('z')] }]])
    const read = await readIn([stem.batch, a.batch, b.batch])
    expect(read.log.backlog()).toEqual(NO_BACKLOG)
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

  it('[BR2 OP3] with and without shifts are two histories of one device, in any order of arrival', async () => {
    const d = treeForger(1)
    const one = d.seal(d.root, [[{ hlc: 10_000, changes: [insert('x'), title('x', 'd')] }]])
    const e = treeForger(2)
    const two = e.seal(e.root, [[{ hlc: 9_000, changes: [insert('x'), title('x', 'e')] }]])
    const m = treeForger(3)
    const shift = { device: d.device, base: 0, firstTag: d.tag(one.end.hash), shift: 5_000, floor: 0 }
    const stated = m.seal(m.root, [[{ hlc: 1 }]], { shifts: [shift] })
    const silent = m.seal(m.root, [[{ hlc: 1 }]])
    const reads = []
    for (const order of permutations([one, two, stated, silent])) {
      reads.push(await readIn(order.map(({ batch }) => batch)))
    }
    for (const read of reads) {
      expect(read.outcomes).toEqual(['appended', 'appended', 'appended', 'appended'])
      expect(await read.store.tips(SPACE)).toEqual(await reads[0].store.tips(SPACE))
      expect(summary(read)).toEqual(summary(reads[0]))
    }
    // A first batch of the same end with other shifts is no duplicate: its beginning is another one.
    const lie = sealBatch(
      {
        ...silent.batch.header,
        certificate: stated.batch.header.certificate!,
        maxHlc: 1,
        tagAfter: stated.batch.header.tagAfter,
      },
      [encodeRun(forgeRun(m.device, 1, [{ hlc: 1 }]))],
      plainKeys(identityOf(3).keys),
    )
    expect((await readIn([stated.batch, lie])).outcomes).toEqual(['appended', 'fork'])
  })

  it('[BR1 ENV4] an inner tag that lies does not make a branch go on from another one', async () => {
    const d = treeForger(1)
    const a2 = d.seal(d.root, [[{ hlc: 10, changes: [insert('a')] }, { hlc: 11 }]])
    const a3 = d.seal(a2.end, [[{ hlc: 20, changes: [insert('a3')] }]])
    const c3 = d.seal(a2.end, [[{ hlc: 21, changes: [insert('c3')] }]])
    const innerTags = [d.tag(new Uint8Array(32)), d.tag(a2.end.hash)]
    const b = d.seal(d.root, [[{ hlc: 10 }], [{ hlc: 12 }], [{ hlc: 13 }]], { innerTags })
    const reads = []
    for (const order of [
      [b, a2, a3, c3],
      [a2, b, a3, c3],
      [a2, a3, c3, b],
    ]) {
      reads.push(summary(await readIn(order.map(({ batch }) => batch))))
    }
    expect(reads[0]).toMatchObject({ outcomes: 'appended,appended,appended,appended', damage: 'CHAIN_BROKEN' })
    expect(reads[1]).toEqual(reads[0])
    expect(reads[2]).toEqual(reads[0])
  })

  it('[BR1] names of two places are two names, whatever the first tags say', async () => {
    const d = treeForger(1)
    const a = d.seal(d.root, [[{ hlc: 10, changes: [insert('a')] }]])
    const b = d.seal(d.root, [[{ hlc: 11, changes: [insert('b')] }]])
    const p = d.seal(a.end, [[{ hlc: 20, changes: [insert('p')] }]])
    const p2 = d.seal(a.end, [[{ hlc: 22, changes: [insert('p2')] }]])
    const q2 = d.seal(b.end, [[{ hlc: 22, changes: [insert('q2')] }]])
    const q = d.seal(b.end, [[{ hlc: 21, changes: [insert('q')] }], [{ hlc: 23 }]], { innerTags: [d.tag(p.end.hash)] })
    const one = summary(await readIn([a, b, p, p2, q2, q].map(({ batch }) => batch)))
    const other = summary(await readIn([a, b, q2, q, p2, p].map(({ batch }) => batch)))
    expect(one.outcomes).toBe('appended,appended,appended,appended,appended,appended')
    expect(other).toEqual(one)
  })

  it('[ENV4 ENV5] of two envelopes of one end the first that is held counts; nobody else is kept from anything', async () => {
    const d = treeForger(1)
    const real = d.seal(d.root, [[{ hlc: 10, changes: [insert('a')] }]])
    const { header } = real.batch
    const run = encodeRun(forgeRun(d.device, 1, [{ hlc: 10, changes: [insert('lie')] }]))
    const lie = sealBatch(
      { ...header, certificate: header.certificate!, maxHlc: 10 },
      [run],
      plainKeys(identityOf(1).keys),
    )
    const e = createReplica(2)
    e.write(START_MS, e.change(shapes.insert, 'honest'))
    const [honest] = e.writer.seal()
    const truth = await readIn([real.batch, lie, honest])
    expect(truth.outcomes).toEqual(['appended', 'duplicate', 'appended'])
    expect([truth.log.damage?.code, truth.row('honest')?.touches.length]).toEqual([undefined, 1])
    const lied = await readIn([lie, real.batch, honest])
    expect(lied.outcomes).toEqual(['appended', 'duplicate', 'appended'])
    expect([lied.log.damage?.code, lied.row('honest')?.touches.length]).toEqual(['CHAIN_BROKEN', 1])
  })

  it('[ENV4] what ends inside a held batch is not known by that place, in the log as in the store', async () => {
    const d = treeForger(1)
    const held = d.seal(d.root, [[{ hlc: 10, changes: [insert('a')] }], [{ hlc: 11 }], [{ hlc: 12 }]])
    const next = d.seal(held.end, [[{ hlc: 13 }]])
    const { header } = held.batch
    const inner = { toSeq: 2, tagAfter: header.innerEnds[1].tag, innerEnds: [], maxHlc: 11 }
    const run = encodeRun(forgeRun(d.device, 1, [{ hlc: 10 }, { hlc: 11 }]))
    const certificate = header.certificate!
    const sibling = sealBatch({ ...header, certificate, ...inner }, [run], plainKeys(identityOf(1).keys))
    const store = memoryStore()
    const live = createReplica(8)
    const renames: boolean[] = []
    for (const batch of [held.batch, next.batch, sibling]) {
      expect(live.log.holder(batch.header)).toBeUndefined()
      const [outcome] = await store.append(SPACE, [batch])
      if (outcome.kind !== 'appended') throw new Error(outcome.kind)
      renames.push(live.log.isRenaming(batch.header, outcome.branch))
      if (!renames.at(-1)) live.log.receive(live.log.check(batch), outcome.branch)
    }
    expect(renames).toEqual([false, false, true])
    // Nor is one that somebody else signed.
    const forged = sealBatch({ ...header, certificate, ...inner }, [run], plainKeys(identityOf(66).keys))
    expect(codeOf(() => live.log.check(forged))).toBe('SIGNATURE_INVALID')
  })
})
