import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { cryptoReady } from '../crypto/sodium.ts'
import {
  createMembers,
  EXPIRES_MS,
  installationOf,
  invitationOf,
  keyOf,
  memberOf,
} from '../testing/members.test-support.ts'
import { codeOf, hexOf, SPACE } from '../testing/replicas.test-support.ts'
import { decodeEntry, type Deed, encodeEntry, type Entry, MAX_ENTRY_BYTES, START_HASH } from './entry.ts'
import { publicKeysOf } from './secrets.ts'

beforeAll(cryptoReady)

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const free = fc.uint8Array({ maxLength: 200 })
const role = fc.constantFrom('reader', 'writer', 'admin')
const keys = fc.record({ key: bytes(32), sealingKey: bytes(32) })
const member = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
const maybeMember = fc.option(member, { nil: undefined })
const rotation = fc.record({
  epoch: fc.maxSafeNat(),
  commitment: bytes(32),
  previous: free,
  sealed: fc.array(free, { maxLength: 4 }),
})
const deeds: Record<Deed['kind'], fc.Arbitrary<unknown>> = {
  found: fc.record({ keys, rotation }),
  invite: fc.record({ keys, role, member: maybeMember, expiresMs: fc.maxSafeNat(), sealed: free }),
  withdraw: fc.record({ invitation: bytes(32) }),
  join: fc.record({ keys, invitation: bytes(32), proof: bytes(64), sealed: free }),
  admit: fc.record({ keys, role, member: maybeMember, sealed: free }),
  role: fc.record({ member, role }),
  remove: fc.record({ member, rotation: fc.option(rotation, { nil: undefined }) }),
  revoke: fc.record({ installation: bytes(32), rotation }),
  rotate: fc.record({ rotation }),
  retire: fc.record({ installation: bytes(32) }),
  return: fc.record({ installation: bytes(32) }),
  history: fc.record({ history: fc.constantFrom('keep', 'prune') }),
}
const deed = fc.oneof(
  ...Object.entries(deeds).map(([kind, rest]) => rest.map((fields) => ({ kind, ...(fields as object) }) as Deed)),
)
const entry = fc.record({ space: member, position: fc.maxSafeNat(), before: bytes(32), atMs: fc.maxSafeNat(), deed })

describe('an entry of the log of members', () => {
  it('[MEM1] reads back as what was written, and equal entries have equal bytes', () => {
    fc.assert(
      fc.property(entry, fc.integer({ min: 1, max: 5 }), (written, author) => {
        const encoded = encodeEntry(written, installationOf(author).signing)
        const expected: Entry = { ...written, author: keyOf(author) }
        expect(decodeEntry(encoded)).toEqual(expected)
        expect(hexOf(encodeEntry(decodeEntry(encoded), installationOf(author).signing))).toBe(hexOf(encoded))
      }),
      { numRuns: 200 },
    )
  })

  it('[MEM1] every truncation and every flipped bit is refused, of every deed', () => {
    const { next, act, membership } = createMembers()
    const acts = [
      [1, { kind: 'found' }],
      [1, { kind: 'invite', invitation: 9, role: 'writer' }],
      [2, { kind: 'join', invitation: 9 }],
      [1, { kind: 'invite', invitation: 8, role: 'reader', member: 1 }],
      [1, { kind: 'withdraw', invitation: 8 }],
      [1, { kind: 'admit', installation: 3, role: 'admin' }],
      [1, { kind: 'role', member: 2, role: 'reader' }],
      [1, { kind: 'retire', installation: 2 }],
      [1, { kind: 'return', installation: 2 }],
      [1, { kind: 'rotate' }],
      [1, { kind: 'revoke', installation: 2 }],
      [3, { kind: 'remove', member: 1 }],
    ] as const
    for (const [by, one] of acts) {
      const encoded = next(by, one)
      for (let length = 0; length < encoded.length; length++)
        expect(codeOf(() => decodeEntry(encoded.subarray(0, length)))).toBe('MALFORMED')
      expect(codeOf(() => decodeEntry(Uint8Array.of(...encoded, 0)))).toBe('MALFORMED')
      const codes = new Set<string>()
      // Each byte once: all bits of all of them would be 80,000 signatures.
      for (let at = 0; at < encoded.length; at++) {
        const bent = encoded.slice()
        bent[at] ^= 1 << (at % 8)
        codes.add(codeOf(() => decodeEntry(bent)))
        expect(codeOf(() => membership.judge(bent))).not.toBe('ok')
      }
      expect(new Set(['MALFORMED', 'FORMAT_UNKNOWN', 'SIGNATURE_INVALID']).isSupersetOf(codes), [...codes].join()).toBe(
        true,
      )
      expect(codes).toContain('SIGNATURE_INVALID')
      act(by, one)
    }
    expect(membership.length).toBe(acts.length)
  }, 30_000)

  it('[MEM1] a role, a deed, a flag or a format that is not known is refused, whoever signed it', () => {
    const { deedOf } = createMembers()
    const base = { space: SPACE, position: 1, before: START_HASH, atMs: 0 }
    const { signing } = installationOf(1)
    const found = encodeEntry({ ...base, deed: deedOf(1, { kind: 'found' }) }, signing)
    const kindAt = 3 + 1 + 1 + SPACE.length + 1 + 32 + 32 + 1
    const withByte = (at: number, value: number): Uint8Array => {
      const bent = found.slice()
      bent[at] = value
      return bent
    }
    expect(codeOf(() => decodeEntry(withByte(3, 2)))).toBe('FORMAT_UNKNOWN')
    expect(codeOf(() => decodeEntry(withByte(0, 0)))).toBe('MALFORMED')
    expect(codeOf(() => decodeEntry(withByte(kindAt, 11)))).toBe('MALFORMED')
    const role = encodeEntry({ ...base, deed: { kind: 'role', member: 'm', role: 'admin' } }, signing)
    role[role.length - 65] = 3
    expect(codeOf(() => decodeEntry(role))).toBe('MALFORMED')
    const remove = encodeEntry({ ...base, deed: { kind: 'remove', member: 'm', rotation: undefined } }, signing)
    remove[remove.length - 65] = 2
    expect(codeOf(() => decodeEntry(remove))).toBe('MALFORMED')
  })

  it('[MEM1] what is larger than an entry may be is refused before it is read', () => {
    expect(codeOf(() => decodeEntry(new Uint8Array(MAX_ENTRY_BYTES + 1)))).toBe('TOO_LARGE')
    const keys = publicKeysOf(invitationOf(1))
    const invite = { kind: 'invite', keys, role: 'reader', member: memberOf(1), expiresMs: EXPIRES_MS } as const
    const large = encodeEntry(
      {
        space: SPACE,
        position: 1,
        before: START_HASH,
        atMs: 0,
        deed: { ...invite, sealed: new Uint8Array(MAX_ENTRY_BYTES) },
      },
      installationOf(1).signing,
    )
    expect(codeOf(() => decodeEntry(large))).toBe('TOO_LARGE')
  })
})
