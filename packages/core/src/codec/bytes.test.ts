import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DriftlogError } from '../errors.ts'
import { ByteReader, ByteWriter, concatBytes, equalBytes, fromBase64Url, toBase64Url } from './bytes.ts'

const MAX = Number.MAX_SAFE_INTEGER
const text = fc.string({ unit: 'binary', maxLength: 300 })
const bytes = fc.uint8Array({ maxLength: 300 })
/** Sizes of every magnitude: uniform integers would nearly all be of the longest encoding. */
const varint = fc.nat({ max: 53 }).chain((bits) => fc.maxSafeNat().map((n) => (bits === 53 ? n : n % 2 ** bits)))

const written = (write: (writer: ByteWriter) => unknown, capacity?: number): Uint8Array => {
  const writer = new ByteWriter(capacity)
  write(writer)
  return writer.finish()
}
const isMalformed = (act: () => unknown): boolean => {
  try {
    act()
    return false
  } catch (error) {
    if (error instanceof DriftlogError && error.code === 'MALFORMED') return true
    throw error
  }
}

type Item =
  | readonly ['byte' | 'varint' | 'zigzag' | 'float64', number]
  | readonly ['string', string]
  | readonly ['bytes', Uint8Array]

const item: fc.Arbitrary<Item> = fc.oneof(
  fc.tuple(fc.constant('byte' as const), fc.nat({ max: 255 })),
  fc.tuple(fc.constant('varint' as const), varint),
  fc.tuple(fc.constant('zigzag' as const), fc.integer({ min: -(2 ** 52) + 1, max: 2 ** 52 - 1 })),
  fc.tuple(fc.constant('float64' as const), fc.double()),
  fc.tuple(fc.constant('string' as const), text),
  fc.tuple(fc.constant('bytes' as const), bytes),
)
const write = (writer: ByteWriter, [kind, value]: Item): unknown => {
  switch (kind) {
    case 'string':
      return writer.string(value)
    case 'bytes':
      return writer.bytes(value)
    default:
      return writer[kind](value)
  }
}

describe('ByteWriter and ByteReader', () => {
  it('read back what was written, in any mix and from any capacity', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 20 }), fc.integer({ min: 1, max: 64 }), (items, capacity) => {
        const encoded = written((writer) => items.forEach((each) => write(writer, each)), capacity)
        // Inside a larger buffer, so that nothing relies on offset 0.
        const reader = new ByteReader(
          concatBytes(new Uint8Array(7), encoded, new Uint8Array(3)).subarray(7, 7 + encoded.length),
        )
        for (const [kind, value] of items) expect(reader[kind]()).toEqual(value)
        reader.expectEnd()
        expect(reader.remaining).toBe(0)
      }),
    )
  })

  it('a varint is what BigInt says', () => {
    const naive = (value: number): number[] => {
      const digits: number[] = []
      for (let rest = BigInt(value); ; rest >>= 7n) {
        if (rest < 128n) return [...digits, Number(rest)]
        digits.push(Number(rest & 127n) | 128)
      }
    }
    const edges = [0, 127, 128, 16383, 16384, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 49 - 1, 2 ** 49, MAX - 1, MAX]
    for (const value of edges) expect([...written((writer) => writer.varint(value))]).toEqual(naive(value))
    fc.assert(
      fc.property(varint, (value) => {
        expect([...written((writer) => writer.varint(value))]).toEqual(naive(value))
      }),
    )
  })

  it('have one encoding of each integer: what decodes is what would be written', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 10 }), (encoded) => {
        const reader = new ByteReader(encoded)
        let value = 0
        if (isMalformed(() => (value = reader.varint()))) return
        expect(Number.isSafeInteger(value)).toBe(true)
        expect([...written((writer) => writer.varint(value))]).toEqual([...encoded.subarray(0, reader.position)])
      }),
      { numRuns: 2000 },
    )
  })

  it('refuse padded integers and integers beyond 2^53', () => {
    const refused = [
      [0x80, 0],
      [0xff, 0x80, 0],
      // 2^53 and the largest of eight bytes; then nine.
      [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
      [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1],
    ]
    for (const encoded of refused)
      expect(isMalformed(() => new ByteReader(Uint8Array.from(encoded)).varint())).toBe(true)
  })

  it('refuse text that is not UTF-8, short or long', () => {
    for (const wrong of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82]]) {
      for (const before of ['', 'x'.repeat(31), 'x'.repeat(200)]) {
        const raw = concatBytes(new TextEncoder().encode(before), Uint8Array.from(wrong))
        const encoded = written((writer) => writer.bytes(raw))
        expect(isMalformed(() => new ByteReader(encoded).string())).toBe(true)
      }
    }
  })

  it('keep a byte order mark, which is text like any other', () => {
    const marked = '\ufeffé'
    expect(new ByteReader(written((writer) => writer.string(marked))).string()).toBe(marked)
  })

  it('throw MALFORMED and nothing else, on every truncation and on random bytes', () => {
    const readers = ['byte', 'varint', 'zigzag', 'float64', 'string', 'bytes', 'count'] as const
    fc.assert(
      fc.property(item, (each) => {
        const encoded = written((writer) => write(writer, each))
        for (let length = 0; length < encoded.length; length++) {
          expect(isMalformed(() => new ByteReader(encoded.subarray(0, length))[each[0]]())).toBe(true)
        }
      }),
    )
    fc.assert(
      fc.property(bytes, fc.array(fc.constantFrom(...readers), { maxLength: 20 }), (random, kinds) => {
        const reader = new ByteReader(random)
        isMalformed(() => {
          for (const kind of kinds) reader[kind]()
          reader.ascii(5)
          reader.raw(5)
          reader.expectEnd()
        })
        expect(reader.position).toBeLessThanOrEqual(random.length)
      }),
      { numRuns: 2000 },
    )
  })

  it('a count is bounded by what is left to read', () => {
    const encoded = written((writer) => writer.varint(3).raw(new Uint8Array(6)))
    expect(new ByteReader(encoded).count(2)).toBe(3)
    expect(isMalformed(() => new ByteReader(encoded).count(3))).toBe(true)
    const huge = written((writer) => writer.varint(MAX))
    expect(isMalformed(() => new ByteReader(huge).count(17))).toBe(true)
  })

  it('ascii goes there and back, and nothing else is ASCII', () => {
    const encoded = written((writer) => writer.ascii('\0 az~\x7f'), 1)
    expect(new ByteReader(encoded).ascii(6)).toBe('\0 az~\x7f')
    expect(isMalformed(() => new ByteReader(Uint8Array.of(65, 128)).ascii(2))).toBe(true)
  })
})

describe('base64url', () => {
  it('is what Node says', () => {
    fc.assert(
      fc.property(bytes, (raw) => {
        expect(toBase64Url(raw)).toBe(Buffer.from(raw).toString('base64url'))
        expect(fromBase64Url(toBase64Url(raw))).toEqual(raw)
      }),
    )
  })

  it('accepts one text for each value', () => {
    const character = fc.constantFrom(...Array.from('AQgwZaz09-_+/=é \u{1f600}'))
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 12 }), (candidate) => {
        let raw: Uint8Array | undefined
        if (!isMalformed(() => (raw = fromBase64Url(candidate)))) expect(raw && toBase64Url(raw)).toBe(candidate)
      }),
      { numRuns: 2000 },
    )
    for (const wrong of ['A', 'AAAAA', 'AB', 'AAB', 'AA==', 'A+', 'A/', 'é', 'AA ']) {
      expect(isMalformed(() => fromBase64Url(wrong))).toBe(true)
    }
  })
})

it('equalBytes compares contents, whatever the buffers', () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      expect(equalBytes(a, a.slice())).toBe(true)
      expect(equalBytes(a, concatBytes(new Uint8Array(2), a).subarray(2))).toBe(true)
      expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0)
    }),
  )
})
