/**
 * The primitives, from libsodium (compiled to WebAssembly, which loads asynchronously): BLAKE2b, Ed25519, XChaCha20-Poly1305.
 * Call `cryptoReady` once before anything else here.
 */
import sodium from 'libsodium-wrappers-sumo'
import { concatBytes } from '../codec/bytes.ts'
import { type SigningKeys, substituteSigner } from './signer.ts'

export type { SigningKeys }

export const cryptoReady = (): Promise<void> => sodium.ready

export const HASH_BYTES = 32
export const AEAD_NONCE_BYTES = 24
export const AEAD_TAG_BYTES = 16
export const PUBLIC_KEY_BYTES = 32

/** BLAKE2b of `length` bytes (16 to 64), keyed where `key` is given (16 to 64 bytes). */
export const hash = (message: Uint8Array, length = HASH_BYTES, key?: Uint8Array): Uint8Array =>
  sodium.crypto_generichash(length, message, key ?? null)

/** From a seed of 32 unpredictable bytes. */
export const signingKeysFromSeed = (seed: Uint8Array): SigningKeys => {
  const substitute = substituteSigner()
  if (substitute !== undefined) return substitute.keysFromSeed(seed)
  const { publicKey, privateKey } = sodium.crypto_sign_seed_keypair(seed)
  return { publicKey, privateKey }
}

export const seedOf = (keys: SigningKeys): Uint8Array => keys.privateKey.slice(0, 32)

export const sign = (message: Uint8Array, keys: SigningKeys): Uint8Array =>
  substituteSigner()?.sign(message, keys) ?? sodium.crypto_sign_detached(message, keys.privateKey)

export const verify = (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean =>
  substituteSigner()?.verify(signature, message, publicKey) ??
  sodium.crypto_sign_verify_detached(signature, message, publicKey)

/** XChaCha20-Poly1305. Use `encrypt` of crypto/cipher: this alone does not commit to its key. */
export const aeadSeal = (plain: Uint8Array, associated: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array =>
  sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, associated, null, nonce, key)

/** undefined where it does not authenticate. */
export const aeadOpen = (
  sealed: Uint8Array,
  associated: Uint8Array,
  nonce: Uint8Array,
  key: Uint8Array,
): Uint8Array | undefined => {
  try {
    return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, sealed, associated, nonce, key)
  } catch {
    // libsodium says no more than that, by an Error.
    return undefined
  }
}

/** For sealing to somebody (X25519): 32 bytes each. */
export interface SealingKeys {
  readonly publicKey: Uint8Array
  readonly privateKey: Uint8Array
}

export const SEALED_OVERHEAD_BYTES = 48

/** From a seed of 32 unpredictable bytes. */
export const sealingKeysFromSeed = (seed: Uint8Array): SealingKeys => {
  const { publicKey, privateKey } = sodium.crypto_box_seed_keypair(seed)
  return { publicKey, privateKey }
}

/** Clamped, as X25519 does with any. */
const ANY_SCALAR = new Uint8Array(32).fill(64)

/**
 * Whether something can be sealed to a public key: not to a point of small order, with which every shared secret is zeros (RFC 7748,
 * section 6.1), whatever the scalar.
 */
export const isSealingKey = (publicKey: Uint8Array): boolean => {
  try {
    sodium.crypto_scalarmult(ANY_SCALAR, publicKey)
    return true
  } catch {
    // libsodium says no more than that, by an Error.
    return false
  }
}

/**
 * A sealed box of libsodium, but with an ephemeral key from `seed` (32 unpredictable bytes, for this one box alone), so that
 * randomness is passed in: ephemeral public key, then the box under the nonce H(ephemeral key, recipient's key).
 */
export const sealTo = (publicKey: Uint8Array, plain: Uint8Array, seed: Uint8Array): Uint8Array => {
  const ephemeral = sealingKeysFromSeed(seed)
  const nonce = hash(concatBytes(ephemeral.publicKey, publicKey), 24)
  return concatBytes(ephemeral.publicKey, sodium.crypto_box_easy(plain, nonce, publicKey, ephemeral.privateKey))
}

/** undefined where it was not sealed to these keys, or is damaged. */
export const openSealed = (sealed: Uint8Array, { publicKey, privateKey }: SealingKeys): Uint8Array | undefined => {
  if (sealed.length < SEALED_OVERHEAD_BYTES) return undefined
  try {
    return sodium.crypto_box_seal_open(sealed, publicKey, privateKey)
  } catch {
    // libsodium says no more than that, by an Error.
    return undefined
  }
}

/** What a guess of a passphrase costs. */
export interface KdfCost {
  readonly passes: number
  readonly memoryBytes: number
}

/** Argon2id (RFC 9106): 32 bytes from a passphrase and a salt of 16. It blocks for as long as `cost` says. */
export const argon2id = (passphrase: Uint8Array, salt: Uint8Array, { passes, memoryBytes }: KdfCost): Uint8Array =>
  sodium.crypto_pwhash(32, passphrase, salt, passes, memoryBytes, sodium.crypto_pwhash_ALG_ARGON2ID13)
