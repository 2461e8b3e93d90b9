/**
 * A simulated space with members: who is in it before anything happens, and what its admins do meanwhile. Every machine is an
 * installation of a member of its own; one more is there for who joins at the end.
 */
import {
  type InstallationKey,
  joinSpace,
  newInstallationKey,
  type Replica,
  type Transport,
  writeSpaceCode,
} from '@driftlog/client'
import {
  type BatchStore,
  type Deed,
  DriftlogError,
  encodeEntry,
  EPOCH_KEY_BYTES,
  type ErrorCode,
  installationSecrets,
  Keyring,
  makeRotation,
  type MemberSecrets,
  Membership,
  openEpochKeys,
  publicKeysOf,
  type Randomness,
  type Schema,
  sealEpochKey,
  START_HASH,
} from '@driftlog/core'
import { SPACE } from './disk-copy.ts'
import { Random } from './random.ts'
import { START_MS } from './time.ts'

const secretOf = (installation: number): Uint8Array => new Uint8Array(32).fill(installation + 1)

/** What a machine opens the space with. */
export const installationKey = (installation: number): InstallationKey =>
  newInstallationKey({ bytes: () => secretOf(installation) })

const secrets = (installation: number): MemberSecrets => installationSecrets(secretOf(installation))

/** A log in which the first founded the space and let in the others: every second one as an admin. */
export const foundingLog = (installations: number): Membership => {
  const membership = new Membership(SPACE)
  const founder = secrets(0)
  const keys = publicKeysOf(founder)
  const random: Randomness = Random.of(0).stream('members')
  const key = random.bytes(EPOCH_KEY_BYTES)
  const add = (deed: Deed): void => {
    const position = membership.length + 1
    const before = position === 1 ? START_HASH : membership.head
    membership.append(encodeEntry({ space: SPACE, position, before, atMs: START_MS, deed }, founder.signing))
  }
  add({ kind: 'found', keys, rotation: makeRotation(membership, key, [keys], undefined, random) })
  for (let installation = 1; installation < installations; installation++) {
    const guest = publicKeysOf(secrets(installation))
    const sealed = sealEpochKey(key, guest, random)
    add({ kind: 'admit', keys: guest, role: installation % 2 === 0 ? 'admin' : 'writer', member: undefined, sealed })
  }
  return membership
}

/** Makes a disk that of an installation which was let in. */
export const install = (store: BatchStore, membership: Membership, installation: number): Promise<void> =>
  joinSpace({
    space: SPACE,
    store,
    transport: answering(membership),
    key: installationKey(installation),
    by: { spaceCode: writeSpaceCode(membership.hashAt(1)) },
    ports: {
      clock: { now: () => START_MS },
      timers: { schedule: () => () => undefined },
      random: Random.of(installation).stream('joins'),
    },
  })

/** A server that has a log of members, and nothing else. */
const answering = (membership: Membership): Transport => ({
  mode: 'live',
  connect(_, events) {
    queueMicrotask(() => events.opened())
    return {
      send(messages) {
        for (const message of messages) {
          if (message.type !== 'entries') continue
          const entries = membership.entriesAfter(message.after)
          queueMicrotask(() => events.message({ ...message, entries, more: false }))
        }
      },
      close: () => undefined,
    }
  },
})

/** The log of members of a store. */
const membershipIn = async (store: BatchStore): Promise<Membership> => {
  const membership = new Membership(SPACE)
  for (const { value } of await store.records(SPACE, 'member/')) membership.append(value)
  return membership
}

/** What the server's log is opened with in the end: the first installation has all keys. */
export const openedMembers = async (store: BatchStore): Promise<{ keyring: Keyring; members: Membership }> => {
  const members = await membershipIn(store)
  return { keyring: Keyring.encrypted(SPACE, openEpochKeys(members, secrets(0)).keys), members }
}

/** What an admin meets where others do the same, or the server is away. */
const mayFail: ReadonlySet<ErrorCode> = new Set([
  'UNAVAILABLE',
  'MEMBERS_REFUSED',
  'CLOSED',
  'NOT_A_MEMBER',
  'KEY_MISSING',
])

/** One thing that an admin does; nothing where this is none. */
export const administer = async (replica: Replica<Schema>, drawn: Random): Promise<void> => {
  const { members } = replica
  if (members?.list.role !== 'admin') return
  // The first one stays an admin: whoever was made a reader is made a writer again by it in the end.
  const others = members.list.members.filter(({ isMe }, index) => index > 0 && !isMe)
  const [what, whom] = [drawn.below(5), drawn.pick(others)]
  try {
    if (what === 0) await members.rotate()
    else if (what === 1) await members.invite({ role: 'writer' })
    else if (what === 2 && members.list.invitations.length > 0) await members.withdraw(members.list.invitations[0].id)
    else if (whom !== undefined) await members.setRole(whom.id, drawn.pick(['reader', 'writer', 'admin'] as const))
  } catch (error) {
    if (!(error instanceof DriftlogError) || !mayFail.has(error.code)) throw error
  }
}

/** Whoever only reads may write again: else what they wrote before could never leave. */
export const letAllWrite = async ({ members }: Replica<Schema>): Promise<void> => {
  const readers = members?.list.members.filter(({ role }) => role === 'reader') ?? []
  try {
    for (const { id } of readers) await members?.setRole(id, 'writer')
  } catch (error) {
    if (!(error instanceof DriftlogError) || !mayFail.has(error.code)) throw error
  }
}
