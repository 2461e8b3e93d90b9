/**
 * The members of a space, and what may be changed about them: the surface that apps use. The list is there offline; changes are
 * ordered by the server, so they need it, and resolve once they are in the log.
 */
import {
  type Deed,
  type DeedOutline,
  type DeviceId,
  DriftlogError,
  EPOCH_KEY_BYTES,
  type History,
  type Installation,
  invitationSecrets,
  makeRotation,
  type Membership,
  publicKeysOf,
  type Randomness,
  type Role,
  type Rotation,
  SECRET_BYTES,
  sealEpochKey,
  toBase64Url,
  fromBase64Url,
  type WallClock,
} from '@driftlog/core'
import { BehaviorSubject, type Observable } from 'rxjs'
import { type InstallationCode, readInstallationCode } from '../keys/installation-key.ts'
import type { ReplicaState } from '../state/replica-state.ts'
import { type InvitationCode, writeInvitation } from './invitation-code.ts'
import type { LocalMembers } from './local-members.ts'
import type { MembersSync } from './members-sync.ts'
import { type SpaceCode, writeSpaceCode } from './space-code.ts'

export interface InstallationInfo {
  readonly id: string
  readonly isThis: boolean
  /** Pruning does not wait for it. */
  readonly isRetired: boolean
}

export interface MemberInfo {
  readonly id: string
  readonly role: Role
  readonly isMe: boolean
  /** Those that were not revoked. */
  readonly installations: readonly InstallationInfo[]
}

export interface InvitationInfo {
  readonly id: string
  readonly role: Role
  /** Whose next installation it lets in; undefined: a new member. */
  readonly member: string | undefined
  readonly expires: Date
}

export interface MemberList {
  /** In order of entering. */
  readonly members: readonly MemberInfo[]
  /** Those that are open, as far as the log tells: whether one has expired is judged by the server. */
  readonly invitations: readonly InvitationInfo[]
  /** What this installation may do; undefined: it is no member's any more, or the replica is locked. */
  readonly role: Role | undefined
  readonly history: History
}

/** A new member with a role, or one more installation of who asks. */
export type Guest = { readonly role: Role } | { readonly self: true }

const WEEK_MS = 7 * 24 * 60 * 60 * 1_000

export interface MembersParts {
  readonly local: LocalMembers
  /** undefined: a replica without a server. */
  readonly sync: MembersSync | undefined
  readonly state: ReplicaState
  readonly clock: WallClock
  readonly random: Randomness
}

export class Members {
  readonly #parts: MembersParts
  readonly #list$: BehaviorSubject<MemberList>
  #isTidying = false

  /** Apps have it from `replica.members`. */
  constructor(parts: MembersParts) {
    this.#parts = parts
    this.#list$ = new BehaviorSubject(this.#read())
    parts.local.changes.subscribe(() => this.#list$.next(this.#read()))
    parts.sync?.leveled.subscribe(() => void this.#tidy())
  }

  /** The members now, and whenever they change. */
  get list$(): Observable<MemberList> {
    return this.#list$
  }

  get list(): MemberList {
    return this.#list$.value
  }

  /** For `joinSpace` on an installation that was let in by its code. No secret. */
  get spaceCode(): SpaceCode {
    return writeSpaceCode(this.#membership.hashAt(1))
  }

  /** Whose device wrote something (`createdBy`, an author in a history): a member's id, also of one that was removed. */
  memberOf(device: DeviceId): string | undefined {
    const key = this.#parts.state.log.installationOf(device)
    return key && this.#membership.installation(key)?.member
  }

  /**
   * An invitation, good for one installation, until it expires (a week by default). Whoever has it first gets in: put it behind the
   * `#` of a link, or show it as a QR. Only an admin invites others.
   */
  async invite(guest: Guest, { expiresInMs = WEEK_MS } = {}): Promise<InvitationCode> {
    const secret = this.#parts.random.bytes(SECRET_BYTES)
    const keys = publicKeysOf(invitationSecrets(secret))
    const nowMs = this.#parts.sync?.now() ?? this.#parts.clock.now()
    const expiresMs = Math.floor(nowMs + expiresInMs)
    await this.#change((membership) => {
      const sealed = sealEpochKey(this.#epochKey(membership), keys, this.#parts.random)
      return { kind: 'invite', keys, ...this.#asGuest(membership, guest), expiresMs, sealed }
    })
    return writeInvitation({ genesis: this.#membership.hashAt(1), secret })
  }

  /** Nobody gets in by it any more. */
  withdraw(invitation: string): Promise<void> {
    return this.#change(() => ({ kind: 'withdraw', invitation: fromBase64Url(invitation) }))
  }

  /** Lets in an installation by its code (`installationCode`): nothing secret goes anywhere. */
  async admit(code: InstallationCode, guest: Guest): Promise<void> {
    const keys = readInstallationCode(code)
    await this.#change((membership) => {
      const sealed = sealEpochKey(this.#epochKey(membership), keys, this.#parts.random)
      return { kind: 'admit', keys, ...this.#asGuest(membership, guest), sealed }
    })
  }

  setRole(member: string, role: Role): Promise<void> {
    return this.#change(() => ({ kind: 'role', member, role }))
  }

  /**
   * Takes away the rights of a member, and rotates the key: what is written from now on they cannot read. What they have, they keep.
   */
  remove(member: string): Promise<void> {
    const gone = { kind: 'remove', member } as const
    return this.#change((membership) => ({ ...gone, rotation: this.#rotation(membership, gone) }))
  }

  /** The member of this installation leaves, with all installations. An admin who is there rotates the key. */
  leave(): Promise<void> {
    return this.#change((membership) => ({ kind: 'remove', member: this.#own(membership).member, rotation: undefined }))
  }

  /** The same as `remove` for one installation, such as a phone that was lost. */
  revoke(installation: string): Promise<void> {
    const gone = { kind: 'revoke', installation: fromBase64Url(installation) } as const
    return this.#change((membership) => ({ ...gone, rotation: this.#rotation(membership, gone) }))
  }

  /** A new key for what is written from now on. */
  rotate(): Promise<void> {
    return this.#change((membership) => ({ kind: 'rotate', rotation: this.#rotation(membership, { kind: 'rotate' }) }))
  }

  /** Pruning does not wait for an installation any more; it stays a member's, and may come back. */
  retire(installation: string): Promise<void> {
    return this.#change(() => ({ kind: 'retire', installation: fromBase64Url(installation) }))
  }

  /** Whether history is pruned once all installations are above it, or kept, as at first. Only an admin says so; see docs/guides/pruning.md. */
  setHistory(history: History): Promise<void> {
    return this.#change(() => ({ kind: 'history', history }))
  }

  /** Pruning waits for a retired installation again. */
  reinstate(installation: string): Promise<void> {
    return this.#change(() => ({ kind: 'return', installation: fromBase64Url(installation) }))
  }

  get #membership(): Membership {
    return this.#parts.local.membership
  }

  #change(make: Parameters<MembersSync['change']>[0]): Promise<void> {
    const { sync } = this.#parts
    return sync === undefined
      ? Promise.reject(new DriftlogError('UNAVAILABLE', 'the replica has no server'))
      : sync.change(make)
  }

  #own(membership: Membership): Installation {
    const { secrets } = this.#parts.local
    const own = secrets && membership.installation(secrets.signing.publicKey)
    if (own === undefined) throw new DriftlogError('NOT_A_MEMBER')
    return own
  }

  #asGuest(membership: Membership, guest: Guest): { readonly role: Role; readonly member: string | undefined } {
    if ('role' in guest) return { role: guest.role, member: undefined }
    const own = this.#own(membership)
    return { role: membership.roleOf(own.key) ?? 'reader', member: own.member }
  }

  #epochKey({ epoch, space }: Membership): Uint8Array {
    const key = this.#parts.local.keyring.keys().get(epoch)
    if (key === undefined) throw new DriftlogError('KEY_MISSING', '', { space, epoch })
    return key
  }

  #rotation(membership: Membership, deed: DeedOutline): Rotation {
    const { random, local } = this.#parts
    const key = random.bytes(EPOCH_KEY_BYTES)
    const before = local.keyring.keys().get(local.keyring.epoch)
    if (before === undefined) throw new DriftlogError('KEY_MISSING', '', { space: membership.space })
    return makeRotation(membership, key, membership.recipientsAfter(deed), before, random)
  }

  /**
   * What whichever admin's installation is there first sees to (MEM3): an invitation that has expired is withdrawn, and a new key
   * follows whoever left who knows it.
   */
  async #tidy(): Promise<void> {
    const next = (): Deed | undefined => {
      if (this.#parts.local.role !== 'admin') return undefined
      const nowMs = this.#parts.sync!.now()
      const expired = this.#membership.invitations.find(({ expiresMs }) => expiresMs <= nowMs)
      if (expired !== undefined) return { kind: 'withdraw', invitation: expired.key }
      if (!this.#membership.needsRotation) return undefined
      return { kind: 'rotate', rotation: this.#rotation(this.#membership, { kind: 'rotate' }) }
    }
    if (this.#isTidying) return
    this.#isTidying = true
    try {
      while (next() !== undefined) {
        await this.#change(() => {
          const deed = next()
          if (deed === undefined) throw new DriftlogError('MEMBERS_REFUSED', 'somebody else did it')
          return deed
        })
      }
    } catch (error) {
      // It is tried again when both sides have the same log the next time; a failure that is none of the catalogue's is a bug.
      if (!(error instanceof DriftlogError)) throw error
    } finally {
      this.#isTidying = false
    }
  }

  #read(): MemberList {
    const { local } = this.#parts
    const { membership } = local
    const ownKey = local.secrets?.signing.publicKey
    const own = ownKey && membership.installation(ownKey)
    const infoOf = (installation: Installation): InstallationInfo => ({
      id: toBase64Url(installation.key),
      isThis: own !== undefined && installation.key === own.key,
      isRetired: installation.isRetired,
    })
    return {
      role: local.role,
      history: membership.history,
      members: membership.members().flatMap(({ id, role, installations }): MemberInfo[] => {
        const active = installations.filter(({ until }) => until === undefined).map(infoOf)
        return role === undefined ? [] : [{ id, role, isMe: own?.member === id, installations: active }]
      }),
      invitations: membership.invitations.map(({ key, role, member, expiresMs }) => ({
        id: toBase64Url(key),
        role,
        member,
        expires: new Date(expiresMs),
      })),
    }
  }
}
