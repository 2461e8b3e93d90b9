/** Ops in a space with members: rights at the position that they name, whatever else is known, and in whatever order things come. */
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { Keyring } from '../crypto/keyring.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { isLive } from '../laws/life.ts'
import { encodeRun } from '../op/run-codec.ts'
import type { Projector } from '../projection/projector.ts'
import { restoreSnapshot, saveSnapshot } from '../snapshot/snapshot.ts'
import { copyUpTo, createMembers, deviceOf, epochKeyOf, type TestMembers } from '../testing/members.test-support.ts'
import {
  codeOf,
  createReplica,
  type ForgedOp,
  forgeRun,
  hexOf,
  interleave,
  NO_BACKLOG,
  permutations,
  plainKeys,
  type Replica,
  shapes,
  SPACE,
  START_MS,
} from '../testing/replicas.test-support.ts'
import { hlcFromMs } from '../clock/hlc.ts'
import { chainStart } from '../crypto/chain.ts'
import { decodeBatch } from './batch.ts'
import { ChainIndex, type Members } from './chain-index.ts'
import type { OpLog } from './op-log.ts'
import { openBatch, sealBatch } from './seal.ts'

beforeAll(cryptoReady)

/** Whoever writes with a modified client: it signs what it is told to, at the positions that it is told. */
const createLiar = (number: number, installation: number, membership: Members) => {
  const identity = deviceOf(number, installation)
  const { device } = identity
  const chain = new ChainIndex(Keyring.unencrypted(SPACE), membership)
  chain.begin(device, chainStart(SPACE, identity.certificate))
  let seq = 0
  /** `chain`: of a replica that holds what the ops refer to. */
  const write = (positions: readonly number[], ops: readonly ForgedOp[], references = chain): Uint8Array => {
    const run = forgeRun(device, seq + 1, ops)
    run.membership.splice(0, ops.length, ...positions)
    const bytes = encodeRun(run)
    const before = chain.last(device)
    const hash = references.hashAfter(run, bytes, before)!
    const tags = { tagBefore: chain.lastTag(device), tagAfter: chain.tag(device, hash, 0) }
    const toSeq = seq + ops.length
    const part = { ...identity, ...tags, fromSeq: seq + 1, toSeq, maxHlc: Math.max(...run.hlc) }
    chain.extend(device, toSeq, hash, 0, Math.max(...positions))
    seq = toSeq
    return sealBatch(part, [bytes], plainKeys(identity.keys)).bytes
  }
  return { device, write }
}

const stamp = (ms: number): number => hlcFromMs(START_MS + ms)
const insert = (row: string, at: number, heads: ForgedOp['heads'] = []): ForgedOp => ({
  hlc: stamp(at),
  heads,
  changes: [{ shape: shapes.insert, row: { id: row } }],
})

const reader = (membership: Members, load?: (log: OpLog) => void): Replica =>
  createReplica(99, SPACE, load, Keyring.unencrypted(SPACE), { membership, identity: deviceOf(99, 1) })

const writer = (number: number, installation: number, membership: Members, keyring?: Keyring): Replica =>
  createReplica(number, SPACE, undefined, keyring, { membership, identity: deviceOf(number, installation) })

const rowsOf = ({ projector }: Pick<Replica, 'projector'>): string[] =>
  [...projector.cells.table('tasks').rows.values()]
    .filter((row) => isLive(row, 'update-wins'))
    .map(({ id }) => id)
    .sort()

/** 1 is an admin, 2 a writer from 2 on and a reader from 4 on, 3 a reader from 3 on and removed at 6; 5 makes 2 a writer again. */
const team = (): TestMembers => {
  const log = createMembers()
  log.act(
    1,
    { kind: 'found' },
    { kind: 'admit', installation: 2, role: 'writer' },
    { kind: 'admit', installation: 3, role: 'reader' },
    { kind: 'role', member: 2, role: 'reader' },
    { kind: 'role', member: 2, role: 'writer' },
    { kind: 'remove', member: 3 },
    { kind: 'revoke', installation: 2 },
  )
  return log
}

describe('the rights of an op', () => {
  it('[MEM6] are those of its author at the position that it names: else it is void', () => {
    const { membership } = team()
    // By installation, at every position.
    const effect = (liar: number): number[] => {
      const one = reader(membership)
      const positions = Array.from({ length: membership.length + 1 }, (_, position) => position)
      return positions.filter((position) => {
        const { device, write } = createLiar(100 + 10 * liar + position, liar, membership)
        one.receive(write([position], [insert(`by ${liar} at ${position}`, position)]))
        expect(one.projected(device)).toBe(1)
        return rowsOf(one).includes(`by ${liar} at ${position}`)
      })
    }
    expect(effect(1)).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(effect(2)).toEqual([2, 3, 5, 6])
    expect(effect(3)).toEqual([])
    expect(effect(4)).toEqual([])
  })

  it('[MEM6] an op that names less of the log than what it saw is void, and does not take back what it saw', () => {
    const { membership } = team()
    const [admin, liar] = [writer(10, 1, membership), createLiar(20, 2, membership)]
    admin.write(START_MS, admin.change(shapes.insert, 'of the admin'))
    const seen = admin.seal()
    const one = reader(membership)
    for (const bytes of seen) one.receive(bytes)
    // At 6 it was a writer, and at 7 no member's any more: it cannot have seen an op of 7 then.
    one.receive(liar.write([5], [insert('before', 1)]))
    const heads = [{ device: admin.device, seq: 1 }]
    one.receive(liar.write([6], [insert('falls behind', 2, heads)], one.log.chain))
    expect(rowsOf(one)).toEqual(['before', 'of the admin'])
    // Counted as if it had not seen the admin's: so what comes next may name 6 again.
    one.receive(liar.write([6], [insert('without it', 3)]))
    expect(rowsOf(one)).toEqual(['before', 'of the admin', 'without it'])
  })

  it('[MEM6] within its own history no position falls, not by a run that names several either', () => {
    const { membership } = team()
    const one = reader(membership)
    const liar = createLiar(20, 2, membership)
    // It read that it may not write any more (4), and goes on as if it had not (3).
    one.receive(liar.write([3, 4, 3], [insert('a', 1), insert('b', 2), insert('c', 3)]))
    one.receive(liar.write([3], [insert('d', 4)]))
    one.receive(liar.write([5], [insert('e', 5)]))
    expect(rowsOf(one)).toEqual(['a', 'e'])
  })

  it('[OP6] a group of which one op has no rights is void as a whole', () => {
    const { membership } = team()
    const one = reader(membership)
    const liar = createLiar(20, 2, membership)
    const part = (row: string, groupLeft: number): ForgedOp => ({ ...insert(row, 1), groupLeft })
    one.receive(liar.write([3, 4], [part('first', 2), part('second', 1)]))
    one.receive(
      liar.write(
        [5, 5],
        [
          { ...part('third', 2), hlc: stamp(2) },
          { ...part('fourth', 1), hlc: stamp(2) },
        ],
      ),
    )
    expect(rowsOf(one)).toEqual(['fourth', 'third'])
  })

  it('[MEM6] the role that a strategy is told is that of writing, before an own op is sealed too', () => {
    const log = createMembers()
    log.act(1, { kind: 'found' }, { kind: 'admit', installation: 2, role: 'writer' })
    const two = writer(20, 2, log.membership)
    two.write(START_MS, two.change(shapes.insert, 'row'))
    log.act(1, { kind: 'role', member: 2, role: 'admin' })
    const role = () => two.projector.ops.roleAt!(two.device, 1)
    expect(role()).toBe('writer')
    two.write(START_MS + 1, two.change(shapes.insert, 'another'))
    expect([role(), two.projector.ops.roleAt!(two.device, 2)]).toEqual(['writer', 'admin'])
    two.seal()
    expect([role(), two.projector.ops.roleAt!(two.device, 2)]).toEqual(['writer', 'admin'])
  })
})

describe('a run', () => {
  it('[MEM5] waits for the entries that it names, with what saw it, and blocks nobody else', () => {
    const { membership } = team()
    const known = copyUpTo(membership, 3)
    const [admin, two, other] = [
      writer(10, 1, membership),
      writer(20, 2, copyUpTo(membership, 3)),
      writer(11, 1, known),
    ]
    admin.write(START_MS, admin.change(shapes.insert, 'of 7'))
    two.write(START_MS, two.change(shapes.insert, 'of 3'))
    const [first] = admin.seal()
    other.log.membersGrew()
    const one = reader(known)
    one.receive(first)
    expect(one.log.isAwaitingMembers).toBe(true)
    expect(one.log.backlog()).toEqual({ ...NO_BACKLOG, waiting: 1 })
    for (const bytes of two.seal()) one.receive(bytes)
    expect(rowsOf(one)).toEqual(['of 3'])
    for (const entry of membership.entriesAfter(3, 3)) known.append(entry)
    one.log.membersGrew()
    expect([rowsOf(one), one.log.isAwaitingMembers]).toEqual([['of 3'], true])
    known.append(membership.entriesAfter(6)[0])
    one.log.membersGrew()
    expect([rowsOf(one), one.log.isAwaitingMembers]).toEqual([['of 3', 'of 7'], false])
    expect(one.log.backlog()).toEqual(NO_BACKLOG)
  })

  it('[MEM5] is bound to the entry that it names: another one at that position is CHAIN_BROKEN', () => {
    const [log, fork] = [createMembers(), createMembers()]
    for (const one of [log, fork]) one.act(1, { kind: 'found' }, { kind: 'admit', installation: 2, role: 'writer' })
    log.act(1, { kind: 'admit', installation: 3, role: 'reader' })
    fork.act(1, { kind: 'admit', installation: 4, role: 'reader' })
    const author = writer(10, 1, log.membership)
    author.write(START_MS, author.change(shapes.insert, 'row'))
    const [bytes] = author.seal()
    const misled = reader(fork.membership)
    misled.receive(bytes)
    expect(misled.log.damage?.code).toBe('CHAIN_BROKEN')
    expect(rowsOf(misled)).toEqual([])
    const right = reader(log.membership)
    right.receive(bytes)
    expect(rowsOf(right)).toEqual(['row'])
  })

  it('[MEM6] all orders of arrival, of batches and of entries, end in one state', () => {
    const { membership } = team()
    const batches = [
      createLiar(10, 1, membership).write([1], [insert('admin at 1', 1)]),
      createLiar(20, 2, membership).write([3, 4], [insert('writer at 3', 2), insert('reader at 4', 3)]),
      createLiar(30, 3, membership).write([5], [insert('reader at 5', 4)]),
      createLiar(40, 2, membership).write([7], [insert('revoked at 7', 5)]),
    ]
    const digests = new Set<string>()
    for (const order of permutations(batches)) {
      for (let known = 0; known <= membership.length; known += 3) {
        const growing = copyUpTo(membership, known)
        const one = reader(growing)
        for (const [index, bytes] of order.entries()) {
          one.receive(bytes)
          for (const entry of membership.entriesAfter(growing.length, index)) growing.append(entry)
          one.log.membersGrew()
        }
        for (const entry of membership.entriesAfter(growing.length)) growing.append(entry)
        one.log.membersGrew()
        expect(one.log.backlog()).toEqual(NO_BACKLOG)
        digests.add(one.digest())
      }
    }
    expect(digests.size).toBe(1)
    const one = reader(membership)
    for (const bytes of batches) one.receive(bytes)
    expect(rowsOf(one)).toEqual(['admin at 1', 'writer at 3'])
  })
})

/** Saved, and restored where this is known of the log of members. */
const asleep = ({ log, projector }: Replica, membership: Members) => {
  const { state, cells } = saveSnapshot(log, projector)!
  return restoreSnapshot({ state, cells: () => cells }, log.keyring, membership)
}

describe('what is read again', () => {
  it('[MEM6 SNAP1] random histories: in any order, from a snapshot, and read anew, all come to the same', () => {
    const { membership } = team()
    const installations = [1, 2, 3, 4]
    const op = fc.record({
      by: fc.constantFrom(...installations),
      position: fc.integer({ min: 0, max: membership.length }),
      sees: fc.boolean(),
    })
    let voided = 0
    const check = (ops: readonly { by: number; position: number; sees: boolean }[], order: readonly number[]): void => {
      const source = reader(membership)
      const queues = new Map<number, Uint8Array[]>(installations.map((one) => [one, []]))
      const liars = new Map(installations.map((one) => [one, createLiar(10 * one, one, membership)]))
      for (const [index, { by, position, sees }] of ops.entries()) {
        const { device, write } = liars.get(by)!
        const heads = sees ? source.projector.headsFor(device) : []
        const bytes = write([position], [insert(`row ${index}`, index, heads)], source.log.chain)
        queues.get(by)!.push(bytes)
        source.receive(bytes)
      }
      expect(source.log.backlog()).toEqual(NO_BACKLOG)
      const state = ({ projector }: { readonly projector: Projector }) => [
        hexOf(projector.cells.digest()),
        projector.voidCount,
      ]
      voided += source.projector.voidCount
      let at = 0
      const arrivals = interleave([...queues.values()], (left) => (order[at++ % order.length] ?? 0) % left)
      const half = Math.floor(arrivals.length / 2)
      const growing = copyUpTo(membership, 2)
      const other = reader(growing)
      for (const bytes of arrivals.slice(0, half)) other.receive(bytes)
      const restored = asleep(other, growing)!
      for (const entry of membership.entriesAfter(2)) growing.append(entry)
      const anew = reader(growing, (log) => {
        for (const bytes of arrivals) log.receive(log.open(decodeBatch(bytes)))
      })
      for (const bytes of arrivals.slice(half)) other.receive(bytes)
      // What waited is no part of a snapshot: it is read again from the store.
      for (const bytes of arrivals) restored.log.receive(restored.log.check(decodeBatch(bytes)))
      other.log.membersGrew()
      expect(state(other)).toEqual(state(source))
      expect(state(anew)).toEqual(state(source))
      expect(state(restored)).toEqual(state(source))
    }
    fc.assert(
      fc.property(fc.array(op, { minLength: 4, maxLength: 14 }), fc.array(fc.nat(20), { minLength: 3 }), check),
      { numRuns: 60 },
    )
    expect(voided).toBeGreaterThan(100)
  }, 60_000)

  it('[MEM6] a snapshot that saw entries which are not here is not used: what is written on it would be void', () => {
    const { membership } = team()
    const admin = writer(10, 1, membership)
    admin.write(START_MS, admin.change(shapes.insert, 'row'))
    admin.seal()
    expect(asleep(admin, membership)).toBeDefined()
    expect(asleep(admin, copyUpTo(membership, 6))).toBeUndefined()
  })
})

describe('the writer', () => {
  const rightsOf = (log: TestMembers, installation: number, keyring?: Keyring): string => {
    const one = writer(10 * installation, installation, log.membership, keyring)
    return codeOf(() => one.write(START_MS, one.change(shapes.insert, 'row')))
  }

  it('[MEM6] refuses what would be void, before anything of it happened', () => {
    const log = team()
    expect([1, 2, 3, 4].map((one) => rightsOf(log, one))).toEqual([
      'ok',
      'NOT_A_MEMBER',
      'NOT_A_MEMBER',
      'NOT_A_MEMBER',
    ])
    log.act(1, { kind: 'admit', installation: 5, role: 'reader' })
    expect(rightsOf(log, 5)).toBe('FORBIDDEN')
    const five = writer(50, 5, log.membership)
    expect(codeOf(() => five.write(START_MS, five.change(shapes.insert, 'row')))).toBe('FORBIDDEN')
    expect(five.writer.openCount).toBe(0)
    log.act(1, { kind: 'role', member: 5, role: 'writer' })
    five.write(START_MS, five.change(shapes.insert, 'row'))
    expect(five.row('row')).toBeDefined()
  })

  it('[MEM10] writes nothing with a key that who was removed has too', () => {
    const log = team()
    expect(log.membership.epoch).toBe(3)
    const keyring = Keyring.encrypted(SPACE, new Map([[2, epochKeyOf(2)]]))
    expect(rightsOf(log, 1, keyring)).toBe('KEY_MISSING')
    keyring.add(3, epochKeyOf(3))
    expect(rightsOf(log, 1, keyring)).toBe('ok')
  })

  it('[MEM5] begins a new run with every position and every key, so that a run is of one of each', () => {
    const log = createMembers()
    log.act(1, { kind: 'found' })
    const keyring = Keyring.encrypted(SPACE, new Map([[1, epochKeyOf(1)]]))
    const one = writer(10, 1, log.membership, keyring)
    const write = (row: string): void => void one.write(START_MS, one.change(shapes.insert, row))
    write('a')
    write('b')
    log.act(1, { kind: 'admit', installation: 2, role: 'writer' })
    write('c')
    log.act(1, { kind: 'rotate' })
    keyring.add(2, epochKeyOf(2))
    write('d')
    keyring.add(3, epochKeyOf(3))
    write('e')
    const batches = one.seal().map(decodeBatch)
    const runs = batches.flatMap((batch) => openBatch(batch, keyring)).map(({ run }) => run)
    expect(runs.map(({ membership, keyEpoch }) => [keyEpoch, ...membership])).toEqual([
      [1, 1, 1],
      [1, 2],
      [2, 3],
      [3, 3],
    ])
    const two = createReplica(99, SPACE, undefined, keyring, { membership: log.membership, identity: deviceOf(99, 1) })
    for (const { bytes } of batches) two.receive(bytes)
    expect(rowsOf(two)).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect([1, 3, 4, 5].map((seq) => two.log.chain.positionAt(one.device, seq))).toEqual([1, 2, 3, 3])
  })
})
