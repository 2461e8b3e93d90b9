/**
 * Where every branch of a store ends, as it travels (SYNC7): a count, then by branch, ordered by id as text, 16 bytes, the
 * seq as a varint, and the first 8 bytes of the tag there. A tag covers the whole history up to it, and a name the
 * beginning of its branch; so equal tips are equal stores.
 */
import { compareDevices, DEVICE_ID_BYTES, type DeviceId, deviceIdFromBytes, deviceIdToBytes } from '../clock/dot.ts'
import { ByteReader, ByteWriter, malformed } from '../codec/bytes.ts'
import { hash } from '../crypto/sodium.ts'
import type { Tip } from '../log/batch-store.ts'
import { DIGEST_BYTES } from './messages.ts'

/** Enough to tell two ends of one branch apart by accident; nobody is convinced by it: batches bring their whole tags. */
export const TIP_MARK_BYTES = 8

/** Where a branch ends, as far as it travels. */
export interface TipMark {
  readonly seq: number
  /** The first TIP_MARK_BYTES of the tag. */
  readonly mark: Uint8Array
}

export const encodeTips = (tips: ReadonlyMap<DeviceId, Tip>): Uint8Array => {
  const entries = [...tips].sort(([a], [b]) => compareDevices(a, b))
  const writer = new ByteWriter(4 + entries.length * 27)
  writer.varint(entries.length)
  for (const [branch, { seq, tag }] of entries) {
    writer.raw(deviceIdToBytes(branch)).varint(seq).raw(tag.subarray(0, TIP_MARK_BYTES))
  }
  return writer.finish()
}

/** Throws MALFORMED. Marks are views into `bytes`. */
export const decodeTips = (bytes: Uint8Array): ReadonlyMap<DeviceId, TipMark> => {
  const reader = new ByteReader(bytes)
  const tips = new Map<DeviceId, TipMark>()
  let previous: DeviceId | undefined
  for (let left = reader.count(DEVICE_ID_BYTES + 1 + TIP_MARK_BYTES); left > 0; left--) {
    const branch = deviceIdFromBytes(reader.raw(DEVICE_ID_BYTES))
    if (previous !== undefined && compareDevices(previous, branch) >= 0) throw malformed('tips are not in order')
    const seq = reader.varint()
    if (seq === 0) throw malformed('a tip at seq 0')
    tips.set(branch, { seq, mark: reader.raw(TIP_MARK_BYTES) })
    previous = branch
  }
  reader.expectEnd()
  return tips
}

/** Equal exactly for equal tips; 16 bytes. Needs `cryptoReady`. */
export const tipsDigest = (tips: ReadonlyMap<DeviceId, Tip>): Uint8Array => hash(encodeTips(tips), DIGEST_BYTES)
