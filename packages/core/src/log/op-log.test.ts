import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { hlcFromMs } from '../clock/hlc.ts'
import { dominates } from '../clock/version-vector.ts'
import { coarseCeiling } from '../clock/hlc.ts'
import { ByteWriter } from '../codec/bytes.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { LAST_KNOWN_LAW, Law } from '../op/law.ts'
import {
  codeOf,
  createForger,
  createReplica,
  type Forger,
  identityOf,
  interleave,
  permutations,
  type Replica,
  plainKeys,
  shapes,
  spliceBytes,
  START_MS,
  NO_BACKLOG,
} from '../testing/replicas.test-support.ts'
import { decodeBatch } from './batch.ts'
import { sealBatch } from './seal.ts'

beforeAll(cryptoReady)

const T = hlcFromMs(START_MS)

const writeTitle = (replica: Replica, row: string, title: string): Uint8Array => {
  replica.write(START_MS, replica.change(shapes.title, row, title))
  return replica.seal()[0]
}

/** An op of a forger that gives a new row a title. */
const titled = (hlc: number, id: string, more: { heads?: { device: Forger['device']; seq: number }[] } = {}) => ({
  hlc,
  ...more,
  changes: [{ shape: shapes.title, row: { id }, value: id }],
})

describe('op-log', () => {
  it('[LOG1] a batch that comes again changes nothing, one after a gap is refused with what is held', () => {
    const a = createReplica(1)
    const [first, second, third] = ['1', '2', '3'].map((title) => writeTitle(a, 'x', title))
    const b = createReplica(2)
    expect(codeOf(() => b.receive(second))).toBe('CERTIFICATE_INVALID')
    expect(b.receive(first)).toBe(true)
    expect(b.receive(first)).toBe(false)
    expect(() => b.receive(third)).toThrow(
      expect.objectContaining({ code: 'GAP', details: expect.objectContaining({ have: 1 }) }),
    )
    expect([b.log.heldSeq(a.device), b.projected(a.device)]).toEqual([1, 1])
    expect(b.receive(second)).toBe(true)
    const before = b.digest()
    for (const bytes of [first, second, first]) expect(b.receive(bytes)).toBe(false)
    expect(b.digest()).toBe(before)
    expect(b.receive(third)).toBe(true)
    expect(b.digest()).toBe(a.digest())
  })

  it('[LOG1] an own batch that comes back is known already', () => {
    const a = createReplica(1)
    const bytes = writeTitle(a, 'x', '1')
    expect(a.receive(bytes)).toBe(false)
    expect(a.log.heldSeq(a.device)).toBe(1)
  })

  it('[LOG1] a batch of another space is refused, with a certificate that is right there', () => {
    const elsewhere = createReplica(1, 'another-space')
    expect(codeOf(() => createReplica(2).receive(writeTitle(elsewhere, 'x', '1')))).toBe('MALFORMED')
  })

  it('[LOG2] a chain of causes over three devices waits in any order of arrival and ends alike', () => {
    const [a, b, c] = [1, 2, 3].map((number) => createReplica(number))
    const first = writeTitle(a, 'x', 'a')
    b.receive(first)
    const second = writeTitle(b, 'x', 'b')
    c.receive(first)
    c.receive(second)
    const third = writeTitle(c, 'x', 'c')
    a.receive(second)
    a.receive(third)
    for (const [index, order] of permutations([first, second, third]).entries()) {
      const reader = createReplica(10 + index)
      for (const bytes of order) {
        reader.receive(bytes)
        expect(dominates(reader.log.held(), reader.projector.projected)).toBe(true)
      }
      expect(reader.digest()).toBe(a.digest())
      expect(reader.log.backlog().waiting).toBe(0)
    }
    const waiting = createReplica(20)
    waiting.receive(third)
    waiting.receive(second)
    expect(waiting.log.backlog().waiting).toBe(2)
    expect(waiting.projector.projected.size).toBe(0)
  })

  it('[LOG2 LOG4] at every moment what is projected is causally closed and at most what is held', () => {
    const step = fc.record({ replica: fc.nat(3), from: fc.option(fc.nat(3), { nil: undefined }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.infiniteStream(fc.nat(5)), (history, choices) => {
        const replicas = [1, 2, 3, 4].map((number) => createReplica(number))
        const queues: Uint8Array[][] = replicas.map(() => [])
        const sawAt = new Map<string, ReadonlyMap<string, number>>()
        history.forEach(({ replica: index, from }, at) => {
          const replica = replicas[index]
          if (from === undefined) {
            const seen = new Map<string, number>(replica.projector.projected)
            queues[index].push(writeTitle(replica, `row ${at % 3}`, `${at}`))
            sawAt.set(`${replica.device}/${queues[index].length}`, seen)
            return
          }
          replicas.forEach((author, other) => {
            const have = replicas[from].log.heldSeq(author.device)
            for (const bytes of queues[other].slice(0, have)) replica.receive(bytes)
          })
        })
        const reader = createReplica(9)
        const next = (left: number): number => (choices.next().value ?? 0) % left
        for (const bytes of interleave(queues, next)) {
          reader.receive(bytes)
          const { projected } = reader.projector
          expect(dominates(reader.log.held(), projected)).toBe(true)
          for (const [device, seq] of projected) {
            for (const [other, seen] of sawAt.get(`${device}/${seq}`)!) {
              expect(projected.get(other as typeof device) ?? 0).toBeGreaterThanOrEqual(seen)
            }
          }
        }
        expect(reader.log.backlog().waiting).toBe(0)
        for (const replica of replicas) {
          for (const queue of queues) for (const bytes of queue) replica.receive(bytes)
          expect(replica.digest()).toBe(reader.digest())
        }
      }),
      { numRuns: 40 },
    )
  })

  it('[LOG2 OP4] an author that means another branch by a reference breaks its own chain, and nobody else’s', () => {
    // Device 1 shows one history to some and another to others. Device 2 built on the first.
    const one = createForger(1).seal([titled(T, 'branch one')])
    const two = createForger(1).seal([titled(T, 'branch two')])
    const witness = createReplica(50)
    witness.receive(one.bytes)
    const author = createForger(2)
    const { device: forked } = createForger(1)
    const built = author.seal([titled(T + 5, 'built', { heads: [{ device: forked, seq: 1 }] })], {
      chain: witness.log.chain,
    })
    const later = author.seal([titled(T + 6, 'later')])
    const follower = createForger(3)
    const followed = follower.seal([titled(T + 9, 'follows', { heads: [{ device: author.device, seq: 2 }] })], {
      references: [author.last()],
    })
    const bystander = createForger(4).seal([titled(T + 9, 'bystander')])

    witness.receive(built.bytes)
    expect(witness.projected(author.device)).toBe(1)
    expect(witness.log.damage).toBeUndefined()

    const batches = [two, built, later, followed, bystander]
    const digests = [built, followed, bystander, two].map((start) => {
      const reader = createReplica(51)
      const order = [start, ...batches.filter((batch) => batch !== start)]
      for (const batch of order) reader.receive(batch.bytes)
      expect(reader.log.damage).toMatchObject({ code: 'CHAIN_BROKEN', details: { device: author.device, fromSeq: 1 } })
      expect(reader.log.heldSeq(author.device)).toBe(2)
      expect([author, follower].map(({ device }) => reader.projected(device))).toEqual([0, 0])
      expect([...reader.projector.projected.values()]).toEqual([1, 1])
      return reader.digest()
    })
    expect(new Set(digests).size).toBe(1)
  })

  it('[LOG2] a header whose tag is not the one of its runs breaks the chain of its device', () => {
    const author = createForger(1)
    const honest = author.seal([titled(T, 'x')])
    const { identity } = author
    for (const tag of [new Uint8Array(16), honest.header.tagBefore]) {
      const part = { ...identity, fromSeq: 1, toSeq: 1, maxHlc: T, tagBefore: honest.header.tagBefore, tagAfter: tag }
      const reader = createReplica(2)
      const [{ bytes }] = reader.log.open(honest).runs!
      reader.receive(sealBatch(part, [bytes], plainKeys(identity.keys)).bytes)
      expect(reader.log.damage?.code).toBe('CHAIN_BROKEN')
      expect(reader.projected(author.device)).toBe(0)
    }
  })

  it('[LOG2] a first batch must start at the start of its chain', () => {
    const author = createForger(1)
    const { header, bytes } = author.seal([titled(T, 'x')])
    const reader = createReplica(2)
    const [run] = reader.log.open(decodeBatch(bytes)).runs!
    const part = {
      ...author.identity,
      ...header,
      certificate: author.identity.certificate,
      maxHlc: T,
      tagBefore: new Uint8Array(16),
    }
    const batch = sealBatch(part, [run.bytes], plainKeys(author.identity.keys))
    expect(codeOf(() => reader.log.check(batch))).toBe('MALFORMED')
    reader.log.receive(reader.log.open(batch))
    expect(reader.log.damage?.code).toBe('CHAIN_BROKEN')
  })

  it('[ENV1] runs in a merged envelope are projected one by one: what lies between them by cause is not waited for in vain', () => {
    const a = createReplica(1)
    const b = createReplica(2)
    const first = writeTitle(a, 'x', 'asked')
    b.receive(first)
    const answer = writeTitle(b, 'x', 'answered')
    a.receive(answer)
    const second = writeTitle(a, 'x', 'thanks')
    const [head, tail] = [decodeBatch(first), decodeBatch(second)]
    const runs = [head, tail].map((batch) => a.log.open(batch).runs![0].bytes)
    const maxHlc = coarseCeiling(tail.header.coarseMaxHlc)
    const tags = { tagBefore: head.header.tagBefore, tagAfter: tail.header.tagAfter }
    const innerEnds = [{ toSeq: 1, tag: head.header.tagAfter }]
    const merged = sealBatch(
      { ...a.identity, ...tags, innerEnds, fromSeq: 1, toSeq: 2, maxHlc },
      runs,
      plainKeys(a.identity.keys),
    )
    for (const order of [
      [merged.bytes, answer],
      [answer, merged.bytes],
    ]) {
      const reader = createReplica(3)
      for (const bytes of order) reader.receive(bytes)
      expect(reader.log.backlog()).toEqual(NO_BACKLOG)
      expect(reader.digest()).toBe(a.digest())
    }
  })

  it.each([
    ['format', (run: Uint8Array) => Uint8Array.of(2, ...run.subarray(1))],
    [
      'law',
      (run: Uint8Array) =>
        spliceBytes(
          run,
          new ByteWriter().varint(Law.set).string('tasks').finish(),
          new ByteWriter()
            .varint(LAST_KNOWN_LAW + 1)
            .string('tasks')
            .finish(),
        ),
    ],
  ])('[LOG3 SEEN3] a run of an unknown %s is parked with all that saw it, in any order; nothing else is', (_, edit) => {
    const author = createForger(1)
    const known = author.seal([titled(T, 'known')])
    const unknown = author.seal([titled(T + 1, 'unknown')], { edit })
    const after = author.seal([titled(T + 2, 'after')])
    const follower = createForger(2)
    const heads = [{ device: author.device, seq: 3 }]
    const saw = follower.seal([titled(T + 5, 'saw it', { heads })], { references: [author.last()] })
    const bystander = createForger(3)
    const free = bystander.seal([titled(T + 5, 'free')])
    const orders = permutations([0, 1, 2]).map((ranks) => {
      const queues = [[known, unknown, after], [saw], [free]]
      return ranks.flatMap((rank) => queues[rank])
    })
    for (const order of orders) {
      const reader = createReplica(50)
      for (const batch of order) reader.receive(batch.bytes)
      expect([author, follower, bystander].map(({ device }) => reader.projected(device))).toEqual([1, 0, 1])
      expect([author, follower, bystander].map(({ device }) => reader.log.heldSeq(device))).toEqual([3, 1, 1])
      expect(reader.log.backlog().parked).toBe(1)
      expect(reader.log.backlog().waiting).toBe(2)
      expect(reader.log.damage).toBeUndefined()
      expect(['known', 'free', 'after', 'saw it'].map((id) => reader.row(id) !== undefined)).toEqual([
        true,
        true,
        false,
        false,
      ])
    }
  })

  it('[OP6] a group that crosses batches is projected whole, when its last op is there', () => {
    const a = createReplica(1)
    const rows = Array.from({ length: 9 }, (_, index) => `row ${index}`)
    const large = (row: string) => a.change(shapes.title, row, row.padEnd(200_000, '.'))
    writeTitle(a, 'before', 'x')
    a.write(START_MS, ...rows.map(large))
    a.write(START_MS, a.change(shapes.title, 'after', 'x'))
    const batches = a.seal()
    expect(batches.length).toBeGreaterThan(3)
    const b = createReplica(2)
    b.receive(writeTitle(createReplica(1), 'before', 'x'))
    const shown = batches.map((bytes) => {
      b.receive(bytes)
      return rows.filter((row) => b.row(row) !== undefined).length
    })
    const { toSeq } = decodeBatch(batches[batches.length - 2]).header
    expect(shown).toEqual([...shown.slice(0, -1).map(() => 0), 9])
    expect(toSeq).toBeLessThan(10)
    expect(b.projector.voidCount).toBe(0)
    expect(b.log.backlog().waiting).toBe(0)
    expect(b.digest()).toBe(a.digest())
  })

  it('[OP6] what saw a group waits for the whole of it', () => {
    const a = createReplica(1)
    const rows = Array.from({ length: 5 }, (_, index) => `row ${index}`)
    a.write(START_MS, ...rows.map((row) => a.change(shapes.title, row, row.padEnd(200_000, '.'))))
    const batches = a.seal()
    const b = createReplica(2)
    for (const bytes of batches) b.receive(bytes)
    const reply = writeTitle(b, 'row 0', 'seen')
    const reader = createReplica(3)
    reader.receive(reply)
    for (const bytes of batches) {
      expect(reader.projected(b.device)).toBe(0)
      reader.receive(bytes)
    }
    expect(reader.projected(b.device)).toBe(1)
    expect(reader.digest()).toBe(b.digest())
  })

  it('[LOG1] a later batch verifies with the certificate of the first, and with no other', () => {
    const a = createReplica(1)
    const first = writeTitle(a, 'x', '1')
    const second = decodeBatch(writeTitle(a, 'x', '2'))
    const reader = createReplica(2)
    expect(codeOf(() => reader.log.check(second))).toBe('CERTIFICATE_INVALID')
    expect(codeOf(() => reader.log.check(second, identityOf(7).certificate))).toBe('CERTIFICATE_INVALID')
    expect(codeOf(() => reader.log.check(second, a.identity.certificate))).toBe('ok')
    reader.receive(first)
    expect(codeOf(() => reader.log.check(second, identityOf(7).certificate))).toBe('ok')
  })
})
