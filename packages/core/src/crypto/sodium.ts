/**
 * The primitives, from libsodium (compiled to WebAssembly, which loads asynchronously): BLAKE2b and Ed25519.
 * Call `cryptoReady` once before anything else here.
 */
import sodium from 'libsodium-wrappers-sumo'
import { type SigningKeys, substituteSigner } from './signer.ts'

export type { SigningKeys }

export const cryptoReady = (): Promise<void> => sodium.ready

export const HASH_BYTES = 32
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
