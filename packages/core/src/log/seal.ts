/**
 * Sealing runs into a batch and opening one again (SPEC ENV1). Nothing here touches a store or a clock.
 */
import type { DeviceId } from '../clock/dot.ts'
import { toCoarse } from '../clock/hlc.ts'
import { ByteReader, ByteWriter, createScratch, malformed } from '../codec/bytes.ts'
import { deflate, inflate } from '../codec/deflate.ts'
import { decrypt, encrypt, padded } from '../crypto/cipher.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { SigningKeys } from '../crypto/sodium.ts'
import { DriftlogError } from '../errors.ts'
import type { Randomness } from '../ports/ports.ts'
import type { Run } from '../op/run.ts'
import { decodeRun } from '../op/run-codec.ts'
import {
  assembleBatch,
  BATCH_FORMAT,
  type Batch,
  encodeHeader,
  FLAG_DEFLATE,
  type RunEnd,
  type Shift,
} from './batch.ts'
import { signBatch } from './signature.ts'

/** Bodies below this gain a few bytes by compression, and to begin it takes longer than to sign them. */
const COMPRESS_FROM_BYTES = 400
/** A body never inflates to more: the bound of a decompression bomb. Several times what is ever sealed. */
export const MAX_BODY_BYTES = 2 * 1024 * 1024

export interface SealedPart {
  readonly space: string
  readonly device: DeviceId
  readonly fromSeq: number
  readonly toSeq: number
  readonly maxHlc: number
  readonly tagBefore: Uint8Array
  readonly tagAfter: Uint8Array
  /** Of all runs but the last; none by default. */
  readonly innerEnds?: readonly RunEnd[]
  /** Of a first batch; none by default. */
  readonly shifts?: readonly Shift[]
  /** Of the device; put into the header of its first batch. */
  readonly certificate: Uint8Array
}

const scratch = createScratch()

/** With what a batch is sealed. */
export interface SealingKeys {
  /** The device's. */
  readonly keys: SigningKeys
  /** The space's: encrypted with the newest. */
  readonly keyring: Keyring
  readonly random: Randomness
}

/** `runs`: canonical bytes of consecutive runs, one more than `innerEnds`. Throws KEY_MISSING where the keyring is locked. */
export const sealBatch = (
  part: SealedPart,
  runs: readonly Uint8Array[],
  { keys, keyring, random }: SealingKeys,
): Batch => {
  if (keyring.isLocked) throw new DriftlogError('KEY_MISSING', 'to write', { space: part.space })
  const writer = scratch(runs.reduce((sum, run) => sum + run.length + 4, 8))
  writer.varint(runs.length)
  for (const run of runs) writer.bytes(run)
  const plain = writer.finish()
  const compressed = plain.length < COMPRESS_FROM_BYTES ? undefined : compress(plain)
  const packed = compressed ?? plain
  const headerBytes = encodeHeader({
    format: BATCH_FORMAT,
    space: part.space,
    device: part.device,
    fromSeq: part.fromSeq,
    toSeq: part.toSeq,
    coarseMaxHlc: toCoarse(part.maxHlc),
    keyEpoch: keyring.epoch,
    flags: compressed === undefined ? 0 : FLAG_DEFLATE,
    tagBefore: part.tagBefore,
    tagAfter: part.tagAfter,
    innerEnds: part.innerEnds ?? [],
    shifts: part.shifts ?? [],
    certificate: part.fromSeq === 1 ? part.certificate : undefined,
  })
  const body = keyring.isEncrypted ? encrypt(pad(packed), headerBytes, keyring.bodyKey(keyring.epoch), random) : packed
  return assembleBatch(headerBytes, body, signBatch(headerBytes, body, keys))
}

const pad = (packed: Uint8Array): Uint8Array => {
  const prefixed = new ByteWriter(packed.length + 8).bytes(packed).finish()
  const bytes = new Uint8Array(padded(prefixed.length))
  bytes.set(prefixed)
  return bytes
}

const unpad = (bytes: Uint8Array): Uint8Array => {
  const reader = new ByteReader(bytes)
  const packed = reader.bytes()
  if (bytes.length !== padded(reader.position)) throw malformed('padding')
  if (reader.raw(reader.remaining).some((byte) => byte !== 0)) throw malformed('padding')
  return packed
}

/** undefined where that would make it no shorter. */
const compress = (plain: Uint8Array): Uint8Array | undefined => {
  const deflated = deflate(plain)
  if (deflated.length + 4 >= plain.length) return undefined
  return new ByteWriter(deflated.length + 8).varint(plain.length).raw(deflated).finish()
}

const unpack = (packed: Uint8Array): Uint8Array => {
  const reader = new ByteReader(packed)
  const length = reader.varint()
  if (length > MAX_BODY_BYTES) throw new DriftlogError('TOO_LARGE', 'body', { bytes: length, limit: MAX_BODY_BYTES })
  try {
    return inflate(reader.raw(reader.remaining), length)
  } catch (cause) {
    if (cause instanceof DriftlogError) throw cause
    throw new DriftlogError('MALFORMED', 'body does not inflate', {}, { cause })
  }
}

/** A run and the canonical bytes that its chain hash covers. */
export interface OpenedRun {
  readonly run: Run
  readonly bytes: Uint8Array
  /** Keyed chain tags before and after it. */
  readonly tagBefore: Uint8Array
  readonly tagAfter: Uint8Array
}

const decryptBody = ({ header, headerBytes, body }: Batch, keyring: Keyring): Uint8Array => {
  const { keyEpoch } = header
  if (!keyring.isEncrypted) {
    if (keyEpoch > 0) throw new DriftlogError('KEY_MISSING', 'opened without a key', { epoch: keyEpoch })
    return body
  }
  // Otherwise whoever has no key could write.
  if (keyEpoch === 0) throw new DriftlogError('KEY_WRONG', 'not encrypted', { epoch: 0 })
  const plain = decrypt(body, headerBytes, keyring.bodyKey(keyEpoch))
  if (plain === 'wrong-key') throw new DriftlogError('KEY_WRONG', '', { epoch: keyEpoch })
  if (plain === 'damaged') throw malformed('an encrypted body')
  return unpad(plain)
}

/**
 * The runs of a batch, structurally checked against the header. Throws MALFORMED or TOO_LARGE, FORMAT_UNKNOWN where a newer
 * release wrote it, KEY_MISSING where its key is not in the keyring, and KEY_WRONG where it was not encrypted with that.
 */
export const openBatch = (batch: Batch, keyring: Keyring): OpenedRun[] => {
  const { header } = batch
  if (header.flags > FLAG_DEFLATE) throw new DriftlogError('FORMAT_UNKNOWN', 'batch flags', { flags: header.flags })
  const packed = decryptBody(batch, keyring)
  const reader = new ByteReader((header.flags & FLAG_DEFLATE) !== 0 ? unpack(packed) : packed)
  const opened: OpenedRun[] = []
  let nextSeq = header.fromSeq
  let maxHlc = 0
  let { tagBefore } = header
  const ends = [...header.innerEnds, { toSeq: header.toSeq, tag: header.tagAfter }]
  if (reader.count() !== ends.length) throw malformed('runs do not fill their batch')
  for (const { toSeq, tag: tagAfter } of ends) {
    const bytes = reader.bytes()
    const run = decodeRun(bytes, header.device, header.toSeq - nextSeq + 1)
    // Sealed anew it may be encrypted in a later epoch than it was written in.
    const isOfEpoch = run.keyEpoch <= header.keyEpoch && (run.keyEpoch === 0) === (header.keyEpoch === 0)
    if (run.fromSeq !== nextSeq || !isOfEpoch) throw malformed('run does not fit its batch')
    nextSeq += run.hlc.length
    maxHlc = Math.max(maxHlc, run.hlc[run.hlc.length - 1])
    if (nextSeq !== toSeq + 1) throw malformed('runs do not fill their batch')
    opened.push({ run, bytes, tagBefore, tagAfter })
    tagBefore = tagAfter
  }
  reader.expectEnd()
  if (toCoarse(maxHlc) > header.coarseMaxHlc) throw malformed('a stamp above the header’s')
  return opened
}
