import { fromBase64Url, malformed, toBase64Url } from '../codec/bytes.ts'

/** The author of ops: the fingerprint of its Ed25519 key, 16 bytes written as 22 characters of base64url. */
export type DeviceId = string & { readonly deviceId: unique symbol }

export const DEVICE_ID_BYTES = 16

/** The identity of an op. `seq` counts 1, 2, 3 … per device without a gap. */
export interface Dot {
  readonly device: DeviceId
  readonly seq: number
}

/** From 16 bytes. */
export const deviceIdFromBytes = (bytes: Uint8Array): DeviceId => {
  if (bytes.length !== DEVICE_ID_BYTES) throw malformed('a device id has 16 bytes')
  return toBase64Url(bytes) as DeviceId
}

export const deviceIdToBytes = (device: DeviceId): Uint8Array => fromBase64Url(device)

export const isDeviceId = (text: string): text is DeviceId => {
  if (text.length !== 22 || !/^[\w-]{21}[AQgw]$/.test(text)) return false
  return true
}

/** Orders device ids everywhere that order matters: by UTF-16 code units, never by locale. */
export const compareDevices = (a: DeviceId, b: DeviceId): number => (a < b ? -1 : a > b ? 1 : 0)
