import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { DeviceId } from '../clock/dot.ts'
import { equalBytes } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import { fingerprint, makeCertificate, readCertificate } from './identity.ts'
import { cryptoReady, hash, type SigningKeys, seedOf, sign, signingKeysFromSeed, verify } from './sodium.ts'

const keysOf = (seed: number): SigningKeys => signingKeysFromSeed(new Uint8Array(32).fill(seed))
const space = 'home'
let author: SigningKeys
let installation: SigningKeys
let device: DeviceId

beforeAll(async () => {
  await cryptoReady()
  author = keysOf(1)
  installation = keysOf(2)
  device = fingerprint(author.publicKey)
})

/** Whether `act` is refused; anything but CERTIFICATE_INVALID fails the test. */
const isRefused = (act: () => unknown): boolean => {
  try {
    act()
    return false
  } catch (error) {
    if (error instanceof DriftlogError && error.code === 'CERTIFICATE_INVALID') return true
    throw error
  }
}

describe('a certificate', () => {
  it('says who writes, who vouches for it and whom it replaces', () => {
    const other = fingerprint(keysOf(3).publicKey)
    for (const replaces of [undefined, other]) {
      const bytes = makeCertificate(space, author.publicKey, installation, replaces)
      expect(readCertificate(bytes, space, device)).toEqual({
        device,
        publicKey: author.publicKey,
        installationKey: installation.publicKey,
        replaces,
      })
    }
  })

  it('holds for its own space and device alone', () => {
    const bytes = makeCertificate(space, author.publicKey, installation)
    expect(isRefused(() => readCertificate(bytes, 'other', device))).toBe(true)
    expect(isRefused(() => readCertificate(bytes, space, fingerprint(keysOf(3).publicKey)))).toBe(true)
    const forged = makeCertificate(space, author.publicKey, { ...keysOf(3), publicKey: installation.publicKey })
    expect(isRefused(() => readCertificate(forged, space, device))).toBe(true)
  })

  it('is refused with any bit flipped, at any length, with anything behind it', () => {
    for (const replaces of [undefined, fingerprint(keysOf(3).publicKey)]) {
      const bytes = makeCertificate(space, author.publicKey, installation, replaces)
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = bytes.slice()
        flipped[bit >> 3] ^= 1 << (bit & 7)
        expect(isRefused(() => readCertificate(flipped, space, device))).toBe(true)
      }
      for (let length = 0; length < bytes.length; length++) {
        expect(isRefused(() => readCertificate(bytes.subarray(0, length), space, device))).toBe(true)
      }
      expect(isRefused(() => readCertificate(Uint8Array.of(...bytes, 0), space, device))).toBe(true)
    }
  })

  it('is refused where it is random', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(isRefused(() => readCertificate(bytes, space, device))).toBe(true)
        // The right key first, so that it gets past the fingerprint.
        const close = Uint8Array.of(...author.publicKey, ...bytes)
        expect(isRefused(() => readCertificate(close, space, device))).toBe(true)
      }),
    )
  })

  it('a device id names one key', () => {
    const ids = Array.from({ length: 100 }, (_, seed) => fingerprint(keysOf(seed).publicKey))
    expect(new Set(ids).size).toBe(100)
    expect(fingerprint(author.publicKey)).toBe(device)
  })
})

describe('the primitives', () => {
  it('keys are a function of their seed, which they give back', () => {
    expect(keysOf(1)).toEqual(author)
    expect(seedOf(author)).toEqual(new Uint8Array(32).fill(1))
  })

  it('a signature holds for its message and key alone, in one form', () => {
    const message = new TextEncoder().encode('message')
    const signature = sign(message, author)
    expect(verify(signature, message, author.publicKey)).toBe(true)
    expect(verify(signature, message, installation.publicKey)).toBe(false)
    expect(verify(signature, message.subarray(1), author.publicKey)).toBe(false)
    // S + L is the classic second form of an Ed25519 signature.
    const order = (1n << 252n) + 27742317777372353535851937790883648493n
    const second = signature.slice()
    let s = order
    for (let index = 31; index >= 0; index--) s += BigInt(signature[32 + index]) << BigInt(8 * index)
    for (let index = 0; index < 32; index++) second[32 + index] = Number((s >> BigInt(8 * index)) & 255n)
    expect(verify(second, message, author.publicKey)).toBe(false)
  })

  it('a key of small order vouches for nothing', () => {
    const one = new Uint8Array(32)
    one[0] = 1
    for (const weak of [new Uint8Array(32), one]) {
      const signature = new Uint8Array(64)
      signature.set(weak)
      expect(verify(signature, new Uint8Array(5), weak)).toBe(false)
    }
  })

  it('BLAKE2b: keyed, and of the length asked for', () => {
    const message = new TextEncoder().encode('abc')
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
    // RFC 7693, appendix A.
    expect(hex(hash(message, 64)).startsWith('ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1')).toBe(
      true,
    )
    expect(hash(message)).toHaveLength(32)
    expect(equalBytes(hash(message, 16), hash(message, 16, new Uint8Array(32)))).toBe(false)
  })
})
