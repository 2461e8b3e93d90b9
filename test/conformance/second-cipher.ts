/** ENV1: encryption, written a second time on @noble and on nothing of core. See second-implementation. */
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { hash, join, prefixed, text } from './second-implementation.ts'

const derived = (key: Uint8Array, nonce: Uint8Array): Uint8Array =>
  hash(join(text('driftlog/cipher/key/1'), nonce), 64, key)

/** Throws where it is not what was sealed with this key for this. */
export const decrypt = (sealed: Uint8Array, associated: Uint8Array, key: Uint8Array): Uint8Array => {
  const nonce = sealed.subarray(0, 24)
  const committed = derived(key, nonce)
  if (!Buffer.from(committed.subarray(32)).equals(sealed.subarray(24, 56))) throw new Error('another key')
  return xchacha20poly1305(committed.subarray(0, 32), nonce, associated).decrypt(sealed.subarray(56))
}

/** With a nonce of the caller's. */
export const encrypt = (plain: Uint8Array, associated: Uint8Array, key: Uint8Array, nonce: Uint8Array): Uint8Array => {
  const committed = derived(key, nonce)
  const sealed = xchacha20poly1305(committed.subarray(0, 32), nonce, associated).encrypt(plain)
  return join(nonce, committed.subarray(32), sealed)
}

export const deriveKey = (key: Uint8Array, purpose: string, context: Uint8Array): Uint8Array =>
  hash(join(text('driftlog/derived-key/1'), text(purpose), prefixed(context)), 32, key)

/** Padmé, as its paper has it: of the binary digits of a length, as many are kept as the number of its digits has digits. */
export const padded = (length: number): number => {
  if (length < 2) return length
  const exponent = Math.floor(Math.log2(length))
  const kept = Math.floor(Math.log2(exponent)) + 1
  const unit = 2 ** Math.max(0, exponent - kept)
  return Math.ceil(length / unit) * unit
}

/** What stands in a decrypted body before its padding of zeros. */
export const unpad = (padded: Uint8Array): Uint8Array => {
  let length = 0
  let at = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = padded[at++]
    length += (byte & 127) * scale
    if (byte < 128) break
  }
  if (padded.subarray(at + length).some((byte) => byte !== 0)) throw new Error('padding')
  return padded.subarray(at, at + length)
}
