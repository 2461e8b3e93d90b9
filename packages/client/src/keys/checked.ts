/** Bytes with a CRC-32 before them: it tells a slip of the pen, or of a disk, from a wrong key. It protects from nobody. */
import { checksum } from '@driftlog/core'

const CHECKSUM_BYTES = 4

export const withChecksum = (bytes: Uint8Array): Uint8Array => {
  const checked = new Uint8Array(CHECKSUM_BYTES + bytes.length)
  new DataView(checked.buffer).setUint32(0, checksum(bytes))
  checked.set(bytes, CHECKSUM_BYTES)
  return checked
}

/** undefined where they are not those that were checked. */
export const withoutChecksum = (checked: Uint8Array): Uint8Array | undefined => {
  if (checked.length < CHECKSUM_BYTES) return undefined
  const bytes = checked.subarray(CHECKSUM_BYTES)
  return new DataView(checked.buffer, checked.byteOffset).getUint32(0) === checksum(bytes) ? bytes : undefined
}
