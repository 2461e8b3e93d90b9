/**
 * Committing authenticated encryption: what bodies of batches, wrapped keys, snapshots and backups are encrypted with.
 *
 *     sealed     = nonce (24) | commitment (32) | ciphertext and tag (16 more than the plaintext)
 *     key', commitment = BLAKE2b-512(domain, nonce; keyed by the key), halved
 *     ciphertext = XChaCha20-Poly1305 under key' and nonce, with the associated data
 *
 * The nonce is hedged: a keyed hash over random bytes, the associated data and the plaintext. So where two clones of a device
 * draw the same random bytes, or a generator is broken, it repeats only for the same message, which tells that it is the
 * same and nothing else. The commitment makes that a sealed text opens under one key only (XChaCha20-Poly1305 alone does not
 * promise that), and tells a wrong key from damage. (After Bellare and Hoang 2022, *Efficient schemes for committing
 * authenticated encryption*: a key and a commitment from one hash of key and nonce.)
 */
import { ByteWriter, equalBytes } from '../codec/bytes.ts'
import type { Randomness } from '../ports/ports.ts'
import { AEAD_NONCE_BYTES, AEAD_TAG_BYTES, aeadOpen, aeadSeal, hash } from './sodium.ts'

const text = new TextEncoder()
const nonceDomain = text.encode('driftlog/cipher/nonce/1')
const keyDomain = text.encode('driftlog/cipher/key/1')
const derivedDomain = text.encode('driftlog/derived-key/1')

const COMMITMENT_BYTES = 32
const PREFIX_BYTES = AEAD_NONCE_BYTES + COMMITMENT_BYTES
/** How much longer than the plaintext what is sealed is. */
export const CIPHER_OVERHEAD_BYTES = PREFIX_BYTES + AEAD_TAG_BYTES

const committedKey = (
  key: Uint8Array,
  nonce: Uint8Array,
): { readonly key: Uint8Array; readonly commitment: Uint8Array } => {
  const derived = hash(new ByteWriter(64).bytes(keyDomain).raw(nonce).finish(), 64, key)
  return { key: derived.subarray(0, 32), commitment: derived.subarray(32) }
}

/** `key`: 32 bytes, for one purpose (`deriveKey`). `associated` is authenticated and not contained. */
export const encrypt = (plain: Uint8Array, associated: Uint8Array, key: Uint8Array, random: Randomness): Uint8Array => {
  const hedge = new ByteWriter(plain.length + associated.length + 96)
    .bytes(nonceDomain)
    .raw(random.bytes(32))
    .bytes(associated)
    .raw(plain)
    .finish()
  const nonce = hash(hedge, AEAD_NONCE_BYTES, key)
  const committed = committedKey(key, nonce)
  const sealed = aeadSeal(plain, associated, nonce, committed.key)
  return new ByteWriter(PREFIX_BYTES + sealed.length).raw(nonce).raw(committed.commitment).raw(sealed).finish()
}

/** Why something does not open: it was sealed with another key (or is damaged just there), or its bytes are not those that were sealed. */
export type Unopened = 'wrong-key' | 'damaged'

export const decrypt = (sealed: Uint8Array, associated: Uint8Array, key: Uint8Array): Uint8Array | Unopened => {
  if (sealed.length < CIPHER_OVERHEAD_BYTES) return 'damaged'
  const nonce = sealed.subarray(0, AEAD_NONCE_BYTES)
  const committed = committedKey(key, nonce)
  if (!equalBytes(committed.commitment, sealed.subarray(AEAD_NONCE_BYTES, PREFIX_BYTES))) return 'wrong-key'
  return aeadOpen(sealed.subarray(PREFIX_BYTES), associated, nonce, committed.key) ?? 'damaged'
}

const KEY_BYTES = 32

/** A key for one purpose from another one: 32 bytes both. `context`: what it is for, beyond the purpose. */
export const deriveKey = (key: Uint8Array, purpose: string, context: Uint8Array = new Uint8Array(0)): Uint8Array => {
  // BLAKE2b takes shorter ones too, and none at all: then anyone could derive it.
  if (key?.length !== KEY_BYTES) throw new Error(`a key has ${KEY_BYTES} bytes`)
  return hash(new ByteWriter(128).bytes(derivedDomain).string(purpose).bytes(context).finish(), KEY_BYTES, key)
}

/**
 * Padmé: the length to pad to so that a size tells O(log log n) bits of what is in it, for at most 12 % more (Nikitin et al. 2019,
 * *Reducing metadata leakage from encrypted files and communication with PURBs*).
 */
export const padded = (length: number): number => {
  if (length < 2) return length
  const exponent = 31 - Math.clz32(length)
  const kept = 32 - Math.clz32(exponent)
  const mask = exponent > kept ? 2 ** (exponent - kept) - 1 : 0
  return (length + mask) & ~mask
}
