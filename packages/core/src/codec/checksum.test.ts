import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { checksum } from './checksum.ts'

it('is the CRC-32 of zlib', () => {
  expect(checksum(new Uint8Array(0))).toBe(0)
  expect(checksum(new TextEncoder().encode('123456789'))).toBe(0xcbf43926)
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => checksum(bytes) === crc32(bytes)))
})
