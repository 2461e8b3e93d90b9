/**
 * Names of branches (SPEC BR1). A device's history is a tree of runs; each stretch without a fork is a branch. The first has
 * the device's own id; any other is named by what it is: the device, where it starts, and its first run.
 */
import { DEVICE_ID_BYTES, type DeviceId, deviceIdFromBytes, deviceIdToBytes } from '../clock/dot.ts'
import { ByteWriter } from '../codec/bytes.ts'
import { hash } from '../crypto/sodium.ts'

const domain = new TextEncoder().encode('driftlog/branch/1')

/**
 * `base`: the last seq before the branch, 0 where the fork is before the first op. The tags are those at `base` and after the
 * first run. Both: a header that lies about where its first run ends must not name a branch that begins elsewhere.
 */
export const branchId = (device: DeviceId, base: number, tagBefore: Uint8Array, firstTag: Uint8Array): DeviceId => {
  const writer = new ByteWriter(96).bytes(domain).raw(deviceIdToBytes(device)).varint(base)
  writer.bytes(tagBefore).bytes(firstTag)
  return deviceIdFromBytes(hash(writer.finish(), DEVICE_ID_BYTES))
}
