/**
 * Who writes. A device is an Ed25519 key and its id is that key's fingerprint; an installation vouches for its devices
 * (every tab slot is one) by a certificate, which travels in the plain header of the device's first batch.
 *
 *     certificate = device public key (32) | installation public key (32) | replaced device id (0 or 16, prefixed)
 *                 | installation's signature (64) over a domain, the space and all before it
 */
import { DEVICE_ID_BYTES, type DeviceId, deviceIdFromBytes, deviceIdToBytes } from '../clock/dot.ts'
import { ByteReader, ByteWriter, malformed } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import { hash, PUBLIC_KEY_BYTES, type SigningKeys, sign, verify } from './sodium.ts'

const text = new TextEncoder()
const deviceDomain = text.encode('driftlog/device/1')
const certificateDomain = text.encode('driftlog/certificate/1')

/** The device id of a public key: BLAKE2b-128 over a domain and the key. */
export const fingerprint = (publicKey: Uint8Array): DeviceId =>
  deviceIdFromBytes(hash(new ByteWriter(64).bytes(deviceDomain).raw(publicKey).finish(), DEVICE_ID_BYTES))

export interface Certificate {
  readonly device: DeviceId
  readonly publicKey: Uint8Array
  readonly installationKey: Uint8Array
  /** The device that this one replaces, and so retires. */
  readonly replaces: DeviceId | undefined
}

const certified = (space: string, signedPart: Uint8Array): Uint8Array =>
  new ByteWriter(200).bytes(certificateDomain).string(space).raw(signedPart).finish()

export const makeCertificate = (
  space: string,
  devicePublicKey: Uint8Array,
  installation: SigningKeys,
  replaces?: DeviceId,
): Uint8Array => {
  const signedPart = new ByteWriter(160)
    .raw(devicePublicKey)
    .raw(installation.publicKey)
    .bytes(replaces === undefined ? new Uint8Array(0) : deviceIdToBytes(replaces))
    .finish()
  return new ByteWriter(160)
    .raw(signedPart)
    .raw(sign(certified(space, signedPart), installation))
    .finish()
}

/** Checks the whole certificate against the device and the space that it is used for. Throws CERTIFICATE_INVALID. */
export const readCertificate = (bytes: Uint8Array, space: string, device: DeviceId): Certificate => {
  const invalid = (why: string, cause?: unknown): DriftlogError =>
    new DriftlogError('CERTIFICATE_INVALID', why, { device }, { cause })
  try {
    const reader = new ByteReader(bytes)
    const publicKey = reader.raw(PUBLIC_KEY_BYTES)
    const installationKey = reader.raw(PUBLIC_KEY_BYTES)
    const replaced = reader.bytes()
    const signedPart = bytes.subarray(0, reader.position)
    const signature = reader.raw(64)
    reader.expectEnd()
    if (replaced.length !== 0 && replaced.length !== DEVICE_ID_BYTES) throw malformed('replaced device')
    if (fingerprint(publicKey) !== device) throw invalid('its key is not the one of the device')
    if (!verify(signature, certified(space, signedPart), installationKey)) throw invalid('wrong signature')
    const replaces = replaced.length === 0 ? undefined : deviceIdFromBytes(replaced)
    return { device, publicKey, installationKey, replaces }
  } catch (error) {
    if (error instanceof DriftlogError && error.code === 'CERTIFICATE_INVALID') throw error
    throw invalid('it does not decode', error)
  }
}

/**
 * The public key of a device by a certificate that was checked when it was taken in. The id is the key's fingerprint, so
 * the key needs no second look at the installation's signature. Throws CERTIFICATE_INVALID.
 */
export const certifiedKey = (checked: Uint8Array, device: DeviceId): Uint8Array => {
  const publicKey = checked.subarray(0, PUBLIC_KEY_BYTES)
  const fingerprinted = fingerprints.get(checked) ?? fingerprint(publicKey)
  fingerprints.set(checked, fingerprinted)
  if (fingerprinted === device) return publicKey
  throw new DriftlogError('CERTIFICATE_INVALID', 'its key is not the one of the device', { device })
}

/** The installation that a certificate, checked when it was taken in, is by. */
export const certifiedInstallation = (checked: Uint8Array): Uint8Array =>
  checked.subarray(PUBLIC_KEY_BYTES, 2 * PUBLIC_KEY_BYTES)

/** Of the keys in certificates that are kept: asked for each batch of their devices. Nobody writes to a certificate. */
const fingerprints = new WeakMap<Uint8Array, DeviceId>()
