import { beforeAll, describe, expect, it } from 'vitest'
import { cryptoReady } from '../crypto/sodium.ts'
import { EXPIRES_MS, installationOf, keyOf } from '../testing/members.test-support.ts'
import { codeOf, SPACE } from '../testing/replicas.test-support.ts'
import { makePass, MAX_PASS_BYTES, readPass } from './pass.ts'

beforeAll(cryptoReady)

describe('a pass', () => {
  it('[MEM8] says who speaks, where and until when; no byte of it can be changed', () => {
    const pass = makePass(SPACE, installationOf(1).signing, EXPIRES_MS)
    expect(readPass(pass)).toEqual({ space: SPACE, key: keyOf(1), expiresMs: EXPIRES_MS })
    for (let bit = 0; bit < pass.length * 8; bit++) {
      const bent = pass.slice()
      bent[bit >> 3] ^= 1 << (bit & 7)
      expect(['MALFORMED', 'FORMAT_UNKNOWN', 'SIGNATURE_INVALID']).toContain(codeOf(() => readPass(bent)))
    }
    for (let length = 0; length < pass.length; length++)
      expect(codeOf(() => readPass(pass.subarray(0, length)))).toBe('MALFORMED')
    expect(codeOf(() => readPass(Uint8Array.of(...pass, 0)))).toBe('MALFORMED')
  })

  it('[MEM8] of the longest space and the furthest time fits', () => {
    const pass = makePass('x'.repeat(64), installationOf(1).signing, Number.MAX_SAFE_INTEGER)
    expect(pass.length).toBeLessThanOrEqual(MAX_PASS_BYTES)
  })
})
