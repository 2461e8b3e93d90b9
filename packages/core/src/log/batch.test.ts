import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type DeviceId, deviceIdFromBytes } from '../clock/dot.ts'
import { ByteReader, ByteWriter, equalBytes } from '../codec/bytes.ts'
import { fingerprint, makeCertificate } from '../crypto/identity.ts'
import { cryptoReady, type SigningKeys, signingKeysFromSeed } from '../crypto/sodium.ts'
import { DriftlogError, type ErrorCode } from '../errors.ts'
import {
  assembleBatch,
  type Batch,
  type BatchHeader,
  decodeBatch,
  encodeHeader,
  firstTagOf,
  isSpaceId,
  MAX_BATCH_BYTES,
  MAX_BATCH_OPS,
  MAX_SHIFTS,
  type RunEnd,
  type Shift,
  SIGNATURE_BYTES,
  startTagOf,
} from './batch.ts'
import { signBatch, verifyBatch } from './signature.ts'

const space = 'home'
const noSignature = new Uint8Array(SIGNATURE_BYTES)
const tag = fc.uint8Array({ minLength: 16, maxLength: 16 })

const device = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(deviceIdFromBytes)
const shift: fc.Arbitrary<Shift> = fc.record({
  device,
  base: fc.maxSafeNat(),
  firstTag: tag,
  shift: fc.maxSafeNat(),
  floor: fc.maxSafeNat(),
})

const header: fc.Arbitrary<BatchHeader> = fc
  .record({
    space: fc.stringMatching(/^[\w-]{1,64}$/),
    device,
    fromSeq: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 1000 })),
    ops: fc.integer({ min: 1, max: MAX_BATCH_OPS }),
    coarseMaxHlc: fc.maxSafeNat(),
    keyEpoch: fc.maxSafeNat(),
    flags: fc.nat({ max: 1 }),
    tagBefore: tag,
    tagAfter: tag,
    // How many ops each inner run has; those that do not fit are left out.
    inner: fc.array(fc.record({ length: fc.integer({ min: 1, max: 200 }), tag }), { maxLength: 6 }),
    shifts: fc.array(shift, { maxLength: 3 }),
    certificate: fc.uint8Array({ maxLength: 200 }),
  })
  .map(({ ops, inner, ...fields }) => ({
    ...fields,
    format: 1,
    toSeq: fields.fromSeq + ops - 1,
    innerEnds: endsOf(fields.fromSeq, ops, inner),
    shifts: fields.fromSeq === 1 ? fields.shifts : [],
    certificate: fields.fromSeq === 1 ? fields.certificate : undefined,
  }))

const endsOf = (
  fromSeq: number,
  ops: number,
  inner: readonly { readonly length: number; readonly tag: Uint8Array }[],
): RunEnd[] => {
  const ends: RunEnd[] = []
  let toSeq = fromSeq - 1
  for (const { length, tag } of inner) {
    toSeq += length
    if (toSeq < fromSeq + ops - 1) ends.push({ toSeq, tag })
  }
  return ends
}

/** The code with which `act` is refused, undefined where it is not; anything but a catalogued refusal fails the test. */
const refusal = (act: () => unknown): ErrorCode | undefined => {
  try {
    act()
    return undefined
  } catch (error) {
    if (error instanceof DriftlogError) return error.code
    throw error
  }
}
const base: BatchHeader = {
  format: 1,
  space,
  device: 'AAAAAAAAAAAAAAAAAAAAAA' as DeviceId,
  fromSeq: 5,
  toSeq: 7,
  coarseMaxHlc: 9,
  keyEpoch: 0,
  flags: 0,
  tagBefore: new Uint8Array(16),
  tagAfter: new Uint8Array(16),
  innerEnds: [],
  shifts: [],
  certificate: undefined,
}
/** Of a device's first batch, which may state shifts. */
const firstOf = (shifts: readonly Shift[]): Partial<BatchHeader> => ({
  fromSeq: 1,
  toSeq: 2,
  shifts,
  certificate: new Uint8Array(0),
})
const decoding = (changes: Partial<BatchHeader>): ErrorCode | undefined =>
  refusal(() => assembleBatch(encodeHeader({ ...base, ...changes }), new Uint8Array(3), noSignature))

describe('a batch', () => {
  it('ENV goes there and back: header, body and signature', () => {
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 300 }), (fields, body) => {
        const headerBytes = encodeHeader(fields)
        const signature = new Uint8Array(64).fill(7)
        const batch = decodeBatch(assembleBatch(headerBytes, body, signature).bytes)
        expect(batch.header).toEqual(fields)
        expect([batch.headerBytes, batch.body, batch.signature]).toEqual([headerBytes, body, signature])
        // One encoding: what was decoded encodes to the same bytes.
        expect(encodeHeader(batch.header)).toEqual(headerBytes)
      }),
    )
  })

  it('decodes from inside a larger buffer', () => {
    const { bytes } = assembleBatch(encodeHeader(base), new Uint8Array(3), noSignature)
    const larger = new Uint8Array(bytes.length + 20).fill(255)
    larger.set(bytes, 10)
    expect(decodeBatch(larger.subarray(10, 10 + bytes.length)).header).toEqual(base)
  })

  it('names what it refuses', () => {
    expect(decoding({})).toBeUndefined()
    expect(decoding({ format: 2 })).toBe('FORMAT_UNKNOWN')
    // Stored and passed on by who need not open it (SEEN3); `openBatch` refuses it.
    expect(decoding({ flags: 2 })).toBeUndefined()
    expect(decoding({ fromSeq: 0 })).toBe('MALFORMED')
    expect(decoding({ fromSeq: 8 })).toBe('MALFORMED')
    expect(decoding({ toSeq: 5 + MAX_BATCH_OPS - 1 })).toBeUndefined()
    expect(decoding({ toSeq: 5 + MAX_BATCH_OPS })).toBe('TOO_LARGE')
    expect(decoding({ certificate: new Uint8Array(3) })).toBe('MALFORMED')
    expect(decoding({ fromSeq: 1 })).toBe('MALFORMED')
    for (const bad of ['', 'x'.repeat(65), 'a b', '../up', 'é', 'a\n'])
      expect(decoding({ space: bad })).toBe('MALFORMED')
    expect(refusal(() => decodeBatch(new Uint8Array(MAX_BATCH_BYTES + 1)))).toBe('TOO_LARGE')
    expect(refusal(() => decodeBatch(new Uint8Array(0)))).toBe('MALFORMED')
  })

  it('ENV1 inner ends rise and leave the last run an op', () => {
    const ending = (...ends: readonly number[]): ErrorCode | undefined =>
      decoding({ innerEnds: ends.map((toSeq) => ({ toSeq, tag: new Uint8Array(16) })) })
    expect(ending(5)).toBeUndefined()
    expect(ending(6)).toBeUndefined()
    expect(ending(5, 6)).toBeUndefined()
    expect(ending(7)).toBe('MALFORMED')
    expect(ending(8)).toBe('MALFORMED')
    expect(ending(5, 6, 7)).toBe('MALFORMED')
    expect(ending(6, 7)).toBe('MALFORMED')
    expect(ending(Number.MAX_SAFE_INTEGER)).toBe('MALFORMED')
  })

  it('ENV1 counts of inner ends and of shifts are checked before anything is read', () => {
    const plain = encodeHeader({ ...base, ...firstOf([]) })
    // Behind the tag before: no inner ends; behind the tag after: no shifts, and an empty certificate.
    const shiftsAt = plain.length - 2
    const endsAt = shiftsAt - 17
    const withCount = (at: number, ...count: readonly number[]): ErrorCode | undefined =>
      refusal(() =>
        assembleBatch(
          Uint8Array.of(...plain.subarray(0, at), ...count, ...plain.subarray(at + 1)),
          new Uint8Array(3),
          noSignature,
        ),
      )
    for (const at of [endsAt, shiftsAt]) {
      expect(withCount(at, 0)).toBeUndefined()
      expect(withCount(at, 1)).toBe('MALFORMED')
      expect(withCount(at, 0xff, 0xff, 0xff, 0x7f)).toBe('MALFORMED')
      // Not in its shortest form.
      expect(withCount(at, 0x80, 0)).toBe('MALFORMED')
    }
  })

  it('ENV1 at most MAX_SHIFTS shifts are read', () => {
    const shift = { device: base.device, base: 0, firstTag: new Uint8Array(16), shift: 0, floor: 0 }
    const stating = (count: number): ErrorCode | undefined => decoding(firstOf(Array<Shift>(count).fill(shift)))
    expect(stating(MAX_SHIFTS)).toBeUndefined()
    expect(stating(MAX_SHIFTS + 1)).toBe('TOO_LARGE')
  })

  it('ENV1 shifts are whole, and nothing stands behind them', () => {
    const shifts = [{ device: base.device, base: 0, firstTag: new Uint8Array(16), shift: 0, floor: 0 }]
    const whole = encodeHeader({ ...base, ...firstOf(shifts) })
    const cut = (length: number): ErrorCode | undefined =>
      refusal(() => assembleBatch(whole.subarray(0, length), new Uint8Array(3), noSignature))
    expect(cut(whole.length)).toBeUndefined()
    for (let missing = 1; missing <= 36; missing++) expect(cut(whole.length - missing)).toBe('MALFORMED')
    const longer = Uint8Array.of(...whole, 0)
    expect(refusal(() => assembleBatch(longer, new Uint8Array(3), noSignature))).toBe('MALFORMED')
  })

  it('BR2 only a first batch states shifts', () => {
    const shifts = [{ device: base.device, base: 0, firstTag: new Uint8Array(16), shift: 0, floor: 0 }]
    expect(() => encodeHeader({ ...base, shifts })).toThrow('first batch')
    const empty = Uint8Array.of(...encodeHeader(base), 0)
    expect(refusal(() => assembleBatch(empty, new Uint8Array(3), noSignature))).toBe('MALFORMED')
  })

  it('BR1 the first tag is that after the first run, however many follow', () => {
    const [one, two] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)]
    expect(firstTagOf({ ...base, tagAfter: two })).toBe(two)
    expect(firstTagOf({ ...base, tagAfter: two, innerEnds: [{ toSeq: 5, tag: one }] })).toBe(one)
    const ends = [
      { toSeq: 5, tag: one },
      { toSeq: 6, tag: new Uint8Array(16) },
    ]
    expect(firstTagOf({ ...base, tagAfter: two, innerEnds: ends })).toBe(one)
  })

  it('a space id has 1 to 64 characters that are safe in any name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 70 }), (candidate) => {
        const isSafe = candidate.length >= 1 && candidate.length <= 64 && /^[A-Za-z0-9_-]*$/.test(candidate)
        expect(isSpaceId(candidate)).toBe(isSafe)
      }),
    )
    expect(isSpaceId('home\n')).toBe(false)
  })

  it('random bytes and random mutations are refused with a code or decode to what they encode', () => {
    const mutated = fc
      .tuple(
        header,
        fc.uint8Array({ maxLength: 40 }),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 }),
      )
      .map(([fields, body, changes]) => {
        const bytes = assembleBatch(encodeHeader(fields), body, noSignature).bytes.slice()
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        return bytes
      })
    const framed = fc
      .tuple(fc.uint8Array({ maxLength: 120 }), fc.uint8Array({ minLength: 64, maxLength: 80 }))
      .map(([rest, tail]) =>
        new ByteWriter()
          .bytes(Uint8Array.of(0x44, 0x4c, 0x42, 1, ...rest))
          .raw(tail)
          .finish(),
      )
    fc.assert(
      fc.property(fc.oneof(mutated, framed, fc.uint8Array({ maxLength: 400 })), (bytes) => {
        let batch: Batch | undefined
        const code = refusal(() => (batch = decodeBatch(bytes)))
        if (code !== undefined) expect(['MALFORMED', 'TOO_LARGE', 'FORMAT_UNKNOWN']).toContain(code)
        else if (batch !== undefined) expect(equalBytes(encodeHeader(batch.header), batch.headerBytes)).toBe(true)
      }),
      { numRuns: 3000 },
    )
  })
})

describe('a signed batch', () => {
  let author: SigningKeys
  let other: SigningKeys
  let certificate: Uint8Array
  let first: Batch
  let later: Batch

  const signed = (fields: Partial<BatchHeader>, keys: SigningKeys, body = new TextEncoder().encode('body')): Batch => {
    const header = { ...base, device: fingerprint(author.publicKey), ...fields }
    const tagBefore = fields.tagBefore ?? (header.certificate ? startTagOf(header, header.certificate) : base.tagBefore)
    const headerBytes = encodeHeader({ ...header, tagBefore })
    return assembleBatch(headerBytes, body, signBatch(headerBytes, body, keys))
  }

  beforeAll(async () => {
    await cryptoReady()
    author = signingKeysFromSeed(new Uint8Array(32).fill(1))
    other = signingKeysFromSeed(new Uint8Array(32).fill(2))
    certificate = makeCertificate(space, author.publicKey, other)
    const innerEnds = [{ toSeq: 1, tag: new Uint8Array(16).fill(3) }]
    const shifts = [{ device: base.device, base: 4, firstTag: new Uint8Array(16).fill(5), shift: 300, floor: 7 }]
    first = signed({ fromSeq: 1, toSeq: 2, innerEnds, shifts, certificate }, author)
    later = signed({}, author)
  })

  it('is by the device in its header', () => {
    expect(refusal(() => verifyBatch(first, undefined))).toBeUndefined()
    expect(refusal(() => verifyBatch(later, certificate))).toBeUndefined()
    expect(refusal(() => verifyBatch(later, undefined))).toBe('CERTIFICATE_INVALID')
    expect(refusal(() => verifyBatch(signed({}, other), certificate))).toBe('SIGNATURE_INVALID')
    const strange = makeCertificate(space, other.publicKey, other)
    expect(refusal(() => verifyBatch(later, strange))).toBe('CERTIFICATE_INVALID')
    const elsewhere = signed({ space: 'other', fromSeq: 1, toSeq: 2, certificate }, author)
    expect(refusal(() => verifyBatch(elsewhere, undefined))).toBe('CERTIFICATE_INVALID')
  })

  it('a first batch goes by the certificate that it brings, not by one that is known', () => {
    const brought = signed(
      { fromSeq: 1, toSeq: 2, certificate: makeCertificate(space, other.publicKey, other) },
      author,
    )
    expect(refusal(() => verifyBatch(brought, certificate))).toBe('CERTIFICATE_INVALID')
  })

  it('OP3 BR2 the chain of a first batch begins with the certificate and the shifts that it brings', () => {
    const shift = { device: base.device, base: 4, firstTag: new Uint8Array(16), shift: 300, floor: 7 }
    const { tagBefore } = signed({ ...firstOf([shift]), certificate }, author).header
    const stating = (shifts: readonly Shift[], fields: Partial<BatchHeader> = {}): ErrorCode | undefined =>
      refusal(() => verifyBatch(signed({ ...firstOf(shifts), certificate, tagBefore, ...fields }, author), undefined))
    expect(stating([shift])).toBeUndefined()
    expect(stating([])).toBe('MALFORMED')
    expect(stating([{ ...shift, shift: 301 }])).toBe('MALFORMED')
    expect(stating([shift, shift])).toBe('MALFORMED')
    expect(stating([shift], { certificate: makeCertificate(space, author.publicKey, author) })).toBe('MALFORMED')
    // In every key epoch: that tag is made of what the header says.
    expect(stating([shift], { keyEpoch: 1 })).toBeUndefined()
    expect(stating([], { keyEpoch: 1 })).toBe('MALFORMED')
  })

  const allowed: readonly (ErrorCode | undefined)[] = [
    ...(['MALFORMED', 'TOO_LARGE', 'FORMAT_UNKNOWN', 'CERTIFICATE_INVALID', 'SIGNATURE_INVALID'] as const),
  ]
  const taken = (bytes: Uint8Array): ErrorCode | undefined =>
    refusal(() => verifyBatch(decodeBatch(bytes), certificate))

  it('is refused with any bit of it flipped', { timeout: 60_000 }, () => {
    for (const { bytes } of [first, later]) {
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = bytes.slice()
        flipped[bit >> 3] ^= 1 << (bit & 7)
        expect(allowed).toContain(taken(flipped))
      }
    }
  })

  it('is refused at every other length', { timeout: 60_000 }, () => {
    for (const { bytes } of [first, later]) {
      for (let length = 0; length < bytes.length; length++) expect(allowed).toContain(taken(bytes.subarray(0, length)))
      for (const more of [1, 64]) expect(allowed).toContain(taken(Uint8Array.of(...bytes, ...new Uint8Array(more))))
    }
  })

  it('is refused where header and body are cut elsewhere', () => {
    // The same bytes under another header length: the signature says where the header ends.
    const headerLength = later.headerBytes.length
    const rest = later.bytes.subarray(new ByteReader(later.bytes).bytes().length + 1)
    for (const length of [headerLength - 1, headerLength + 1]) {
      const shifted = new ByteWriter().varint(length).raw(later.headerBytes).raw(rest).finish()
      expect(allowed).toContain(taken(shifted))
    }
  })

  it('cannot be moved: with any field of its header changed its signature fails', () => {
    const changes: Partial<BatchHeader>[] = [
      { fromSeq: 6 },
      { toSeq: 8 },
      { coarseMaxHlc: 10 },
      { keyEpoch: 1 },
      { flags: 1 },
      { tagBefore: new Uint8Array(16).fill(1) },
      { tagAfter: new Uint8Array(16).fill(1) },
      { innerEnds: [{ toSeq: 5, tag: new Uint8Array(16) }] },
    ]
    for (const change of changes) {
      const moved = assembleBatch(encodeHeader({ ...later.header, ...change }), later.body, later.signature)
      expect(refusal(() => verifyBatch(moved, certificate))).toBe('SIGNATURE_INVALID')
    }
    const without = assembleBatch(encodeHeader({ ...first.header, shifts: [] }), first.body, first.signature)
    expect(refusal(() => verifyBatch(without, undefined))).toBe('SIGNATURE_INVALID')
  })
})
