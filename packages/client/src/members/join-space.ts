import {
  type BatchStore,
  checkSpaceId,
  cryptoReady,
  DriftlogError,
  encodeEntry,
  equalBytes,
  installationSecrets,
  invitationSecrets,
  makePass,
  type MemberSecrets,
  Membership,
  openEpochKeys,
  type Ports,
  publicKeysOf,
  sealEpochKey,
  signJoin,
  systemPorts,
} from '@driftlog/core'
import { type InstallationKey, readInstallationKey } from '../keys/installation-key.ts'
import { memberRecords } from '../keys/load-keys.ts'
import type { Transport } from '../transport/transport.ts'
import { expectNothing } from './found-space.ts'
import { readInvitation } from './invitation-code.ts'
import { entryRecord } from './local-members.ts'
import { type MemberTalk, talk } from './member-talk.ts'
import { readSpaceCode } from './space-code.ts'

export interface JoinSpaceOptions {
  readonly space: string
  readonly store: BatchStore
  readonly transport: Transport
  /** This installation's: a new one. Keep it before you join, so that a join that was cut off can be tried again. */
  readonly key: InstallationKey
  /** From an invitation; or, where a member let in this installation by its code, what `Members.spaceCode` says there. */
  readonly by: { readonly invitation: string } | { readonly spaceCode: string }
  readonly ports?: Ports
}

const PASS_MS = 60 * 60 * 1_000
const MAX_TRIES = 20

/**
 * Makes this installation one of a member's. Asked again with the same key after it was cut off, it goes on. Then open the space with
 * `openReplica` and the key.
 *
 * Rejects with INVITATION_INVALID (not one, used, withdrawn, expired), MEMBERS_FORKED (the server shows another space than the one
 * that was meant), NOT_A_MEMBER, OPTION_INVALID (the store has something of the space), KEY_WRONG, UNAVAILABLE.
 */
export const joinSpace = async (options: JoinSpaceOptions): Promise<void> => {
  const { space, store, key, by, ports = systemPorts } = options
  checkSpaceId(space)
  await cryptoReady()
  await expectNothing(store, space)
  const secret = readInstallationKey(key)
  const own = installationSecrets(secret)
  const genesis = 'invitation' in by ? readInvitation(by.invitation).genesis : readSpaceCode(by.spaceCode)
  const invitation = 'invitation' in by ? invitationSecrets(readInvitation(by.invitation).secret) : undefined
  const speakAs = <T>(secrets: MemberSecrets, work: (server: MemberTalk) => Promise<T>): Promise<T> =>
    withPass(options, ports, secrets, work)

  const read = async (server: MemberTalk, membership: Membership): Promise<void> => {
    // Each page is checked before the next is asked for: a server cannot have this device collect what never ends.
    for (let more = true; more; ) {
      const page = await server.entries(membership.length)
      for (const entry of page.entries) membership.append(entry)
      if (!equalBytes(membership.hashAt(Math.min(1, membership.length)), genesis)) {
        throw new DriftlogError('MEMBERS_FORKED', 'the server shows another space than the one that was meant', {
          space,
        })
      }
      more = page.more && page.entries.length > 0
    }
  }

  const membership = new Membership(space)
  try {
    // It may be in already: let in by its code, or by a join whose answer was lost.
    await speakAs(own, (server) => read(server, membership))
  } catch (error) {
    const isNotIn = error instanceof DriftlogError && error.code === 'NOT_A_MEMBER'
    if (!isNotIn || invitation === undefined) throw error
    await speakAs(invitation, (server) => join(server, membership, { own, invitation, read, ports })).catch(asInvited)
  }
  if (membership.roleOf(own.signing.publicKey) === undefined) throw new DriftlogError('NOT_A_MEMBER', '', { space })
  const epochs = keysOf(membership, own)
  const entries = membership.entriesAfter(0)
  const records = memberRecords(space, secret, { epochs, entries }, ports.random)
  // Two windows that join with one store: the keys of one must not take the place of the other's.
  await store.append(space, [], { records, absent: [entryRecord(1, entries[0]).key] })
}

/** With the newest of them. Throws KEY_WRONG { epoch }. */
const keysOf = (membership: Membership, secrets: MemberSecrets): ReadonlyMap<number, Uint8Array> => {
  const { space, epoch } = membership
  const { keys } = openEpochKeys(membership, secrets)
  if (keys.has(epoch)) return keys
  throw new DriftlogError('KEY_WRONG', 'not the key that the log of members names', { space, epoch })
}

interface Joining {
  readonly own: MemberSecrets
  readonly invitation: MemberSecrets
  readonly read: (server: MemberTalk, membership: Membership) => Promise<void>
  readonly ports: Ports
}

const join = async (
  server: MemberTalk,
  membership: Membership,
  { own, invitation, read, ports }: Joining,
): Promise<void> => {
  const { space } = membership
  const keys = publicKeysOf(own)
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    await read(server, membership)
    if (membership.invitation(invitation.signing.publicKey) === undefined) throw new DriftlogError('INVITATION_INVALID')
    const sealed = sealEpochKey(keysOf(membership, invitation).get(membership.epoch)!, keys, ports.random)
    const proof = signJoin(space, keys, invitation.signing)
    const deed = { kind: 'join', keys, invitation: invitation.signing.publicKey, proof, sealed } as const
    const place = { space, position: membership.length + 1, before: membership.head }
    const entry = encodeEntry({ ...place, atMs: Math.max(0, Math.floor(ports.clock.now())), deed }, own.signing)
    membership.judge(entry, true)
    try {
      await server.propose(entry)
    } catch (error) {
      // Another entry came first: once more, on top of it.
      if (error instanceof DriftlogError && error.code === 'MEMBERS_REFUSED') continue
      throw error
    }
    membership.append(entry, true)
    return
  }
  throw new DriftlogError('UNAVAILABLE', 'others change the members all the time')
}

/** The server lets in nobody by an invitation that is not open. */
const asInvited = (error: unknown): never => {
  const isClosed = error instanceof DriftlogError && (error.code === 'NOT_A_MEMBER' || error.code === 'MEMBERS_REFUSED')
  throw isClosed ? new DriftlogError('INVITATION_INVALID', '', {}, { cause: error }) : error
}

/** A device whose clock is off learns the time from the server's refusal, and tries once more. */
const withPass = async <T>(
  { transport, space }: JoinSpaceOptions,
  { clock, timers }: Ports,
  { signing }: MemberSecrets,
  work: (server: MemberTalk) => Promise<T>,
): Promise<T> => {
  const at = (nowMs: number): Promise<T> =>
    talk({ transport, space, timers, pass: makePass(space, signing, Math.floor(nowMs) + PASS_MS) }, work)
  try {
    return await at(clock.now())
  } catch (error) {
    const serverTimeMs = error instanceof DriftlogError && error.code === 'UNAUTHORIZED' && error.details.serverTimeMs
    if (typeof serverTimeMs !== 'number') throw error
    return at(serverTimeMs)
  }
}
