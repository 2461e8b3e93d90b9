import { beforeAll, expect, it } from 'vitest'
import { deriveKey } from './cipher.ts'
import { cryptoReady } from './sodium.ts'

beforeAll(cryptoReady)

it('[KEY6] a key is derived from 32 bytes and from nothing else', () => {
  expect(deriveKey(new Uint8Array(32), 'purpose')).toHaveLength(32)
  for (const key of [
    undefined,
    new Uint8Array(0),
    new Uint8Array(16),
    new Uint8Array(31),
    new Uint8Array(64),
  ] as Uint8Array[])
    expect(() => deriveKey(key, 'purpose')).toThrowError('32 bytes')
})
