import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { cryptoReady } from '../crypto/sodium.ts'
import {
  type Act,
  copyUpTo,
  createMembers,
  installationOf,
  invitationOf,
  keyOf,
  memberOf,
  type TestMembers,
} from '../testing/members.test-support.ts'
import { codeOf, hexOf } from '../testing/replicas.test-support.ts'
import { type Deed, encodeEntry, type Role } from './entry.ts'
import { MAX_OWN_RECIPIENTS, type Membership } from './membership.ts'
import { publicKeysOf } from './secrets.ts'

beforeAll(cryptoReady)

/** All that can be told of a log from outside. */
const told = (membership: Membership) => ({
  length: membership.length,
  head: hexOf(membership.head),
  epoch: membership.epoch,
  needsRotation: membership.needsRotation,
  members: membership.members(),
  invitations: membership.invitations,
  recipients: membership.recipientsAfter({ kind: 'rotate' }),
})

/** Why it is not allowed; undefined where it was done. Where it is not, nothing has changed. */
const objectionTo = (log: TestMembers, by: number, act: Act): string | undefined => {
  const before = told(log.membership)
  try {
    log.act(by, act)
    return undefined
  } catch (error) {
    expect(told(log.membership)).toEqual(before)
    return (error as { details: { why: string } }).details.why
  }
}

/** 1 is an admin, 2 another, 3 a writer with a second installation 6, 4 a reader; 5 is nobody. 4's link 1 is for itself. */
const team = (): TestMembers => {
  const log = createMembers()
  log.act(
    1,
    { kind: 'found' },
    { kind: 'admit', installation: 2, role: 'admin' },
    { kind: 'admit', installation: 3, role: 'writer' },
    { kind: 'admit', installation: 4, role: 'reader' },
    { kind: 'invite', invitation: 2, role: 'writer' },
  )
  log.act(3, { kind: 'admit', installation: 6, role: 'writer', member: 3 })
  log.act(4, { kind: 'invite', invitation: 1, role: 'reader', member: 4 })
  return log
}

const authors = { admin: 1, writer: 3, reader: 4, stranger: 5 } as const
type Author = keyof typeof authors

/** Who may do it. */
const table: readonly [string, Act, readonly Author[]][] = [
  ['founds it again', { kind: 'found' }, []],
  ['invites a new member', { kind: 'invite', invitation: 9, role: 'reader' }, ['admin']],
  ['invites for the reader', { kind: 'invite', invitation: 9, role: 'reader', member: 4 }, ['admin', 'reader']],
  ['invites for the writer', { kind: 'invite', invitation: 9, role: 'admin', member: 3 }, ['admin', 'writer']],
  ['invites for nobody that is known', { kind: 'invite', invitation: 9, role: 'reader', member: 77 }, []],
  ['invites with a key that is in use', { kind: 'invite', invitation: 2, role: 'reader' }, []],
  ['admits a new member', { kind: 'admit', installation: 9, role: 'writer' }, ['admin']],
  ['admits one more of the reader', { kind: 'admit', installation: 9, role: 'admin', member: 4 }, ['admin', 'reader']],
  ['admits a key that is in use', { kind: 'admit', installation: 3, role: 'writer' }, []],
  ['withdraws what an admin made', { kind: 'withdraw', invitation: 2 }, ['admin']],
  ['withdraws what the reader made', { kind: 'withdraw', invitation: 1 }, ['admin', 'reader']],
  ['withdraws what is not there', { kind: 'withdraw', invitation: 9 }, []],
  ['joins by what is not there', { kind: 'join', invitation: 9 }, []],
  ['joins', { kind: 'join', invitation: 2 }, ['stranger']],
  ['makes the writer an admin', { kind: 'role', member: 3, role: 'admin' }, ['admin']],
  ['makes the other admin a reader', { kind: 'role', member: 2, role: 'reader' }, ['admin']],
  ['gives nobody a role', { kind: 'role', member: 77, role: 'reader' }, []],
  ['removes the reader, with a new key', { kind: 'remove', member: 4, rotates: true }, ['admin']],
  ['removes the reader, without one', { kind: 'remove', member: 4, rotates: false }, ['reader']],
  ['removes the writer, without one', { kind: 'remove', member: 3, rotates: false }, ['writer']],
  ['removes the other admin', { kind: 'remove', member: 2, rotates: true }, ['admin']],
  ['removes nobody', { kind: 'remove', member: 77, rotates: true }, []],
  ["revokes the writer's second installation", { kind: 'revoke', installation: 6 }, ['admin', 'writer']],
  ["revokes the writer's first installation", { kind: 'revoke', installation: 3 }, ['admin']],
  ["revokes the reader's only installation", { kind: 'revoke', installation: 4 }, ['admin']],
  ['revokes what is not there', { kind: 'revoke', installation: 77 }, []],
  ['rotates', { kind: 'rotate' }, ['admin']],
  ["retires the writer's installation", { kind: 'retire', installation: 3 }, ['admin', 'writer']],
  ['brings back what is not retired', { kind: 'return', installation: 3 }, []],
  ['retires what is not there', { kind: 'retire', installation: 77 }, []],
]

describe('who may do what', () => {
  it.each(table)('[MEM2] %s', (_, act, allowed) => {
    for (const [name, by] of Object.entries(authors)) {
      const why = objectionTo(team(), by, act)
      expect([name, why === undefined]).toEqual([name, allowed.includes(name as Author)])
    }
    // Who was removed may do nothing at all.
    const log = team()
    log.act(1, { kind: 'remove', member: 3 })
    expect(objectionTo(log, 3, act)).toBeDefined()
  })

  it('[MEM2] the last admin stays one, and so does the last installation of the last admin', () => {
    const log = createMembers()
    log.act(1, { kind: 'found' }, { kind: 'admit', installation: 2, role: 'writer' })
    expect(objectionTo(log, 1, { kind: 'role', member: 1, role: 'writer' })).toBe('the last admin')
    expect(objectionTo(log, 1, { kind: 'remove', member: 1 })).toBe('the last admin')
    log.act(1, { kind: 'admit', installation: 3, role: 'admin', member: 1 })
    log.act(3, { kind: 'revoke', installation: 1 })
    expect(objectionTo(log, 3, { kind: 'remove', member: 1 })).toBe('the last admin')
    log.act(3, { kind: 'admit', installation: 4, role: 'admin' })
    // An admin without an installation can do nothing, so it does not count.
    log.act(3, { kind: 'revoke', installation: 4 })
    expect(objectionTo(log, 3, { kind: 'role', member: 1, role: 'reader' })).toBe('the last admin')
    expect(log.membership.roleOf(keyOf(3))).toBe('admin')
  })

  it('[MEM4] what who leaves, or may not invite any more, has invited is withdrawn; what it may invite still is not', () => {
    const withLinks = (): TestMembers => {
      const log = team()
      log.act(2, { kind: 'invite', invitation: 3, role: 'writer' })
      log.act(2, { kind: 'invite', invitation: 4, role: 'writer', member: 2 })
      log.act(1, { kind: 'invite', invitation: 5, role: 'writer', member: 2 })
      return log
    }
    const open = ({ membership }: TestMembers): number[] =>
      [1, 2, 3, 4, 5].filter((number) => membership.invitation(invitationOf(number).signing.publicKey) !== undefined)
    const removed = withLinks()
    expect(open(removed)).toEqual([1, 2, 3, 4, 5])
    removed.act(1, { kind: 'remove', member: 2 })
    expect(open(removed)).toEqual([1, 2])
    const demoted = withLinks()
    demoted.act(1, { kind: 'role', member: 2, role: 'writer' })
    expect(open(demoted)).toEqual([1, 2, 4, 5])
    const revoked = withLinks()
    revoked.act(1, { kind: 'revoke', installation: 2 })
    expect(open(revoked)).toEqual([1, 2, 5])
    const promoted = withLinks()
    promoted.act(1, { kind: 'role', member: 2, role: 'admin' })
    expect(open(promoted)).toEqual([1, 2, 3, 4, 5])
  })

  it('[MEM3] a new key is due when who knows the newest one left without it, or a link is withdrawn', () => {
    const log = team()
    expect(log.membership.needsRotation).toBe(false)
    log.act(3, { kind: 'remove', member: 3 })
    expect(log.membership.needsRotation).toBe(true)
    log.act(1, { kind: 'rotate' })
    expect(log.membership.needsRotation).toBe(false)
    log.act(1, { kind: 'withdraw', invitation: 2 })
    expect(log.membership.needsRotation).toBe(true)
    log.act(1, { kind: 'remove', member: 4 })
    expect(log.membership.needsRotation).toBe(false)
  })

  it('[MEM2] one member who is no admin takes nobody else the room', () => {
    const log = createMembers()
    log.act(1, { kind: 'found' }, { kind: 'admit', installation: 2, role: 'reader' })
    for (let installation = 1_000; installation < 1_000 + MAX_OWN_RECIPIENTS - 1; installation++)
      log.act(2, { kind: 'admit', installation, role: 'reader', member: 2 })
    const one = { kind: 'admit', installation: 3, role: 'reader', member: 2 } as const
    expect(objectionTo(log, 2, one)).toBe('too many installations of one member')
    expect(objectionTo(log, 2, { ...one, kind: 'invite', invitation: 3 })).toBe('too many installations of one member')
    expect(objectionTo(log, 1, one)).toBeUndefined()
  })

  it('[MEM1] an entry of another space, of another place or on top of another entry is refused', () => {
    const [log, other] = [team(), team()]
    other.act(1, { kind: 'rotate' })
    const refused = (bytes: Uint8Array): void =>
      expect(codeOf(() => log.membership.append(bytes))).toBe('MEMBERS_REFUSED')
    const deed = log.deedOf(1, { kind: 'rotate' })
    const { length, head, space } = log.membership
    const place = { space, position: length + 1, before: head, atMs: 0, deed }
    const { signing } = installationOf(1)
    refused(encodeEntry({ ...place, space: 'another' }, signing))
    refused(encodeEntry({ ...place, position: length + 2 }, signing))
    refused(encodeEntry({ ...place, position: length }, signing))
    refused(encodeEntry({ ...place, before: log.membership.hashAt(length - 1) }, signing))
    log.act(1, { kind: 'role', member: 4, role: 'writer' })
    refused(other.next(1, { kind: 'rotate' }))
    refused(encodeEntry(place, signing))
  })

  it('[MEM3] a rotation is of the next epoch, and sealed to exactly those who are to have it', () => {
    const refused = (change: (rotation: (Deed & { kind: 'rotate' })['rotation']) => object): void => {
      const log = team()
      const deed = log.deedOf(1, { kind: 'rotate' }) as Deed & { kind: 'rotate' }
      const rotation = { ...deed.rotation, ...change(deed.rotation) }
      expect(codeOf(() => log.membership.append(log.entryOf(1, { ...deed, rotation })))).toBe('MEMBERS_REFUSED')
    }
    refused(({ epoch }) => ({ epoch: epoch + 1 }))
    refused(({ epoch }) => ({ epoch: epoch - 1 }))
    refused(({ sealed }) => ({ sealed: sealed.slice(1) }))
    refused(({ sealed }) => ({ sealed: [...sealed, sealed[0]] }))
    refused(({ sealed }) => ({ sealed: sealed.map((box) => box.slice(1)) }))
    refused(({ previous }) => ({ previous: previous.slice(1) }))
    refused(() => ({ previous: new Uint8Array(0) }))
  })

  it('[MEM4] nobody joins by an invitation whose secret it has not, or in the name of another', () => {
    const log = team()
    const join = log.deedOf(5, { kind: 'join', invitation: 2 }) as Deed & { kind: 'join' }
    const refused = (by: number, deed: Deed): void =>
      expect(codeOf(() => log.membership.append(log.entryOf(by, deed)))).toBe('MEMBERS_REFUSED')
    refused(9, join)
    refused(9, { ...join, keys: publicKeysOf(installationOf(9)) })
    refused(5, { ...join, keys: { ...join.keys, sealingKey: publicKeysOf(installationOf(9)).sealingKey } })
    refused(5, { ...join, invitation: invitationOf(1).signing.publicKey })
    refused(5, { ...join, sealed: new Uint8Array(79) })
    // A proof of another space.
    const other = createMembers('another').deedOf(5, { kind: 'join', invitation: 2 }) as Deed & { kind: 'join' }
    refused(5, { ...join, proof: other.proof })
    log.membership.append(log.entryOf(5, join))
    expect(log.membership.roleOf(keyOf(5))).toBe('writer')
  })

  it('[MEM1] entries that come again from their bytes make the same log, whether their signatures are looked at or not', () => {
    const { membership } = team()
    const checked = copyUpTo(membership)
    expect(told(checked)).toEqual(told(membership))
    for (let length = 0; length <= membership.length; length++)
      expect(hexOf(copyUpTo(membership, length).head)).toBe(hexOf(membership.hashAt(length)))
  })
})

/** The same rules, told as a list of everything that is so after each entry, found by looking through all of it. */
interface Fact {
  readonly members: Readonly<Record<number, Role | 'gone'>>
  readonly installations: Readonly<Record<number, { member: number; isOut: boolean; isRetired: boolean }>>
  readonly invitations: Readonly<Record<number, { by: number; role: Role; member?: number | undefined }>>
  readonly epoch: number
  readonly isDue: boolean
}

const NOTHING: Fact = { members: {}, installations: {}, invitations: {}, epoch: 0, isDue: false }

const roleIn = (fact: Fact, installation: number): Role | undefined => {
  const known = fact.installations[installation]
  if (known === undefined || known.isOut) return undefined
  const role = fact.members[known.member]
  return role === 'gone' ? undefined : role
}

const adminsWith = (fact: Fact): Set<number> => {
  const all = Object.values(fact.installations).filter(
    ({ member, isOut }) => !isOut && fact.members[member] === 'admin',
  )
  return new Set(all.map(({ member }) => member))
}

const without = <T>(all: Readonly<Record<number, T>>, isOut: (one: T, key: number) => boolean): Record<number, T> =>
  Object.fromEntries(Object.entries(all).filter(([key, one]) => !isOut(one, Number(key))))

/** What is so after it; undefined where it is not allowed. */
const after = (fact: Fact, by: number, act: Act): Fact | undefined => {
  const { members, installations, invitations } = fact
  const enter = (number: number, member: number, role: Role): Pick<Fact, 'members' | 'installations'> => ({
    members: member === number ? { ...members, [number]: role } : members,
    installations: { ...installations, [number]: { member, isOut: false, isRetired: false } },
  })
  if (act.kind === 'found') {
    if (fact.epoch > 0) return undefined
    return { ...fact, ...enter(by, by, 'admin'), epoch: 1 }
  }
  if (act.kind === 'join') {
    const invitation = invitations[act.invitation]
    if (invitation === undefined || installations[by] !== undefined) return undefined
    const rest = without(invitations, (_, number) => number === act.invitation)
    return { ...fact, ...enter(by, invitation.member ?? by, invitation.role), invitations: rest }
  }
  const role = roleIn(fact, by)
  if (role === undefined) return undefined
  const own = installations[by].member
  const isAdmin = role === 'admin'
  const isMember = (member: number): boolean => members[member] !== undefined && members[member] !== 'gone'
  switch (act.kind) {
    case 'invite':
    case 'admit': {
      if (!isAdmin && act.member !== own) return undefined
      if (act.member !== undefined && !isMember(act.member)) return undefined
      if (act.kind === 'invite') {
        if (invitations[act.invitation] !== undefined) return undefined
        const one = { by, role: act.role, member: act.member }
        return { ...fact, invitations: { ...invitations, [act.invitation]: one } }
      }
      if (installations[act.installation] !== undefined) return undefined
      return { ...fact, ...enter(act.installation, act.member ?? act.installation, act.role) }
    }
    case 'withdraw': {
      const invitation = invitations[act.invitation]
      if (invitation === undefined || (!isAdmin && installations[invitation.by].member !== own)) return undefined
      return { ...fact, invitations: without(invitations, (_, at) => at === act.invitation), isDue: true }
    }
    case 'role': {
      if (!isAdmin || !isMember(act.member)) return undefined
      const isLast = adminsWith(fact).size === 1 && members[act.member] === 'admin'
      if (isLast && act.role !== 'admin') return undefined
      const rest = without(
        invitations,
        (one) => act.role !== 'admin' && installations[one.by].member === act.member && one.member !== act.member,
      )
      const isFewer = Object.keys(rest).length < Object.keys(invitations).length
      return {
        ...fact,
        members: { ...members, [act.member]: act.role },
        invitations: rest,
        isDue: fact.isDue || isFewer,
      }
    }
    case 'remove': {
      if (!isMember(act.member) || (!isAdmin && act.member !== own)) return undefined
      if (adminsWith({ ...fact, members: { ...members, [act.member]: 'gone' } }).size === 0) return undefined
      const rest = without(
        invitations,
        (one) => one.member === act.member || installations[one.by].member === act.member,
      )
      const out = Object.entries(installations).map(([number, one]) => [
        number,
        { ...one, isOut: one.isOut || one.member === act.member },
      ])
      const isRotated = act.member !== own
      return {
        members: { ...members, [act.member]: 'gone' },
        installations: Object.fromEntries(out) as Fact['installations'],
        invitations: rest,
        epoch: fact.epoch + (isRotated ? 1 : 0),
        isDue: !isRotated,
      }
    }
    case 'revoke': {
      const one = installations[act.installation]
      if (one === undefined || one.isOut || act.installation === by || (!isAdmin && one.member !== own))
        return undefined
      const left = { ...installations, [act.installation]: { ...one, isOut: true } }
      if (adminsWith({ ...fact, installations: left }).size === 0) return undefined
      const rest = without(invitations, (invitation) => invitation.by === act.installation)
      return { members, installations: left, invitations: rest, epoch: fact.epoch + 1, isDue: false }
    }
    case 'rotate':
      return isAdmin ? { ...fact, epoch: fact.epoch + 1, isDue: false } : undefined
    case 'retire':
    case 'return': {
      const one = installations[act.installation]
      const isRetired = act.kind === 'retire'
      if (one === undefined || one.isOut || one.isRetired === isRetired) return undefined
      if (!isAdmin && one.member !== own) return undefined
      return { ...fact, installations: { ...installations, [act.installation]: { ...one, isRetired } } }
    }
  }
}

const number = fc.integer({ min: 1, max: 6 })
const by = fc.oneof({ arbitrary: fc.constantFrom(1, 2), weight: 2 }, { arbitrary: number, weight: 1 })
const role = fc.constantFrom<Role[]>('reader', 'writer', 'admin', 'admin')
const maybe = fc.option(number, { nil: undefined, freq: 2 })
const acts: fc.Arbitrary<Act> = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constantFrom('rotate', 'found') }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant('invite'), invitation: number, role, member: maybe }), weight: 4 },
  { arbitrary: fc.record({ kind: fc.constant('admit'), installation: number, role, member: maybe }), weight: 4 },
  { arbitrary: fc.record({ kind: fc.constantFrom('withdraw', 'join'), invitation: number }), weight: 5 },
  { arbitrary: fc.record({ kind: fc.constant('role'), member: number, role }), weight: 3 },
  { arbitrary: fc.record({ kind: fc.constant('remove'), member: number }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constantFrom('revoke', 'retire', 'return'), installation: number }), weight: 2 },
) as fc.Arbitrary<Act>

describe('random histories', () => {
  it('[MEM2 MEM6] every deed is allowed or refused as a slow model has it, and every position tells the roles that were', () => {
    let allowed = 0
    const check = (history: readonly { by: number; act: Act }[]): void => {
      const log = createMembers()
      const facts: Fact[] = [NOTHING]
      const beginning: Act[] = [{ kind: 'found' }, { kind: 'admit', installation: 2, role: 'admin' }]
      for (const act of beginning) {
        log.act(1, act)
        facts.push(after(facts.at(-1)!, 1, act)!)
      }
      for (const { by, act } of history) {
        const next = after(facts.at(-1)!, by, act)
        const why = objectionTo(log, by, act)
        expect([act, why === undefined, why]).toEqual([act, next !== undefined, why])
        if (next === undefined) continue
        facts.push(next)
        allowed++
      }
      const { membership } = log
      const last = facts.at(-1)!
      expect(membership.length).toBe(facts.length - 1)
      expect([membership.epoch, membership.needsRotation]).toEqual([last.epoch, last.isDue])
      for (let installation = 1; installation <= 6; installation++) {
        const roles = facts.map((fact) => roleIn(fact, installation))
        expect(facts.map((_, position) => membership.roleAt(keyOf(installation), position))).toEqual(roles)
        const isRetired = last.installations[installation]?.isRetired
        expect(membership.installation(keyOf(installation))?.isRetired).toBe(isRetired)
      }
      const names = (all: readonly { key: Uint8Array }[]): string[] => all.map(({ key }) => hexOf(key)).sort()
      const active = Object.keys(last.installations).filter((one) => !last.installations[Number(one)].isOut)
      const invited = Object.keys(last.invitations).map((one) => ({ key: invitationOf(Number(one)).signing.publicKey }))
      expect(names(membership.invitations)).toEqual(names(invited))
      const recipients = [...active.map((one) => ({ key: keyOf(Number(one)) })), ...invited]
      expect(names(membership.recipientsAfter({ kind: 'rotate' }))).toEqual(names(recipients))
      expect(names(recipients.filter(({ key }) => membership.sealedFor(key)?.epoch === membership.epoch))).toEqual(
        names(recipients),
      )
      const roleOf = (one: number) => membership.members().find(({ id }) => id === memberOf(one))?.role
      for (const one of Object.keys(last.members).map(Number)) {
        expect(roleOf(one)).toBe(last.members[one] === 'gone' ? undefined : last.members[one])
      }
    }
    fc.assert(fc.property(fc.array(fc.record({ by, act: acts }), { minLength: 20, maxLength: 60 }), check), {
      numRuns: 60,
    })
    // It must be able to say something.
    expect(allowed).toBeGreaterThan(300)
  }, 60_000)
})
