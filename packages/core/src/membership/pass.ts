/**
 * What an installation, or who holds an invitation, shows a server: "I speak for this key in this space", signed.
 *
 *     pass = format | space | public key (32) | expires (ms since the Unix epoch) | signature (64) over a domain and all before it
 *
 * It lets nobody write: batches and entries are signed by themselves. Who steals one reads what the server has, which is
 * ciphertext, until it expires or the installation is revoked.
 */
import { ByteReader, ByteWriter, malformed } from '../codec/bytes.ts'
import { PUBLIC_KEY_BYTES, sign, type SigningKeys, verify } from '../crypto/sodium.ts'
import { DriftlogError } from '../errors.ts'

export const MAX_PASS_BYTES = 200
/** A server takes none that is good for longer. */
export const MAX_PASS_MS = 32 * 24 * 60 * 60 * 1_000

const FORMAT = 1
const passDomain = new TextEncoder().encode('driftlog/members/pass/1')

export interface Pass {
  readonly space: string
  readonly key: Uint8Array
  readonly expiresMs: number
}

const signed = (bytes: Uint8Array): Uint8Array =>
  new ByteWriter(bytes.length + 64).bytes(passDomain).raw(bytes).finish()

export const makePass = (space: string, keys: SigningKeys, expiresMs: number): Uint8Array => {
  const bytes = new ByteWriter(160).varint(FORMAT).string(space).raw(keys.publicKey).varint(expiresMs).finish()
  return new ByteWriter(224)
    .raw(bytes)
    .raw(sign(signed(bytes), keys))
    .finish()
}

/** Checks shape and signature, not the time. Throws MALFORMED, FORMAT_UNKNOWN or SIGNATURE_INVALID. */
export const readPass = (bytes: Uint8Array): Pass => {
  const reader = new ByteReader(bytes)
  const format = reader.varint()
  if (format !== FORMAT) throw new DriftlogError('FORMAT_UNKNOWN', 'a pass', { format })
  const space = reader.string()
  const key = reader.raw(PUBLIC_KEY_BYTES).slice()
  const expiresMs = reader.varint()
  const signedBytes = bytes.subarray(0, reader.position)
  const signature = reader.raw(64)
  if (reader.remaining > 0) throw malformed('a pass')
  if (!verify(signature, signed(signedBytes), key)) throw new DriftlogError('SIGNATURE_INVALID', 'a pass')
  return { space, key, expiresMs }
}
