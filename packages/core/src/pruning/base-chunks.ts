/**
 * A base as it lies at a server and on a device, and travels: deflated, in chunks, each encrypted (KEY6) with a key of its space's epoch,
 * its place bound to it.
 */
import { ByteWriter } from '../codec/bytes.ts'
import { deflate, inflate } from '../codec/deflate.ts'
import { concatBytes } from '../codec/bytes.ts'
import { decrypt, deriveKey, encrypt } from '../crypto/cipher.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { DriftlogError } from '../errors.ts'
import type { Randomness } from '../ports/ports.ts'
import type { BaseOutline } from './statement.ts'

/** Of what is encrypted, in bytes. */
const CHUNK_BYTES = 500_000
export const MAX_CHUNK_BYTES = 520_000
/** Two gigabytes. */
const MAX_CHUNKS = 4_096

const text = new TextEncoder()
const domain = text.encode('driftlog/base/1')

type Sealed = Pick<BaseOutline, 'digest' | 'epoch' | 'bytes'>

const keyOf = (keyring: Keyring, epoch: number): Uint8Array => {
  const key = keyring.keys().get(epoch)
  if (key === undefined) throw new DriftlogError('KEY_MISSING', '', { space: keyring.space, epoch })
  return deriveKey(key, 'driftlog/base', text.encode(keyring.space))
}

const placeOf = (space: string, digest: Uint8Array, index: number, isLast: boolean): Uint8Array =>
  new ByteWriter(128)
    .bytes(domain)
    .string(space)
    .raw(digest)
    .varint(index)
    .byte(isLast ? 1 : 0)
    .finish()

/** With the newest key. Throws TOO_LARGE, KEY_MISSING. */
export const sealBase = (
  bytes: Uint8Array,
  digest: Uint8Array,
  keyring: Keyring,
  random: Randomness,
): { readonly epoch: number; readonly chunks: readonly Uint8Array[] } => {
  const { epoch, space } = keyring
  const key = keyOf(keyring, epoch)
  const packed = deflate(bytes)
  const count = Math.max(1, Math.ceil(packed.length / CHUNK_BYTES))
  if (count > MAX_CHUNKS) throw new DriftlogError('TOO_LARGE', 'a base', { bytes: packed.length })
  const chunks = Array.from({ length: count }, (_, index) =>
    encrypt(
      packed.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
      placeOf(space, digest, index, index === count - 1),
      key,
      random,
    ),
  )
  return { epoch, chunks }
}

/** Throws KEY_MISSING; STORAGE_DAMAGED where they are not the chunks of this base. */
export const unsealBase = (sealed: Sealed, chunks: readonly Uint8Array[], keyring: Keyring): Uint8Array => {
  const { digest, epoch, bytes } = sealed
  const key = keyOf(keyring, epoch)
  const opened = chunks.map((chunk, index) => {
    const plain = decrypt(chunk, placeOf(keyring.space, digest, index, index === chunks.length - 1), key)
    if (typeof plain !== 'string') return plain
    throw new DriftlogError('STORAGE_DAMAGED', 'a chunk of a base', { space: keyring.space, index, why: plain })
  })
  return inflate(concatBytes(...opened), bytes)
}
