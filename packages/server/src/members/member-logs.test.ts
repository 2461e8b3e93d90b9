import {
  type BatchStore,
  cryptoReady,
  DriftlogError,
  makePass,
  MAX_PASS_MS,
  type Membership,
  memoryMedium,
  memoryStore,
} from '@driftlog/core'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  createMembers,
  EXPIRES_MS,
  installationOf,
  invitationOf,
  type TestMembers,
} from '../../../core/src/testing/members.test-support.ts'
import { createReplica, SPACE, shapes, START_MS } from '../../../core/src/testing/replicas.test-support.ts'
import { decodeBatch } from '../../../core/src/log/batch.ts'
import { MemberLogs, type Proposer } from './member-logs.ts'
import { speakerOf } from './speaker.ts'

beforeAll(cryptoReady)

const founder: Proposer = { isMember: false, mayFound: 'empty' }
const member: Proposer = { isMember: true, mayFound: 'empty' }

const clockAt = (ms = EXPIRES_MS - 1) => {
  const clock = { ms, now: () => clock.ms }
  return clock
}

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work
    return 'ok'
  } catch (error) {
    if (error instanceof DriftlogError) return error.code
    throw error
  }
}

/** Puts in all that a log has and the server does not. */
const tell = async (logs: MemberLogs, { membership }: TestMembers, by = member): Promise<void> => {
  const { length } = await logs.of(SPACE)
  for (const [index, entry] of membership.entriesAfter(length).entries())
    await logs.propose(SPACE, entry, length + index === 0 ? founder : by)
}

const team = (): TestMembers => {
  const log = createMembers()
  log.act(1, { kind: 'found' }, { kind: 'admit', installation: 2, role: 'admin' })
  log.act(1, { kind: 'invite', invitation: 1, role: 'writer' })
  return log
}

describe('the logs of members of a server', () => {
  it('[MEM7] keep each entry in its place, and nothing that may not stand there', async () => {
    const store = memoryStore()
    const logs = new MemberLogs(store, clockAt())
    const log = team()
    await tell(logs, log)
    expect((await logs.of(SPACE)).head).toEqual(log.membership.head)
    const [first] = log.membership.entriesAfter(0)
    expect(await codeOf(logs.propose(SPACE, first, member))).toBe('MEMBERS_REFUSED')
    expect(await codeOf(logs.propose(SPACE, log.next(5, { kind: 'rotate' }), member))).toBe('MEMBERS_REFUSED')
    expect(await codeOf(logs.propose('another', first, founder))).toBe('MEMBERS_REFUSED')
    expect(await codeOf(logs.propose(SPACE, first.subarray(1), member))).toBe('MALFORMED')
    const bent = log.next(1, { kind: 'rotate' })
    bent[bent.length - 1] ^= 1
    expect(await codeOf(logs.propose(SPACE, bent, member))).toBe('SIGNATURE_INVALID')
    expect((await new MemberLogs(store, clockAt()).of(SPACE)).head).toEqual(log.membership.head)
  })

  it('[MEM7] two servers on one store put one entry in a place, and come to know of each other', async () => {
    const medium = memoryMedium()
    const clock = clockAt()
    const [one, two] = [new MemberLogs(memoryStore(medium), clock), new MemberLogs(memoryStore(medium), clock)]
    const log = team()
    await tell(one, log)
    expect((await two.of(SPACE)).length).toBe(3)
    let told = 0
    two.watch(SPACE, () => told++)
    const race = [
      one.propose(SPACE, log.next(1, { kind: 'role', member: 2, role: 'writer' }), member),
      two.propose(SPACE, log.next(2, { kind: 'role', member: 1, role: 'writer' }), member),
    ]
    expect((await Promise.all(race.map(codeOf))).sort()).toEqual(['MEMBERS_REFUSED', 'ok'])
    clock.ms += 1_000
    const [a, b] = [await one.of(SPACE), await two.of(SPACE)]
    expect([a.length, a.head]).toEqual([4, b.head])
    expect(told).toBe(1)
  })

  it('[MEM7] an invitation ends by the clock of the server, whatever the joiner says', async () => {
    const clock = clockAt(EXPIRES_MS)
    const logs = new MemberLogs(memoryStore(), clock)
    const log = team()
    await tell(logs, log)
    const join = log.next(3, { kind: 'join', invitation: 1 })
    expect(await codeOf(logs.propose(SPACE, join, { ...member, isMember: false }))).toBe('INVITATION_INVALID')
    clock.ms--
    expect(await codeOf(logs.propose(SPACE, join, { ...member, isMember: false }))).toBe('ok')
  })

  it('[MEM9] a member hands on a join that was in time to a server that was set back since', async () => {
    const log = team()
    log.act(3, { kind: 'join', invitation: 1 })
    log.act(1, { kind: 'rotate' })
    const logs = new MemberLogs(memoryStore(), clockAt(EXPIRES_MS + 1_000_000))
    await tell(logs, log)
    expect((await logs.of(SPACE)).head).toEqual(log.membership.head)
  })

  it('[MEM8] a space that has begun without members is founded by nobody who was not given it', async () => {
    const begun = async (): Promise<MemberLogs> => {
      const store = memoryStore()
      const fresh = createReplica(2)
      fresh.write(START_MS, fresh.change(shapes.insert, 'row'))
      await store.append(SPACE, fresh.seal().map(decodeBatch))
      return new MemberLogs(store, clockAt())
    }
    const [found] = team().membership.entriesAfter(0)
    expect(await codeOf((await begun()).propose(SPACE, found, founder))).toBe('MEMBERS_REFUSED')
    expect(await codeOf((await begun()).propose(SPACE, found, { ...founder, mayFound: 'no' }))).toBe('FORBIDDEN')
    expect(await codeOf((await begun()).propose(SPACE, found, { ...founder, mayFound: 'anyway' }))).toBe('ok')
    const empty = new MemberLogs(memoryStore(), clockAt())
    expect(await codeOf(empty.propose(SPACE, found, { ...founder, mayFound: 'no' }))).toBe('FORBIDDEN')
    expect(await codeOf(empty.propose(SPACE, found, founder))).toBe('ok')
  })

  it('[MEM8] while the store does not answer nobody is told that there are no members', async () => {
    const medium = memoryMedium()
    const log = team()
    await tell(new MemberLogs(memoryStore(medium), clockAt()), log)
    let isFailing = true
    const inner = memoryStore(medium)
    const store: Pick<BatchStore, 'append' | 'records' | 'end'> = {
      append: (...args) => inner.append(...args),
      end: (space) => inner.end(space),
      records: (...args) => (isFailing ? Promise.reject(new DriftlogError('STORAGE_FAILED')) : inner.records(...args)),
    }
    const logs = new MemberLogs(store, clockAt())
    // All at once: only the first of them looks.
    expect(await Promise.all([1, 2, 3].map(() => codeOf(logs.of(SPACE))))).toEqual(Array(3).fill('STORAGE_FAILED'))
    isFailing = false
    expect((await logs.of(SPACE)).length).toBe(3)
  })

  it('[MEM1] an entry that rotted is told from one that is refused', async () => {
    for (const position of [1, 2, 3]) {
      const store = memoryStore()
      const log = team()
      await tell(new MemberLogs(store, clockAt()), log)
      const key = `member/${String(position).padStart(10, '0')}`
      const value = log.membership.entriesAfter(position - 1)[0].slice()
      value[value.length - 70] ^= 1
      await store.append(SPACE, [], { records: [{ key, value }] })
      const logs = new MemberLogs(store, clockAt())
      expect(await codeOf(logs.of(SPACE))).toBe('STORAGE_DAMAGED')
      expect(await codeOf(logs.propose(SPACE, log.next(1, { kind: 'rotate' }), member))).toBe('STORAGE_DAMAGED')
    }
  })

  it('remembers so many spaces, and reads the others again', async () => {
    const store = memoryStore()
    const logs = new MemberLogs(store, clockAt())
    await tell(logs, team())
    const first = await logs.of(SPACE)
    for (let number = 0; number < 1_001; number++) await logs.of(`space-${number}`)
    const again = await logs.of(SPACE)
    expect(again).not.toBe(first)
    expect(again.head).toEqual(first.head)
  })
})

describe('for whom a pass speaks', () => {
  const NOW = EXPIRES_MS - 1_000
  const roleOf = (membership: Membership, pass: Uint8Array | undefined, nowMs: number | undefined = NOW): unknown => {
    const speaker = speakerOf(membership, pass, nowMs)
    return speaker.role ?? speaker.code
  }

  it('[MEM8] a member, who holds an open invitation, or a stranger; nobody without a right pass in time', () => {
    const { membership, act } = team()
    const passOf = (keys: { readonly signing: ReturnType<typeof installationOf>['signing'] }, expiresMs = NOW + 1) =>
      makePass(SPACE, keys.signing, expiresMs)
    expect(roleOf(membership, passOf(installationOf(1)))).toBe('admin')
    expect(roleOf(membership, passOf(invitationOf(1)))).toBe('guest')
    expect(roleOf(membership, passOf(invitationOf(1), EXPIRES_MS + 2), EXPIRES_MS)).toBe('stranger')
    expect(roleOf(membership, passOf(installationOf(9)))).toBe('stranger')
    expect(roleOf(membership, undefined)).toBe('NOT_A_MEMBER')
    expect(roleOf(membership, new Uint8Array(100))).toBe('NOT_A_MEMBER')
    expect(roleOf(membership, makePass('another', installationOf(1).signing, NOW + 1))).toBe('NOT_A_MEMBER')
    expect(roleOf(membership, passOf(installationOf(1), NOW))).toBe('UNAUTHORIZED')
    expect(roleOf(membership, passOf(installationOf(1), NOW + MAX_PASS_MS))).toBe('admin')
    expect(roleOf(membership, passOf(installationOf(1), NOW + MAX_PASS_MS + 1))).toBe('UNAUTHORIZED')
    expect(speakerOf(membership, passOf(installationOf(1)), undefined)).toMatchObject({ code: 'UNAVAILABLE' })
    const pass = passOf(installationOf(2))
    expect(roleOf(membership, pass)).toBe('admin')
    act(1, { kind: 'remove', member: 2 })
    // Who was removed is told so, and nothing of what comes after.
    expect(speakerOf(membership, pass, NOW)).toEqual({ role: 'guest', entriesUpTo: membership.length })
  })
})
