/**
 * Signatures for a simulation: a keyed hash instead of Ed25519. The key is public, so anybody could forge one; but nobody
 * here does, and a signature over other bytes or of another device is found out as it should be.
 */
import type { Signer } from '@driftlog/core/signer'

const LANES = 4

const digestInto = (target: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array => {
  const lanes = new Uint32Array(LANES).map((_, lane) => 0x811c9dc5 ^ (lane * 0x9e3779b9))
  let at = 0
  for (const part of parts) {
    for (const byte of part) {
      const lane = at++ & (LANES - 1)
      lanes[lane] = Math.imul(lanes[lane] ^ byte, 0x01000193)
    }
  }
  // Every lane has to know of every byte.
  let carry = at
  for (let round = 0; round < 2 * LANES; round++) {
    const lane = round & (LANES - 1)
    carry = Math.imul(carry ^ lanes[lane], 0x85ebca6b)
    carry ^= carry >>> 13
    lanes[lane] ^= carry
  }
  for (let index = 0; index < target.length; index++) {
    target[index] = (lanes[index & (LANES - 1)] >>> (((index >> 2) & 3) * 8)) ^ (index >> 4)
  }
  return target
}

const SIGNATURE = new Uint8Array([1])
const PUBLIC_KEY = new Uint8Array([2])

export const cheapSigner: Signer = {
  keysFromSeed(seed) {
    const publicKey = digestInto(new Uint8Array(32), PUBLIC_KEY, seed)
    const privateKey = new Uint8Array(64)
    privateKey.set(seed)
    privateKey.set(publicKey, 32)
    return { publicKey, privateKey }
  },
  sign: (message, keys) => digestInto(new Uint8Array(64), SIGNATURE, keys.publicKey, message),
  verify(signature, message, publicKey) {
    const expected = digestInto(new Uint8Array(64), SIGNATURE, publicKey, message)
    for (let index = 0; index < 64; index++) if (signature[index] !== expected[index]) return false
    return signature.length === 64
  },
}
