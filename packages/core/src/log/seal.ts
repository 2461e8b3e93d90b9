/**
 * Sealing runs into a batch and opening one again (SPEC ENV1). Nothing here touches a store or a clock.
 */
import type { DeviceId } from '../clock/dot.ts'
import { toCoarse } from '../clock/hlc.ts'
import { ByteReader, ByteWriter, createScratch, malformed } from '../codec/bytes.ts'
import { deflate, inflate } from '../codec/deflate.ts'
import type { SigningKeys } from '../crypto/sodium.ts'
import { DriftlogError } from '../errors.ts'
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

/** `runs`: canonical bytes of consecutive runs, one more than `innerEnds`. */
export const sealBatch = (part: SealedPart, runs: readonly Uint8Array[], keys: SigningKeys): Batch => {
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
    keyEpoch: 0,
    flags: compressed === undefined ? 0 : FLAG_DEFLATE,
    tagBefore: part.tagBefore,
    tagAfter: part.tagAfter,
    innerEnds: part.innerEnds ?? [],
    shifts: part.shifts ?? [],
    certificate: part.fromSeq === 1 ? part.certificate : undefined,
  })
  return assembleBatch(headerBytes, packed, signBatch(headerBytes, packed, keys))
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

/**
 * The runs of an unencrypted batch, structurally checked against the header. Throws MALFORMED or TOO_LARGE, and
 * FORMAT_UNKNOWN where a newer release wrote it.
 */
export const openBatch = (batch: Batch): OpenedRun[] => {
  const { header } = batch
  if (header.keyEpoch !== 0) throw new DriftlogError('FORMAT_UNKNOWN', 'encrypted batch', { keyEpoch: header.keyEpoch })
  if (header.flags > FLAG_DEFLATE) throw new DriftlogError('FORMAT_UNKNOWN', 'batch flags', { flags: header.flags })
  const reader = new ByteReader((header.flags & FLAG_DEFLATE) !== 0 ? unpack(batch.body) : batch.body)
  const opened: OpenedRun[] = []
  let nextSeq = header.fromSeq
  let maxHlc = 0
  let { tagBefore } = header
  const ends = [...header.innerEnds, { toSeq: header.toSeq, tag: header.tagAfter }]
  if (reader.count() !== ends.length) throw malformed('runs do not fill their batch')
  for (const { toSeq, tag: tagAfter } of ends) {
    const bytes = reader.bytes()
    const run = decodeRun(bytes, header.device, header.toSeq - nextSeq + 1)
    if (run.fromSeq !== nextSeq || run.keyEpoch !== header.keyEpoch) throw malformed('run does not fit its batch')
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
