/**
 * The log of members of one space, and what follows from it: who may do what, at every position of it (SPEC MEM).
 *
 *     found ─▶ invite, admit ─▶ join ─▶ role ─▶ remove, revoke, rotate …        position 1, 2, 3 …
 *
 * Every replica and the server judge entries by this code alone: one that is not allowed where it would stand is refused whole,
 * so each log that somebody holds is a right one. Time decides nothing here: whether an invitation has expired is judged by the
 * server that puts entries into order.
 */
import { ByteWriter, equalBytes, toBase64Url } from '../codec/bytes.ts'
import { CIPHER_OVERHEAD_BYTES } from '../crypto/cipher.ts'
import { hash, isSealingKey, SEALED_OVERHEAD_BYTES } from '../crypto/sodium.ts'
import { DriftlogError } from '../errors.ts'
import {
  decodeEntry,
  type Deed,
  type DeedOutline,
  type Entry,
  entryHash,
  type History,
  isJoinProof,
  MEMBER_ID_BYTES,
  readEntry,
  type Role,
  type Rotation,
  START_HASH,
} from './entry.ts'
import type { PublicKeys } from './secrets.ts'

/** Installations and open invitations of one space: a rotation seals to each, and fits an entry. */
export const MAX_RECIPIENTS = 10_000
/** Of one member who is no admin, so that nobody else's room is taken. */
export const MAX_OWN_RECIPIENTS = 100

const EPOCH_KEY_BYTES = 32
const BOX_BYTES = EPOCH_KEY_BYTES + SEALED_OVERHEAD_BYTES
const PREVIOUS_BYTES = EPOCH_KEY_BYTES + CIPHER_OVERHEAD_BYTES

export interface Installation extends PublicKeys {
  readonly member: string
  /** The position from which on it is one. */
  readonly since: number
  /** The position from which on it is not any more. */
  readonly until: number | undefined
  /** Cuts do not wait for it (CUT2). */
  readonly isRetired: boolean
}

export interface Invitation extends PublicKeys {
  readonly role: Role
  /** Whose installation it lets in; undefined: a new member. */
  readonly member: string | undefined
  readonly expiresMs: number
  /** Installation that made it. */
  readonly author: Uint8Array
  readonly position: number
}

export interface Member {
  readonly id: string
  /** undefined: removed. */
  readonly role: Role | undefined
  readonly since: number
  readonly installations: readonly Installation[]
}

interface MemberState {
  readonly id: string
  readonly since: number
  /** From each position on; rising. */
  readonly roles: { readonly from: number; readonly role: Role | undefined }[]
}

type InstallationState = { -readonly [Key in keyof Installation]: Installation[Key] }

interface SealedKey {
  readonly epoch: number
  readonly box: Uint8Array
}

const text = new TextEncoder()
const memberDomain = text.encode('driftlog/member/1')

/** The id of a member is that of its first installation's key. */
export const memberIdOf = (key: Uint8Array): string =>
  toBase64Url(hash(new ByteWriter(64).bytes(memberDomain).raw(key).finish(), MEMBER_ID_BYTES))

const named = (key: Uint8Array): string => toBase64Url(key)

export class Membership {
  readonly space: string
  readonly #entries: Uint8Array[] = []
  readonly #hashes: Uint8Array[] = []
  /** In order of entering; those that were revoked stay. */
  readonly #installations = new Map<string, InstallationState>()
  readonly #members = new Map<string, MemberState>()
  /** Those that are open, in order. */
  readonly #invitations = new Map<string, Invitation>()
  /** By epoch - 1. */
  readonly #epochs: Pick<Rotation, 'commitment' | 'previous'>[] = []
  /** The newest key, sealed to each who has it. */
  readonly #sealed = new Map<string, SealedKey>()
  #needsRotation = false
  #history: History = 'keep'

  constructor(space: string) {
    this.space = space
  }

  /** How many entries there are, and so the position of the last one. */
  get length(): number {
    return this.#entries.length
  }

  /** The hash of the last entry; zeros where there is none. */
  get head(): Uint8Array {
    return this.hashAt(this.length)
  }

  /** Of the entry at a position, 1 to `length`; zeros at 0. */
  hashAt(position: number): Uint8Array {
    return position === 0 ? START_HASH : this.#hashes[position - 1]
  }

  /** Entries after a position, as they came. */
  entriesAfter(position: number, limit = Number.POSITIVE_INFINITY): readonly Uint8Array[] {
    return this.#entries.slice(position, position + limit)
  }

  /** The newest key epoch; 0 before the space is founded. */
  get epoch(): number {
    return this.#epochs.length
  }

  /** Somebody left who knows the newest key, or may: whoever had a link that was withdrawn. */
  get needsRotation(): boolean {
    return this.#needsRotation
  }

  /** Whether the space prunes its history. */
  get history(): History {
    return this.#history
  }

  /** CUT2: those that pruning waits for, in order of entering. */
  counted(): Installation[] {
    return this.#active().filter(({ isRetired }) => !isRetired)
  }

  /** What rotations said of an epoch. */
  epochAt(epoch: number): Pick<Rotation, 'commitment' | 'previous'> | undefined {
    return this.#epochs[epoch - 1]
  }

  /** The newest key, sealed to an installation or invitation that is to have it. */
  sealedFor(key: Uint8Array): SealedKey | undefined {
    return this.#sealed.get(named(key))
  }

  installation(key: Uint8Array): Installation | undefined {
    return this.#installations.get(named(key))
  }

  invitation(key: Uint8Array): Invitation | undefined {
    return this.#invitations.get(named(key))
  }

  get invitations(): readonly Invitation[] {
    return [...this.#invitations.values()]
  }

  /** In order of entering, those that were removed included. */
  members(): Member[] {
    const installations = new Map<string, Installation[]>()
    for (const installation of this.#installations.values()) {
      const list = installations.get(installation.member)
      if (list === undefined) installations.set(installation.member, [{ ...installation }])
      else list.push({ ...installation })
    }
    return [...this.#members.values()].map(({ id, since, roles }) => ({
      id,
      since,
      role: roles.at(-1)?.role,
      installations: installations.get(id) ?? [],
    }))
  }

  /** What an installation may do as of a position; undefined where it is no member's there. */
  roleAt(installation: Uint8Array, position: number): Role | undefined {
    const known = this.#installations.get(named(installation))
    if (known === undefined || position < known.since) return undefined
    if (known.until !== undefined && position >= known.until) return undefined
    return this.#members.get(known.member)?.roles.findLast(({ from }) => from <= position)?.role
  }

  /** The same as of now. */
  roleOf(installation: Uint8Array): Role | undefined {
    return this.roleAt(installation, this.length)
  }

  /** Who is to have the next key, if this were done: installations in order of entering, then open invitations. */
  recipientsAfter(deed: DeedOutline): PublicKeys[] {
    const isOut = this.#leaving(deed)
    const installations = this.#active().filter(({ key }) => !isOut.installation(key))
    return [...installations, ...this.invitations.filter((invitation) => !isOut.invitation(invitation))]
  }

  /** Takes in the next entry. Throws what `judge` throws, and then nothing has changed. `isChecked`: its signature, before. */
  append(bytes: Uint8Array, isChecked = false): Entry {
    // A copy: what is kept are views into it.
    const own = bytes.slice()
    const entry = this.judge(own, isChecked)
    this.#entries.push(own)
    this.#hashes.push(entryHash(own))
    this.#apply(entry)
    return entry
  }

  /** Throws MALFORMED, TOO_LARGE, FORMAT_UNKNOWN, SIGNATURE_INVALID, or MEMBERS_REFUSED { why }. */
  judge(bytes: Uint8Array, isChecked = false): Entry {
    const entry = isChecked ? readEntry(bytes).entry : decodeEntry(bytes)
    if (entry.space !== this.space) throw refused('of another space', entry)
    if (entry.position !== this.length + 1 || !equalBytes(entry.before, this.head)) {
      throw refused('it does not come next', entry)
    }
    const why = this.#objection(entry)
    if (why !== undefined) throw refused(why, entry)
    return entry
  }

  /** Why an entry is not allowed; undefined where it is. */
  #objection({ author, deed, position }: Entry): string | undefined {
    if ((deed.kind === 'found') !== (position === 1)) return 'a space is founded once, and first'
    if (deed.kind === 'found') {
      if (!equalBytes(author, deed.keys.key)) return 'not signed by who it is about'
      if (!isSealingKey(deed.keys.sealingKey)) return 'nothing can be sealed to its key'
      return this.#rotationObjection(deed.rotation, [deed.keys])
    }
    if (deed.kind === 'join') return this.#joinObjection(author, deed)
    const by = this.#installations.get(named(author))
    const role = this.roleOf(author)
    if (by === undefined || role === undefined) return 'not by a member'
    const isAdmin = role === 'admin'
    switch (deed.kind) {
      case 'invite':
      case 'admit': {
        if (!isAdmin && deed.member !== by.member) return 'only an admin lets others in'
        if (deed.member !== undefined && this.#roleOfMember(deed.member) === undefined) return 'no such member'
        if (this.#isKnown(deed.keys.key)) return 'the key is in use'
        if (!isSealingKey(deed.keys.sealingKey)) return 'nothing can be sealed to its key'
        if (deed.sealed.length !== BOX_BYTES) return 'no sealed key'
        if (!isAdmin && this.#countOf(by.member) >= MAX_OWN_RECIPIENTS) return 'too many installations of one member'
        return this.#active().length + this.#invitations.size < MAX_RECIPIENTS ? undefined : 'too many members'
      }
      case 'withdraw': {
        const invitation = this.#invitations.get(named(deed.invitation))
        if (invitation === undefined) return 'no such invitation'
        return isAdmin || this.#memberOf(invitation.author) === by.member ? undefined : 'only an admin'
      }
      case 'role': {
        if (!isAdmin) return 'only an admin'
        const before = this.#roleOfMember(deed.member)
        if (before === undefined) return 'no such member'
        return before === 'admin' && deed.role !== 'admin' && this.#admins().length === 1 ? 'the last admin' : undefined
      }
      case 'remove': {
        if (this.#roleOfMember(deed.member) === undefined) return 'no such member'
        if (!isAdmin && deed.member !== by.member) return 'only an admin'
        if (this.#admins().every(({ id }) => id === deed.member)) return 'the last admin'
        // Who leaves would know the next key.
        if ((deed.rotation === undefined) !== (deed.member === by.member)) return 'a new key unless somebody leaves'
        return deed.rotation && this.#rotationObjection(deed.rotation, this.recipientsAfter(deed))
      }
      case 'revoke': {
        const target = this.#installations.get(named(deed.installation))
        if (target === undefined || target.until !== undefined) return 'no such installation'
        if (!isAdmin && target.member !== by.member) return 'only an admin'
        if (equalBytes(author, deed.installation)) return 'not by itself: it would know the next key'
        const left = this.#active().filter(({ key }) => !equalBytes(key, deed.installation))
        if (!left.some(({ member }) => this.#roleOfMember(member) === 'admin')) return 'the last of the last admin'
        return this.#rotationObjection(deed.rotation, this.recipientsAfter(deed))
      }
      case 'rotate':
        return isAdmin ? this.#rotationObjection(deed.rotation, this.recipientsAfter(deed)) : 'only an admin'
      case 'retire':
      case 'return': {
        const target = this.#installations.get(named(deed.installation))
        if (target === undefined || target.until !== undefined) return 'no such installation'
        if (!isAdmin && target.member !== by.member) return 'only an admin'
        return target.isRetired === (deed.kind === 'retire') ? 'it is so already' : undefined
      }
      case 'history':
        if (!isAdmin) return 'only an admin'
        return deed.history === this.#history ? 'it is so already' : undefined
    }
  }

  #joinObjection(author: Uint8Array, deed: Deed & { kind: 'join' }): string | undefined {
    if (!equalBytes(author, deed.keys.key)) return 'not signed by who it is about'
    const invitation = this.#invitations.get(named(deed.invitation))
    if (invitation === undefined) return 'no such invitation'
    if (this.#isKnown(deed.keys.key)) return 'the key is in use'
    if (!isSealingKey(deed.keys.sealingKey)) return 'nothing can be sealed to its key'
    if (deed.sealed.length !== BOX_BYTES) return 'no sealed key'
    return isJoinProof(this.space, deed) ? undefined : 'not let in by the invitation'
  }

  #rotationObjection(rotation: Rotation, recipients: readonly PublicKeys[]): string | undefined {
    const { epoch, previous, sealed } = rotation
    if (epoch !== this.epoch + 1) return 'not the next epoch'
    if (previous.length !== (epoch === 1 ? 0 : PREVIOUS_BYTES)) return 'no key before'
    if (sealed.length !== recipients.length) return 'not sealed to all, or to others'
    return sealed.every((box) => box.length === BOX_BYTES) ? undefined : 'no sealed key'
  }

  #apply({ author, deed, position }: Entry): void {
    const recipients = this.recipientsAfter(deed)
    const isOut = this.#leaving(deed)
    for (const [name, invitation] of this.#invitations) {
      if (!isOut.invitation(invitation)) continue
      this.#invitations.delete(name)
      this.#sealed.delete(name)
      this.#needsRotation = true
    }
    for (const [name, installation] of this.#installations) {
      if (installation.until !== undefined || !isOut.installation(installation.key)) continue
      installation.until = position
      this.#sealed.delete(name)
    }
    switch (deed.kind) {
      case 'found':
        this.#enter(deed.keys, undefined, 'admin', position)
        this.#rotate(deed.rotation, [deed.keys])
        break
      case 'invite': {
        const { keys, role, member, expiresMs, sealed } = deed
        this.#invitations.set(named(keys.key), { ...keys, role, member, expiresMs, author, position })
        this.#sealed.set(named(keys.key), { epoch: this.epoch, box: sealed })
        break
      }
      case 'join': {
        const { role, member } = this.#invitations.get(named(deed.invitation))!
        this.#invitations.delete(named(deed.invitation))
        this.#sealed.delete(named(deed.invitation))
        this.#enter(deed.keys, member, role, position)
        this.#sealed.set(named(deed.keys.key), { epoch: this.epoch, box: deed.sealed })
        break
      }
      case 'admit':
        this.#enter(deed.keys, deed.member, deed.role, position)
        this.#sealed.set(named(deed.keys.key), { epoch: this.epoch, box: deed.sealed })
        break
      case 'role':
        this.#members.get(deed.member)!.roles.push({ from: position, role: deed.role })
        break
      case 'remove':
        this.#members.get(deed.member)!.roles.push({ from: position, role: undefined })
        this.#needsRotation = true
        if (deed.rotation !== undefined) this.#rotate(deed.rotation, recipients)
        break
      case 'revoke':
      case 'rotate':
        this.#rotate(deed.rotation, recipients)
        break
      case 'retire':
      case 'return':
        this.#installations.get(named(deed.installation))!.isRetired = deed.kind === 'retire'
        break
      case 'history':
        this.#history = deed.history
        break
      case 'withdraw':
        break
    }
  }

  #enter({ key, sealingKey }: PublicKeys, member: string | undefined, role: Role, position: number): void {
    const id = member ?? memberIdOf(key)
    if (member === undefined) this.#members.set(id, { id, since: position, roles: [{ from: position, role }] })
    const state = { key, sealingKey, member: id, since: position, until: undefined, isRetired: false }
    this.#installations.set(named(key), state)
  }

  #rotate({ commitment, previous, epoch, sealed }: Rotation, recipients: readonly PublicKeys[]): void {
    this.#epochs.push({ commitment, previous })
    this.#needsRotation = false
    this.#sealed.clear()
    for (const [index, { key }] of recipients.entries()) this.#sealed.set(named(key), { epoch, box: sealed[index] })
  }

  /** Who and what goes with a deed. Who made a link knows its secret: so links of those who go, or may not invite any more, go too. */
  #leaving(deed: DeedOutline): { installation(key: Uint8Array): boolean; invitation(invitation: Invitation): boolean } {
    switch (deed.kind) {
      case 'remove': {
        const { member } = deed
        return {
          installation: (key) => this.#memberOf(key) === member,
          invitation: (invitation) => invitation.member === member || this.#memberOf(invitation.author) === member,
        }
      }
      case 'revoke':
        return {
          installation: (key) => equalBytes(key, deed.installation),
          invitation: ({ author }) => equalBytes(author, deed.installation),
        }
      case 'role':
        return {
          installation: () => false,
          invitation: ({ author, member }) =>
            deed.role !== 'admin' && this.#memberOf(author) === deed.member && member !== deed.member,
        }
      case 'withdraw':
        return { installation: () => false, invitation: ({ key }) => equalBytes(key, deed.invitation) }
      default:
        return { installation: () => false, invitation: () => false }
    }
  }

  #active(): InstallationState[] {
    return [...this.#installations.values()].filter(({ until }) => until === undefined)
  }

  /** The installations of a member, and the open invitations for more. */
  #countOf(member: string): number {
    const invited = this.invitations.filter((invitation) => invitation.member === member).length
    return invited + this.#active().filter((installation) => installation.member === member).length
  }

  #admins(): MemberState[] {
    const active = new Set(this.#active().map(({ member }) => member))
    return [...this.#members.values()].filter(({ id }) => active.has(id) && this.#roleOfMember(id) === 'admin')
  }

  #roleOfMember(id: string): Role | undefined {
    return this.#members.get(id)?.roles.at(-1)?.role
  }

  #memberOf(installation: Uint8Array): string | undefined {
    return this.#installations.get(named(installation))?.member
  }

  #isKnown(key: Uint8Array): boolean {
    return this.#installations.has(named(key)) || this.#invitations.has(named(key))
  }
}

const refused = (why: string, { position }: Entry): DriftlogError =>
  new DriftlogError('MEMBERS_REFUSED', why, { why, position })
