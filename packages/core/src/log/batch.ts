/**
 * A batch: the envelope in which runs of one device's ops are stored and sent (SPEC ENV). Its plain header is
 * authenticated in full; its body is opaque to whoever only stores and forwards it.
 *
 *     batch   = length-prefixed header, then body, then signature (64 bytes)
 *     header  = "DLB" | format | space | device | fromSeq | toSeq | coarse maxHlc | key epoch | flags
 *               | tag before | ends of all runs but the last, each with its tag | tag after
 *               | shifts | certificate (both only where fromSeq = 1: the chain begins with them)
 *     body    = count, then runs, each length-prefixed; compressed if flag 1; if key epoch > 0 padded and encrypted,
 *               with the header as associated data (crypto/cipher)
 *
 * The signature is the device's, over a domain, the header and the body.
 */
import type { Hlc } from '../clock/hlc.ts'
import { DEVICE_ID_BYTES, type DeviceId, deviceIdFromBytes, deviceIdToBytes } from '../clock/dot.ts'
import { ByteReader, ByteWriter, malformed } from '../codec/bytes.ts'
import { chainStart, chainTag, tagKey, UNENCRYPTED_EPOCH_KEY } from '../crypto/chain.ts'
import { DriftlogError } from '../errors.ts'

export const BATCH_FORMAT = 1
export const TAG_BYTES = 16
export const SIGNATURE_BYTES = 64
/** The largest batch that is made, stored or accepted. */
export const MAX_BATCH_BYTES = 1_000_000
export const MAX_BATCH_OPS = 1_000

/** Each is a line that every reader keeps for ever. */
export const MAX_SHIFTS = 64

export const FLAG_DEFLATE = 1

/** Where a run ends, and the keyed chain tag there, 16 bytes. */
export interface RunEnd {
  readonly toSeq: number
  readonly tag: Uint8Array
}

/**
 * BR2: moves the effective stamps of a branch: of all that follows the run of `device` that starts above `base` and ends in
 * `firstTag`, that run included. Stated by whoever brings the branch in.
 */
export interface Shift {
  readonly device: DeviceId
  readonly base: number
  readonly firstTag: Uint8Array
  /** What is taken off each stamp. */
  readonly shift: Hlc
  /** No effective stamp is below it. */
  readonly floor: Hlc
}

export interface BatchHeader {
  readonly format: number
  readonly space: string
  readonly device: DeviceId
  readonly fromSeq: number
  readonly toSeq: number
  /** See `toCoarse` in clock/hlc. */
  readonly coarseMaxHlc: number
  /** 0: not encrypted. */
  readonly keyEpoch: number
  readonly flags: number
  /** Keyed chain tags before `fromSeq` and after `toSeq`, 16 bytes each. */
  readonly tagBefore: Uint8Array
  readonly tagAfter: Uint8Array
  /** Of all runs but the last, rising. */
  readonly innerEnds: readonly RunEnd[]
  /** None where `fromSeq` is not 1. */
  readonly shifts: readonly Shift[]
  /** Present exactly where `fromSeq` is 1. See crypto/identity. */
  readonly certificate: Uint8Array | undefined
}

/** A decoded envelope. `bytes` is the whole of it, as stored and sent; the rest are views into it. */
export interface Batch {
  readonly header: BatchHeader
  readonly bytes: Uint8Array
  /** The header's bytes, as signed. */
  readonly headerBytes: Uint8Array
  readonly body: Uint8Array
  readonly signature: Uint8Array
}

const MAGIC = [0x44, 0x4c, 0x42]

export const isSpaceId = (space: string): boolean => /^[\w-]{1,64}$/.test(space)

export const encodeHeader = (header: BatchHeader): Uint8Array => {
  const writer = new ByteWriter(160)
  for (const byte of MAGIC) writer.byte(byte)
  writer.varint(header.format).string(header.space).raw(deviceIdToBytes(header.device))
  writer.varint(header.fromSeq).varint(header.toSeq).varint(header.coarseMaxHlc).varint(header.keyEpoch)
  writer.varint(header.flags).raw(header.tagBefore)
  writer.varint(header.innerEnds.length)
  let previous = header.fromSeq
  for (const { toSeq, tag } of header.innerEnds) {
    writer.varint(toSeq - previous).raw(tag)
    previous = toSeq + 1
  }
  writer.raw(header.tagAfter)
  if (header.certificate !== undefined) writer.raw(encodeShifts(header.shifts)).bytes(header.certificate)
  else if (header.shifts.length > 0) throw new Error('shifts are stated in a first batch')
  return writer.finish()
}

/** As in the header, and as the chain begins with them. */
export const encodeShifts = (shifts: readonly Shift[]): Uint8Array => {
  const writer = new ByteWriter(8 + shifts.length * 56).varint(shifts.length)
  for (const { device, base, firstTag, shift, floor } of shifts) {
    writer.raw(deviceIdToBytes(device)).varint(base).raw(firstTag).varint(shift).varint(floor)
  }
  return writer.finish()
}

/** What the chain of a first batch's device begins with: so no shift is added to its history, or left out, unnoticed (OP3). */
export const chainStartOf = (
  { space, shifts }: Pick<BatchHeader, 'space' | 'shifts'>,
  certificate: Uint8Array,
): Uint8Array => chainStart(space, certificate, encodeShifts(shifts))

/** The tag there. All that it is made of is in the header, so in every key epoch it is as in epoch 0, for everyone to check. */
export const startTagOf = (
  header: Pick<BatchHeader, 'space' | 'device' | 'shifts'>,
  certificate: Uint8Array,
): Uint8Array => chainTag(chainStartOf(header, certificate), tagKey(UNENCRYPTED_EPOCH_KEY, header.space, header.device))

export const assembleBatch = (headerBytes: Uint8Array, body: Uint8Array, signature: Uint8Array): Batch =>
  decodeBatch(
    new ByteWriter(headerBytes.length + body.length + 72).bytes(headerBytes).raw(body).raw(signature).finish(),
  )

/** Reads the plain part. Checks the shape only: no signature, no body. Throws MALFORMED, TOO_LARGE or FORMAT_UNKNOWN. */
export const decodeBatch = (bytes: Uint8Array): Batch => {
  if (bytes.length > MAX_BATCH_BYTES) {
    throw new DriftlogError('TOO_LARGE', 'batch', { bytes: bytes.length, limit: MAX_BATCH_BYTES })
  }
  const outer = new ByteReader(bytes)
  const headerBytes = outer.bytes()
  if (outer.remaining < SIGNATURE_BYTES) throw malformed('batch without signature')
  const body = outer.raw(outer.remaining - SIGNATURE_BYTES)
  const signature = outer.raw(SIGNATURE_BYTES)
  const reader = new ByteReader(headerBytes)
  for (const byte of MAGIC) if (reader.byte() !== byte) throw malformed('not a batch')
  const format = reader.varint()
  if (format !== BATCH_FORMAT) throw new DriftlogError('FORMAT_UNKNOWN', 'batch', { format })
  const space = reader.string()
  if (!isSpaceId(space)) throw malformed('space id')
  const device = deviceIdFromBytes(reader.raw(DEVICE_ID_BYTES))
  const fromSeq = reader.varint()
  const toSeq = reader.varint()
  if (fromSeq < 1 || toSeq < fromSeq) throw malformed('seq range')
  if (toSeq - fromSeq >= MAX_BATCH_OPS) {
    throw new DriftlogError('TOO_LARGE', 'ops in a batch', { ops: toSeq - fromSeq + 1, limit: MAX_BATCH_OPS })
  }
  const coarseMaxHlc = reader.varint()
  const keyEpoch = reader.varint()
  const flags = reader.varint()
  const tagBefore = reader.raw(TAG_BYTES)
  const innerEnds = readInnerEnds(reader, fromSeq, toSeq)
  const tagAfter = reader.raw(TAG_BYTES)
  const shifts = fromSeq === 1 ? readShifts(reader) : []
  const certificate = fromSeq === 1 ? reader.bytes() : undefined
  reader.expectEnd()
  const header = {
    format,
    space,
    device,
    fromSeq,
    toSeq,
    coarseMaxHlc,
    keyEpoch,
    flags,
    tagBefore,
    tagAfter,
    innerEnds,
    shifts,
    certificate,
  }
  return { header, bytes, headerBytes, body, signature }
}

const readInnerEnds = (reader: ByteReader, fromSeq: number, toSeq: number): RunEnd[] => {
  const ends: RunEnd[] = []
  let next = fromSeq
  for (let left = reader.count(TAG_BYTES + 1); left > 0; left--) {
    const end = next + reader.varint()
    if (end >= toSeq) throw malformed('runs do not fill their batch')
    ends.push({ toSeq: end, tag: reader.raw(TAG_BYTES) })
    next = end + 1
  }
  return ends
}

export const readShifts = (reader: ByteReader): Shift[] => {
  const shifts: Shift[] = []
  const count = reader.count(DEVICE_ID_BYTES + TAG_BYTES + 3)
  if (count > MAX_SHIFTS) throw new DriftlogError('TOO_LARGE', 'shifts', { shifts: count, limit: MAX_SHIFTS })
  for (let left = count; left > 0; left--) {
    const device = deviceIdFromBytes(reader.raw(DEVICE_ID_BYTES))
    const base = reader.varint()
    shifts.push({ device, base, firstTag: reader.raw(TAG_BYTES), shift: reader.varint(), floor: reader.varint() })
  }
  return shifts
}

/** The chain tag after the batch's first run: with it a branch is named (BR1). */
export const firstTagOf = ({ innerEnds, tagAfter }: BatchHeader): Uint8Array => innerEnds[0]?.tag ?? tagAfter
