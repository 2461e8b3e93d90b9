import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DriftlogError } from '../errors.ts'
import { compareDevices, type DeviceId, deviceIdFromBytes, isDeviceId } from './dot.ts'
import {
  decodeVector,
  dominates,
  emptyVector,
  encodeVector,
  equalVectors,
  includes,
  join,
  missing,
  seqOf,
  type VersionVector,
} from './version-vector.ts'

const devices = Array.from({ length: 4 }, (_, index) => deviceIdFromBytes(new Uint8Array(16).fill(index * 60)))

/** Entries of 0 too: they mean the same as none. */
const vector: fc.Arbitrary<VersionVector> = fc
  .array(fc.tuple(fc.constantFrom(...devices), fc.nat({ max: 6 })), { maxLength: 6 })
  .map((entries) => new Map(entries))

/** The naive model: the set of dots that a vector stands for (VV1: all up to its seq). */
const dotsOf = (of: VersionVector): Set<string> =>
  new Set([...of].flatMap(([device, seq]) => Array.from({ length: seq }, (_, index) => `${device} ${index + 1}`)))
const isSubset = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean => [...a].every((dot) => b.has(dot))
const same = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean => isSubset(a, b) && isSubset(b, a)

describe('VV1 a version vector stands for the dots up to its seqs', () => {
  it('includes exactly these', () => {
    fc.assert(
      fc.property(vector, fc.constantFrom(...devices), fc.integer({ min: 1, max: 8 }), (of, device, seq) => {
        expect(includes(of, { device, seq })).toBe(dotsOf(of).has(`${device} ${seq}`))
        expect(seqOf(of, device)).toBe([...dotsOf(of)].filter((dot) => dot.startsWith(device)).length)
      }),
    )
  })

  it('dominates is superset, equal is equality, join is union', () => {
    fc.assert(
      fc.property(vector, vector, (a, b) => {
        const [x, y] = [dotsOf(a), dotsOf(b)]
        expect(dominates(a, b)).toBe(isSubset(y, x))
        expect(equalVectors(a, b)).toBe(same(x, y))
        expect(same(dotsOf(join(a, b)), new Set([...x, ...y]))).toBe(true)
      }),
    )
  })

  it('join is commutative, associative and idempotent, and leaves its arguments alone', () => {
    fc.assert(
      fc.property(vector, vector, vector, (a, b, c) => {
        const before = [new Map(a), new Map(b)]
        expect(equalVectors(join(a, b), join(b, a))).toBe(true)
        expect(equalVectors(join(join(a, b), c), join(a, join(b, c)))).toBe(true)
        expect(equalVectors(join(a, a), a)).toBe(true)
        expect(equalVectors(join(a, emptyVector), a)).toBe(true)
        expect([a, b]).toEqual(before)
      }),
    )
  })

  it('missing is difference, as ranges ordered by device', () => {
    fc.assert(
      fc.property(vector, vector, (have, want) => {
        const ranges = missing(have, want)
        const dots = ranges.flatMap(({ device, fromSeq, toSeq }) =>
          Array.from({ length: toSeq - fromSeq + 1 }, (_, index) => `${device} ${fromSeq + index}`),
        )
        const lacking = [...dotsOf(want)].filter((dot) => !dotsOf(have).has(dot))
        expect(same(new Set(dots), new Set(lacking))).toBe(true)
        expect(dots).toHaveLength(new Set(dots).size)
        expect(ranges.every(({ fromSeq, toSeq }) => fromSeq <= toSeq)).toBe(true)
        const order = ranges.map(({ device }) => device)
        expect(order).toEqual(order.toSorted(compareDevices))
      }),
    )
  })
})

describe('the encoding of a vector', () => {
  const wide = fc
    .array(fc.tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }).map(deviceIdFromBytes), fc.maxSafeNat()), {
      maxLength: 20,
    })
    .map((entries): VersionVector => new Map(entries))

  it('goes there and back, and is the same for equal vectors', () => {
    fc.assert(
      fc.property(wide, (of) => {
        const encoded = encodeVector(of)
        const back = decodeVector(encoded)
        expect(equalVectors(back, of)).toBe(true)
        expect([...back.values()].every((seq) => seq > 0)).toBe(true)
        expect(encodeVector(new Map([...of].toReversed()))).toEqual(encoded)
        expect(encodeVector(back)).toEqual(encoded)
      }),
    )
  })

  it('is canonical: what decodes is what would be encoded; all else is MALFORMED', () => {
    const mutated = fc.tuple(wide, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([of, at, flip]) => {
      const encoded = encodeVector(of).slice()
      encoded[at % encoded.length] ^= flip
      return encoded
    })
    const truncated = fc
      .tuple(wide, fc.nat())
      .map(([of, at]) => encodeVector(of).subarray(0, at % encodeVector(of).length))
    fc.assert(
      fc.property(fc.oneof(mutated, truncated, fc.uint8Array({ maxLength: 60 })), (bytes) => {
        let decoded: VersionVector
        try {
          decoded = decodeVector(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(DriftlogError)
          expect(error).toMatchObject({ code: 'MALFORMED' })
          return
        }
        expect(encodeVector(decoded)).toEqual(bytes)
      }),
      { numRuns: 2000 },
    )
  })

  it('refuses an entry count that the data cannot hold, before it allocates', () => {
    const huge = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f)
    expect(() => decodeVector(huge)).toThrow(expect.objectContaining({ code: 'MALFORMED' }))
  })
})

it('a device id is 16 bytes in one way of writing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
      if (bytes.length === 16) expect(isDeviceId(deviceIdFromBytes(bytes))).toBe(true)
      else expect(() => deviceIdFromBytes(bytes)).toThrow(expect.objectContaining({ code: 'MALFORMED' }))
    }),
  )
  const valid: DeviceId = devices[1]
  for (const wrong of [
    '',
    valid.slice(1),
    `${valid}A`,
    `${valid.slice(0, -1)}B`,
    `${valid.slice(0, -1)}=`,
    `\n${valid}`,
  ]) {
    expect(isDeviceId(wrong)).toBe(false)
  }
})
