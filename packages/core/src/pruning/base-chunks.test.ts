import { beforeAll, describe, expect, it } from 'vitest'
import { Keyring } from '../crypto/keyring.ts'
import { cryptoReady, hash } from '../crypto/sodium.ts'
import { sealBase, unsealBase } from './base-chunks.ts'

beforeAll(cryptoReady)

const ring = (space = 'home', byte = 1): Keyring =>
  Keyring.encrypted(space, new Map([[1, new Uint8Array(32).fill(byte)]]))
const random = { bytes: (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length)) }
// Does not deflate, so that there are several chunks.
const bytes = Uint8Array.from({ length: 1_200_000 }, (_, index) => (index * 2_654_435_761) >>> ((index % 3) * 8))

describe('the chunks of a base', () => {
  it('BASE1, KEY6: open to its bytes, in their places, in its space, under its key, as its digest', () => {
    const digest = hash(bytes)
    const { epoch, chunks } = sealBase(bytes, digest, ring(), random)
    const sealed = { digest, epoch, bytes: bytes.length }
    expect(unsealBase(sealed, chunks, ring())).toEqual(bytes)
    expect(chunks.length).toBeGreaterThan(1)
    const damaged = { code: 'STORAGE_DAMAGED' }
    const opening =
      (of = sealed, from = chunks, by = ring()) =>
      () =>
        unsealBase(of, from, by)
    expect(opening(sealed, chunks.toReversed())).toThrow(expect.objectContaining(damaged))
    expect(opening(sealed, chunks.slice(0, -1))).toThrow(expect.objectContaining(damaged))
    expect(opening({ ...sealed, digest: hash(digest) })).toThrow(expect.objectContaining(damaged))
    expect(opening(sealed, chunks, ring('away'))).toThrow(expect.objectContaining(damaged))
    expect(opening(sealed, chunks, ring('home', 2))).toThrow(expect.objectContaining(damaged))
    expect(opening({ ...sealed, epoch: 2 })).toThrow(expect.objectContaining({ code: 'KEY_MISSING' }))
  })
})
