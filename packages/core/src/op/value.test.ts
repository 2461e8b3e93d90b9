import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteReader, ByteWriter } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import { codeOf } from '../testing/replicas.test-support.ts'
import { MAX_DEPTH, readValue, type Value, writeValue } from './value.ts'

const encode = (value: Value): Uint8Array => {
  const writer = new ByteWriter(8)
  writeValue(writer, value)
  return writer.finish().slice()
}

/** undefined: too deep. */
const decode = (bytes: Uint8Array): Value | undefined => {
  const reader = new ByteReader(bytes)
  const value = readValue(reader)
  reader.expectEnd()
  return value
}

const text = fc.string({ unit: 'binary' }).filter((candidate) => candidate.isWellFormed())
const number = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -200, max: 200 }),
  fc.double({ noNaN: true, noDefaultInfinity: true, noInteger: true }),
)
const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, false, true),
    number.map((candidate) => (Object.is(candidate, -0) ? 0 : candidate)),
    text,
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(fc.oneof(text, fc.constant('__proto__')), tie('value'), { maxKeys: 6, noNullPrototype: true }),
  ),
}))

const nested = (depth: number): Value => {
  let inner: Value = 1
  for (let level = 0; level < depth; level++) inner = level % 2 === 0 ? [inner] : { key: inner }
  return inner
}

const ARRAY_OF_ONE = [8, 1]

describe('values', () => {
  it('[OP2] come back as they were written', () => {
    fc.assert(
      fc.property(value, (original) => {
        expect(decode(encode(original))).toEqual(original)
      }),
    )
  })

  it('[OP2] have one encoding: equal values have equal bytes, whatever the order of their keys', () => {
    fc.assert(
      fc.property(fc.dictionary(text, value, { maxKeys: 8 }), (map) => {
        const backwards = Object.fromEntries(Object.entries(map).reverse())
        expect(encode(backwards)).toEqual(encode(map))
      }),
    )
  })

  it('[OP2] have one encoding: bytes that decode are the bytes of their value', () => {
    const edits = fc.array(
      fc.record({ at: fc.nat(200), byte: fc.nat(255), kind: fc.constantFrom('set', 'insert', 'cut') }),
      {
        maxLength: 3,
      },
    )
    fc.assert(
      fc.property(value, edits, (original, changes) => {
        const bytes = [...encode(original)]
        for (const { at, byte, kind } of changes) {
          const index = at % (bytes.length + 1)
          if (kind === 'set' && index < bytes.length) bytes[index] = byte
          else if (kind === 'insert') bytes.splice(index, 0, byte)
          else if (kind === 'cut') bytes.splice(index, 1)
        }
        const mutated = Uint8Array.from(bytes)
        let decoded: Value | undefined
        try {
          decoded = decode(mutated)
        } catch (error) {
          expect((error as DriftlogError).code).toBe('MALFORMED')
          return
        }
        if (decoded !== undefined) expect(encode(decoded)).toEqual(mutated)
      }),
      { numRuns: 1_000 },
    )
  })

  it('[OP2] have one encoding: all short bytes that begin with a tag', () => {
    const check = (...bytes: number[]): void => {
      let decoded: Value | undefined
      try {
        decoded = decode(Uint8Array.from(bytes))
      } catch (error) {
        if (!(error instanceof DriftlogError && error.code === 'MALFORMED')) throw error
        return
      }
      if (Buffer.compare(encode(decoded!), Uint8Array.from(bytes)) !== 0) expect.unreachable(bytes.join())
    }
    for (let first = 0; first < 256; first++) check(first)
    for (const tag of [0, 3, 4, 5, 6, 7, 8, 9, 10, 16, 127, 128, 129])
      for (let second = 0; second < 256; second++) check(tag, second)
    for (const tag of [3, 4, 6, 8])
      for (const second of [1, 2, 0x80, 0xef, 0xff]) for (let third = 0; third < 256; third++) check(tag, second, third)
  })

  const cyclic: unknown[] = []
  cyclic.push(cyclic)
  class Money {
    amount = 5
  }
  it.each([
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['minus zero', -0],
    ['2^53', 2 ** 53],
    ['-2^53', -(2 ** 53)],
    ['1e300', 1e300],
    ['a lone high surrogate', 'a\ud800'],
    ['a lone low surrogate in long text', `${'a'.repeat(200)}\udc00`],
    ['a lone surrogate in a key', { '\udfff': 1 }],
    ['undefined', undefined],
    ['undefined in a map', { key: undefined }],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a bigint', 1n],
    ['a sparse array', Object.assign([1], { length: 3 })],
    ['a cycle', cyclic],
    ['a Date, which would become an empty map', new Date(0)],
    ['a Map, which would become an empty map', new Map([['key', 1]])],
    ['bytes of another kind', new Float32Array(2)],
    ['an instance of a class', new Money()],
  ])('[OP2] refuses %s at the mutation', (_, candidate) => {
    expect(codeOf(() => encode(candidate as Value))).toBe('VALUE_INVALID')
    expect(codeOf(() => encode([candidate as Value]))).toBe('VALUE_INVALID')
  })

  it.each([
    ['NaN', [5, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]],
    ['another NaN', [5, 0xff, 0xf8, 0, 0, 0, 0, 0, 1]],
    ['Infinity', [5, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0]],
    ['minus zero', [5, 0x80, 0, 0, 0, 0, 0, 0, 0]],
    ['an integer as a float', [5, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]],
    ['a small integer as a long one', [3, 5]],
    ['a padded integer', [3, 0xf0, 0x80, 0]],
    ['2^53', [3, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]],
    ['-2^53', [4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ['short ASCII text in the long form', [6, 1, 0x61]],
    ['a surrogate in UTF-8', [6, 3, 0xed, 0xa0, 0x80]],
    ['an overlong character', [6, 2, 0xc1, 0x81]],
    ['text that is not ASCII in the short form', [129, 0xc3]],
    ['keys out of order', [9, 2, 129, 0x62, 0, 129, 0x61, 0]],
    ['a key twice', [9, 2, 129, 0x61, 0, 129, 0x61, 0]],
    ['a key that is no text', [9, 1, 0, 0]],
    ['more items than bytes', [8, 0xff, 0xff, 0xff, 0x7f, 0]],
    ['an unknown tag', [10]],
    ['nothing', []],
  ])('[OP2] does not decode %s', (_, bytes) => {
    expect(codeOf(() => decode(Uint8Array.from(bytes)))).toBe('MALFORMED')
  })

  it('[OP2] integers up to 2^53 - 1 and the smallest float come back', () => {
    for (const edge of [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, Number.MIN_VALUE, 0.1, 111, 112, -1, 0]) {
      expect(decode(encode(edge))).toBe(edge)
    }
  })

  it('[OP7] nest 64 deep; 65 is refused at the mutation and void from elsewhere', () => {
    expect(decode(encode(nested(MAX_DEPTH)))).toEqual(nested(MAX_DEPTH))
    expect(codeOf(() => encode(nested(MAX_DEPTH + 1)))).toBe('VALUE_INVALID')
    const innermost = encode(nested(MAX_DEPTH))
    expect(decode(Uint8Array.from([...ARRAY_OF_ONE, ...innermost]))).toBeUndefined()
  })

  it('[OP7] a value 200,000 deep is stepped over without recursion, and the reader stands behind it', () => {
    const levels = 200_000
    const arrays = new Uint8Array(levels * 2 + 2)
    for (let level = 0; level < levels; level++) arrays.set(ARRAY_OF_ONE, level * 2)
    const reader = new ByteReader(arrays)
    expect(readValue(reader)).toBeUndefined()
    expect(reader.remaining).toBe(1)
    const maps = Uint8Array.from([...Array.from({ length: levels }, () => [9, 1, 129, 0x61]).flat(), 0])
    expect(decode(maps)).toBeUndefined()
    expect(codeOf(() => decode(maps.subarray(0, maps.length - 1)))).toBe('MALFORMED')
  })

  it('[OP2] a key __proto__ is an ordinary key, and nobody’s prototype changes', () => {
    const hostile = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}') as Value
    const decoded = decode(encode(hostile)) as Record<string, Value>
    expect(Object.keys(decoded).sort()).toEqual(['__proto__', 'constructor'])
    expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype)
    expect(decoded.polluted).toBeUndefined()
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    expect(encode(decoded)).toEqual(encode(hostile))
  })

  it('[OP2] bytes are copied out of the buffer that they were read from', () => {
    const buffer = encode(Uint8Array.of(1, 2, 3))
    const decoded = decode(buffer)
    buffer.fill(0)
    expect(decoded).toEqual(Uint8Array.of(1, 2, 3))
  })
})
