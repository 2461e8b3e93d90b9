/**
 * An entry of the log of members: one deed, signed by the installation that did it, chained to the entry before by its hash (SPEC
 * MEM1). The server puts entries into order and reads them; nothing in them is secret but what is sealed.
 *
 *     entry = "DLM" | format | space | position | hash of the entry before (32; zeros at position 1)
 *           | author (32) | at (ms since the Unix epoch, as its author says) | deed | signature (64) over a domain and all before it
 */
import { ByteReader, ByteWriter, malformed } from '../codec/bytes.ts'
import { hash, HASH_BYTES, PUBLIC_KEY_BYTES, sign, type SigningKeys, verify } from '../crypto/sodium.ts'
import { DriftlogError } from '../errors.ts'
import type { PublicKeys } from './secrets.ts'

export const ENTRY_FORMAT = 1
/** A rotation of the largest space fits. */
export const MAX_ENTRY_BYTES = 1_000_000
export const MEMBER_ID_BYTES = 16

export type Role = 'reader' | 'writer' | 'admin'

/** Whether what is below a base is kept, or pruned once everybody is above it (CUT11). */
export type History = 'keep' | 'prune'

/** A new key epoch: its key, sealed to everyone who is to have it. */
export interface Rotation {
  readonly epoch: number
  /** `keyCommitment` of its key. */
  readonly commitment: Uint8Array
  /** The key before (the newest that who rotates has), encrypted with this one; empty in the first epoch. */
  readonly previous: Uint8Array
  /** To each of `Membership.recipients` as they are after the entry, in their order. */
  readonly sealed: readonly Uint8Array[]
}

export type Deed =
  /** Begins the space: position 1, by its first admin. */
  | { readonly kind: 'found'; readonly keys: PublicKeys; readonly rotation: Rotation }
  /** `keys`: of the link. `member`: whose installation it is to become; undefined for a new member. */
  | {
      readonly kind: 'invite'
      readonly keys: PublicKeys
      readonly role: Role
      readonly member: string | undefined
      /** Ms since the Unix epoch: after it the server takes no join by it. */
      readonly expiresMs: number
      readonly sealed: Uint8Array
    }
  | { readonly kind: 'withdraw'; readonly invitation: Uint8Array }
  /** By the new installation. `proof`: the invitation's signature over it. `sealed`: the key, for its own later use. */
  | {
      readonly kind: 'join'
      readonly keys: PublicKeys
      readonly invitation: Uint8Array
      readonly proof: Uint8Array
      readonly sealed: Uint8Array
    }
  /** Takes in an installation whose keys are known: no link goes anywhere. */
  | {
      readonly kind: 'admit'
      readonly keys: PublicKeys
      readonly role: Role
      readonly member: string | undefined
      readonly sealed: Uint8Array
    }
  | { readonly kind: 'role'; readonly member: string; readonly role: Role }
  /** `rotation`: there unless a member leaves by itself. */
  | { readonly kind: 'remove'; readonly member: string; readonly rotation: Rotation | undefined }
  /** Of one installation, for good. */
  | { readonly kind: 'revoke'; readonly installation: Uint8Array; readonly rotation: Rotation }
  | { readonly kind: 'rotate'; readonly rotation: Rotation }
  /** Cuts do not wait for this installation any more (CUT2), or do again. It stays what it is otherwise. */
  | { readonly kind: 'retire'; readonly installation: Uint8Array }
  | { readonly kind: 'return'; readonly installation: Uint8Array }
  | { readonly kind: 'history'; readonly history: History }

type Outline<D> = D extends Deed ? Omit<D, 'rotation'> : never

/** A deed for which the next key is still to be made. */
export type DeedOutline = Outline<Deed>

export interface Entry {
  readonly space: string
  readonly position: number
  readonly before: Uint8Array
  readonly author: Uint8Array
  readonly atMs: number
  readonly deed: Deed
}

const text = new TextEncoder()
const entryDomain = text.encode('driftlog/members/entry/1')
const joinDomain = text.encode('driftlog/members/join/1')
const hashDomain = text.encode('driftlog/members/hash/1')
const MAGIC = [0x44, 0x4c, 0x4d]
const SIGNATURE_BYTES = 64

/** Whether bytes say that they are an entry. */
export const isEntry = (bytes: Uint8Array): boolean => MAGIC.every((byte, index) => bytes[index] === byte)

export const START_HASH = new Uint8Array(HASH_BYTES)

export const entryHash = (bytes: Uint8Array): Uint8Array =>
  hash(new ByteWriter(bytes.length + 64).bytes(hashDomain).raw(bytes).finish())

const kinds = [
  'found',
  'invite',
  'withdraw',
  'join',
  'admit',
  'role',
  'remove',
  'revoke',
  'rotate',
  'retire',
  'return',
  'history',
] as const satisfies readonly Deed['kind'][]
const histories = ['keep', 'prune'] as const satisfies readonly History[]
const roles = ['reader', 'writer', 'admin'] as const satisfies readonly Role[]

const signed = (bytes: Uint8Array): Uint8Array =>
  new ByteWriter(bytes.length + 64).bytes(entryDomain).raw(bytes).finish()

/** What an invitation signs to let an installation in. */
const joining = (space: string, { key, sealingKey }: PublicKeys): Uint8Array =>
  new ByteWriter(160).bytes(joinDomain).string(space).raw(key).raw(sealingKey).finish()

export const signJoin = (space: string, keys: PublicKeys, invitation: SigningKeys): Uint8Array =>
  sign(joining(space, keys), invitation)

export const isJoinProof = (space: string, { keys, invitation, proof }: Deed & { kind: 'join' }): boolean =>
  verify(proof, joining(space, keys), invitation)

/** `author` in the entry is the public key of `keys`. */
export const encodeEntry = (entry: Omit<Entry, 'author'>, keys: SigningKeys): Uint8Array => {
  const writer = new ByteWriter(512)
  for (const byte of MAGIC) writer.byte(byte)
  writer.varint(ENTRY_FORMAT).string(entry.space).varint(entry.position).raw(entry.before)
  writer.raw(keys.publicKey).varint(entry.atMs)
  writeDeed(writer, entry.deed)
  const bytes = writer.finish()
  return new ByteWriter(bytes.length + SIGNATURE_BYTES)
    .raw(bytes)
    .raw(sign(signed(bytes), keys))
    .finish()
}

/** Checks shape and signature. Throws MALFORMED, TOO_LARGE, FORMAT_UNKNOWN or SIGNATURE_INVALID. */
export const decodeEntry = (bytes: Uint8Array): Entry => {
  const { entry, signedBytes, signature } = readEntry(bytes)
  if (!verify(signature, signed(signedBytes), entry.author)) {
    throw new DriftlogError('SIGNATURE_INVALID', 'an entry of the log of members', { position: entry.position })
  }
  return entry
}

/** The same without the signature: for what was checked before, and is known again by its hash. */
export const readEntry = (
  bytes: Uint8Array,
): { readonly entry: Entry; readonly signedBytes: Uint8Array; readonly signature: Uint8Array } => {
  if (bytes.length > MAX_ENTRY_BYTES) {
    throw new DriftlogError('TOO_LARGE', 'an entry', { bytes: bytes.length, limit: MAX_ENTRY_BYTES })
  }
  const reader = new ByteReader(bytes)
  for (const byte of MAGIC) if (reader.byte() !== byte) throw malformed('not an entry')
  const format = reader.varint()
  if (format !== ENTRY_FORMAT) throw new DriftlogError('FORMAT_UNKNOWN', 'an entry of the log of members', { format })
  const space = reader.string()
  const position = reader.varint()
  const before = reader.raw(HASH_BYTES)
  const author = reader.raw(PUBLIC_KEY_BYTES)
  const atMs = reader.varint()
  const deed = readDeed(reader)
  const signedBytes = bytes.subarray(0, reader.position)
  const signature = reader.raw(SIGNATURE_BYTES)
  reader.expectEnd()
  return { entry: { space, position, before, author, atMs, deed }, signedBytes, signature }
}

const writeKeys = (writer: ByteWriter, { key, sealingKey }: PublicKeys): void => {
  writer.raw(key).raw(sealingKey)
}

const readKeys = (reader: ByteReader): PublicKeys => ({
  key: reader.raw(PUBLIC_KEY_BYTES),
  sealingKey: reader.raw(PUBLIC_KEY_BYTES),
})

const writeRotation = (writer: ByteWriter, { epoch, commitment, previous, sealed }: Rotation): void => {
  writer.varint(epoch).raw(commitment).bytes(previous).varint(sealed.length)
  for (const box of sealed) writer.bytes(box)
}

const readRotation = (reader: ByteReader): Rotation => {
  const epoch = reader.varint()
  const commitment = reader.raw(HASH_BYTES)
  const previous = reader.bytes()
  const sealed: Uint8Array[] = []
  for (let left = reader.count(); left > 0; left--) sealed.push(reader.bytes())
  return { epoch, commitment, previous, sealed }
}

const writeDeed = (writer: ByteWriter, deed: Deed): void => {
  writer.byte(kinds.indexOf(deed.kind))
  switch (deed.kind) {
    case 'found':
      writeKeys(writer, deed.keys)
      writeRotation(writer, deed.rotation)
      break
    case 'invite':
      writeKeys(writer, deed.keys)
      writer
        .byte(roles.indexOf(deed.role))
        .string(deed.member ?? '')
        .varint(deed.expiresMs)
        .bytes(deed.sealed)
      break
    case 'admit':
      writeKeys(writer, deed.keys)
      writer
        .byte(roles.indexOf(deed.role))
        .string(deed.member ?? '')
        .bytes(deed.sealed)
      break
    case 'join':
      writeKeys(writer, deed.keys)
      writer.raw(deed.invitation).raw(deed.proof).bytes(deed.sealed)
      break
    case 'withdraw':
      writer.raw(deed.invitation)
      break
    case 'role':
      writer.string(deed.member).byte(roles.indexOf(deed.role))
      break
    case 'remove':
      writer.string(deed.member).byte(deed.rotation === undefined ? 0 : 1)
      if (deed.rotation !== undefined) writeRotation(writer, deed.rotation)
      break
    case 'revoke':
      writer.raw(deed.installation)
      writeRotation(writer, deed.rotation)
      break
    case 'rotate':
      writeRotation(writer, deed.rotation)
      break
    case 'retire':
    case 'return':
      writer.raw(deed.installation)
      break
    case 'history':
      writer.byte(histories.indexOf(deed.history))
      break
  }
}

const readRole = (reader: ByteReader): Role => {
  const role = roles[reader.byte()]
  if (role === undefined) throw malformed('role')
  return role
}

const readMember = (reader: ByteReader): string | undefined => {
  const member = reader.string()
  return member === '' ? undefined : member
}

const readDeed = (reader: ByteReader): Deed => {
  const kind = kinds[reader.byte()]
  switch (kind) {
    case 'found':
      return { kind, keys: readKeys(reader), rotation: readRotation(reader) }
    case 'invite': {
      const keys = readKeys(reader)
      const role = readRole(reader)
      const member = readMember(reader)
      return { kind, keys, role, member, expiresMs: reader.varint(), sealed: reader.bytes() }
    }
    case 'admit': {
      const keys = readKeys(reader)
      const role = readRole(reader)
      return { kind, keys, role, member: readMember(reader), sealed: reader.bytes() }
    }
    case 'join': {
      const keys = readKeys(reader)
      const invitation = reader.raw(PUBLIC_KEY_BYTES)
      return { kind, keys, invitation, proof: reader.raw(SIGNATURE_BYTES), sealed: reader.bytes() }
    }
    case 'withdraw':
      return { kind, invitation: reader.raw(PUBLIC_KEY_BYTES) }
    case 'role':
      return { kind, member: reader.string(), role: readRole(reader) }
    case 'remove': {
      const member = reader.string()
      const flag = reader.byte()
      if (flag > 1) throw malformed('rotation')
      return { kind, member, rotation: flag === 0 ? undefined : readRotation(reader) }
    }
    case 'revoke':
      return { kind, installation: reader.raw(PUBLIC_KEY_BYTES), rotation: readRotation(reader) }
    case 'rotate':
      return { kind, rotation: readRotation(reader) }
    case 'retire':
    case 'return':
      return { kind, installation: reader.raw(PUBLIC_KEY_BYTES) }
    case 'history': {
      const history = histories[reader.byte()]
      if (history === undefined) throw malformed('history')
      return { kind, history }
    }
    case undefined:
      throw malformed('a deed that is not known')
  }
}
