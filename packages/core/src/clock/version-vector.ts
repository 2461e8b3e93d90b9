/**
 * Version vectors: device → highest contiguous seq. A device without an entry stands at 0.
 * VV1: a vector never names a seq whose predecessors are missing; so `includes` is one comparison.
 */
import { ByteReader, ByteWriter, malformed } from '../codec/bytes.ts'
import { compareDevices, DEVICE_ID_BYTES, type DeviceId, deviceIdFromBytes, deviceIdToBytes, type Dot } from './dot.ts'

export type VersionVector = ReadonlyMap<DeviceId, number>

/** Seqs `[fromSeq, toSeq]` of one device, both included. */
export interface SeqRange {
  readonly device: DeviceId
  readonly fromSeq: number
  readonly toSeq: number
}

export const emptyVector: VersionVector = new Map()

export const seqOf = (vector: VersionVector, device: DeviceId): number => vector.get(device) ?? 0

export const includes = (vector: VersionVector, dot: Dot): boolean => seqOf(vector, dot.device) >= dot.seq

/** Whether `a` holds all that `b` holds. */
export const dominates = (a: VersionVector, b: VersionVector): boolean => {
  for (const [device, seq] of b) if (seqOf(a, device) < seq) return false
  return true
}

export const equalVectors = (a: VersionVector, b: VersionVector): boolean => dominates(a, b) && dominates(b, a)

/** The least vector that holds both. */
export const join = (a: VersionVector, b: VersionVector): VersionVector => {
  const joined = new Map(a)
  for (const [device, seq] of b) if (seq > seqOf(a, device)) joined.set(device, seq)
  return joined
}

/** What `want` holds and `have` lacks, ordered by device. */
export const missing = (have: VersionVector, want: VersionVector): SeqRange[] => {
  const ranges: SeqRange[] = []
  for (const [device, toSeq] of want) {
    const held = seqOf(have, device)
    if (toSeq > held) ranges.push({ device, fromSeq: held + 1, toSeq })
  }
  return ranges.sort((a, b) => compareDevices(a.device, b.device))
}

/** Canonical: entries above 0 ordered by device; a count, then 16 bytes and a varint each. */
export const encodeVector = (vector: VersionVector): Uint8Array => {
  const entries = [...vector].filter(([, seq]) => seq > 0).sort(([a], [b]) => compareDevices(a, b))
  const writer = new ByteWriter(1 + entries.length * 19)
  writer.varint(entries.length)
  for (const [device, seq] of entries) writer.raw(deviceIdToBytes(device)).varint(seq)
  return writer.finish()
}

export const decodeVector = (bytes: Uint8Array): VersionVector => {
  const reader = new ByteReader(bytes)
  const vector = new Map<DeviceId, number>()
  let previous: DeviceId | undefined
  for (let left = reader.count(DEVICE_ID_BYTES + 1); left > 0; left--) {
    const device = deviceIdFromBytes(reader.raw(DEVICE_ID_BYTES))
    if (previous !== undefined && compareDevices(previous, device) >= 0) throw malformed('vector is not in order')
    const seq = reader.varint()
    if (seq === 0) throw malformed('vector names seq 0')
    vector.set(device, seq)
    previous = device
  }
  reader.expectEnd()
  return vector
}
