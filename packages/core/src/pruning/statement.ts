/**
 * What an installation states about pruning (SPEC PRUNE), signed. Who has the statements of a space judges them by `Pruning`.
 *
 *     statement = "DLS" | format | space | author (32) | number | kind | what it states | signature (64) over a domain and all before it
 *
 * Nothing in it is secret: a server reads stamps, branches and digests, as it reads headers.
 */
import { type DeviceId, deviceIdFromBytes, deviceIdToBytes } from '../clock/dot.ts'
import type { Hlc } from '../clock/hlc.ts'
import { decodeVector, encodeVector, type VersionVector } from '../clock/version-vector.ts'
import { ByteReader, ByteWriter, malformed } from '../codec/bytes.ts'
import { hash, HASH_BYTES, PUBLIC_KEY_BYTES, sign, type SigningKeys, verify } from '../crypto/sodium.ts'
import { DriftlogError } from '../errors.ts'
import { TAG_BYTES } from '../log/batch.ts'
import type { PrunePoint } from '../log/batch-store.ts'

/** A base with a point for each of 10,000 branches fits. */
export const MAX_STATEMENT_BYTES = 900_000

/** What a base is, for who gets it: see `FoldedBase`. */
export interface BaseOutline {
  /** Hash of the round's statement. */
  readonly round: Uint8Array
  readonly cut: Hlc
  readonly vector: VersionVector
  readonly digest: Uint8Array
  readonly bytes: number
  /** How it lies at the server: see `sealBase`. */
  readonly epoch: number
  readonly chunks: number
  /** Everything up to there in the server's order of arrival is within the vector. */
  readonly position: number
  /** Up to where the branches are pruned, each at the end of a batch. */
  readonly points: readonly PrunePoint[]
}

export type Stated =
  /** Everything that its author holds is at the server, and nothing that it comes to write is stamped up to `stamp`. */
  | { readonly kind: 'promise'; readonly stamp: Hlc }
  /** All who are counted at a position of the log of members have promised at least `cut`. */
  | { readonly kind: 'round'; readonly cut: Hlc; readonly members: number; readonly counted: readonly Uint8Array[] }
  /** Everything up to the round's position is projected, and all that its author holds is at the server again. */
  | { readonly kind: 'completion'; readonly round: Uint8Array }
  | ({ readonly kind: 'base' } & BaseOutline)
  /** Its author folded the same bytes. `base`: hash of that statement. */
  | { readonly kind: 'confirmation'; readonly base: Uint8Array }
  /** Its author folded other bytes, of this digest. */
  | { readonly kind: 'dispute'; readonly base: Uint8Array; readonly digest: Uint8Array }

export interface Statement<S extends Stated = Stated> {
  readonly space: string
  readonly author: Uint8Array
  /** Rises with everything that the author states. */
  readonly number: number
  readonly stated: S
}

const text = new TextEncoder()
const domain = text.encode('driftlog/pruning/statement/1')
const hashDomain = text.encode('driftlog/pruning/hash/1')
const MAGIC = [0x44, 0x4c, 0x53]
const FORMAT = 1
const SIGNATURE_BYTES = 64

const kinds = [
  'promise',
  'round',
  'completion',
  'base',
  'confirmation',
  'dispute',
] as const satisfies readonly Stated['kind'][]

const signed = (bytes: Uint8Array): Uint8Array => new ByteWriter(bytes.length + 64).bytes(domain).raw(bytes).finish()

export const statementHash = (bytes: Uint8Array): Uint8Array =>
  hash(new ByteWriter(bytes.length + 64).bytes(hashDomain).raw(bytes).finish())

export const encodeStatement = (space: string, number: number, stated: Stated, keys: SigningKeys): Uint8Array => {
  const writer = new ByteWriter(512)
  for (const byte of MAGIC) writer.byte(byte)
  writer.varint(FORMAT).string(space).raw(keys.publicKey).varint(number).byte(kinds.indexOf(stated.kind))
  write(writer, stated)
  const bytes = writer.finish()
  return new ByteWriter(bytes.length + SIGNATURE_BYTES)
    .raw(bytes)
    .raw(sign(signed(bytes), keys))
    .finish()
}

/** Checks shape and signature. Throws MALFORMED, TOO_LARGE, FORMAT_UNKNOWN or SIGNATURE_INVALID. */
export const decodeStatement = (bytes: Uint8Array): Statement => {
  if (bytes.length > MAX_STATEMENT_BYTES) {
    throw new DriftlogError('TOO_LARGE', 'a statement', { bytes: bytes.length, limit: MAX_STATEMENT_BYTES })
  }
  const reader = new ByteReader(bytes)
  for (const byte of MAGIC) if (reader.byte() !== byte) throw malformed('not a statement')
  const format = reader.varint()
  if (format !== FORMAT) throw new DriftlogError('FORMAT_UNKNOWN', 'a statement about pruning', { format })
  const space = reader.string()
  const author = reader.raw(PUBLIC_KEY_BYTES).slice()
  const number = reader.varint()
  const stated = read(reader)
  const signedBytes = bytes.subarray(0, reader.position)
  const signature = reader.raw(SIGNATURE_BYTES)
  reader.expectEnd()
  if (!verify(signature, signed(signedBytes), author)) {
    throw new DriftlogError('SIGNATURE_INVALID', 'a statement about pruning')
  }
  return { space, author, number, stated }
}

const write = (writer: ByteWriter, stated: Stated): void => {
  switch (stated.kind) {
    case 'promise':
      writer.varint(stated.stamp)
      break
    case 'round':
      writer.varint(stated.cut).varint(stated.members).varint(stated.counted.length)
      for (const key of stated.counted) writer.raw(key)
      break
    case 'completion':
      writer.raw(stated.round)
      break
    case 'base': {
      const { round, cut, vector, digest, bytes, epoch, chunks, position, points } = stated
      writer.raw(round).varint(cut).bytes(encodeVector(vector)).raw(digest)
      writer.varint(bytes).varint(epoch).varint(chunks).varint(position).varint(points.length)
      for (const { branch, seq, tag } of points) writer.raw(deviceIdToBytes(branch)).varint(seq).raw(tag)
      break
    }
    case 'confirmation':
      writer.raw(stated.base)
      break
    case 'dispute':
      writer.raw(stated.base).raw(stated.digest)
      break
  }
}

const read = (reader: ByteReader): Stated => {
  const kind = kinds[reader.byte()]
  const digest = (): Uint8Array => reader.raw(HASH_BYTES).slice()
  switch (kind) {
    case 'promise':
      return { kind, stamp: reader.varint() }
    case 'round': {
      const cut = reader.varint()
      const members = reader.varint()
      const counted = Array.from({ length: reader.count(PUBLIC_KEY_BYTES) }, () => reader.raw(PUBLIC_KEY_BYTES).slice())
      return { kind, cut, members, counted }
    }
    case 'completion':
      return { kind, round: digest() }
    case 'base': {
      const head = {
        kind,
        round: digest(),
        cut: reader.varint(),
        vector: decodeVector(reader.bytes()),
        digest: digest(),
      }
      const size = {
        bytes: reader.varint(),
        epoch: reader.varint(),
        chunks: reader.varint(),
        position: reader.varint(),
      }
      const points = Array.from({ length: reader.count(DEVICE_BYTES + TAG_BYTES) }, () => readPoint(reader))
      return { ...head, ...size, points }
    }
    case 'confirmation':
      return { kind, base: digest() }
    case 'dispute':
      return { kind, base: digest(), digest: digest() }
    case undefined:
      throw malformed('a statement that is not known')
  }
}

const DEVICE_BYTES = 16

const readPoint = (reader: ByteReader): PrunePoint => {
  const branch: DeviceId = deviceIdFromBytes(reader.raw(DEVICE_BYTES))
  return { branch, seq: reader.varint(), tag: reader.raw(TAG_BYTES).slice() }
}
