import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteWriter } from '../codec/bytes.ts'
import type { DriftlogError } from '../errors.ts'
import { type Value, writeValue } from '../op/value.ts'
import { decodeField, encodeField, lawOf } from './encode.ts'
import { f } from './f.ts'
import { canonicalJson } from './kinds/json.ts'
import { defineSchema, table } from './schema.ts'

const { fields } = defineSchema({
  version: 1,
  tables: {
    t: table({
      string: f.string(),
      maybe: f.string().optional(),
      number: f.number(),
      integer: f.integer(),
      boolean: f.boolean().default(true),
      date: f.date(),
      day: f.date().optional().default(new Date(5)),
      state: f.enum('open', 'done').default('open'),
      json: f.json(),
      ref: f.ref('t').optional(),
      counter: f.counter(),
    }),
  },
}).tables.t

const refusal = (field: keyof typeof fields, value: unknown, change?: 'update'): { code: string; message: string } => {
  try {
    encodeField(fields[field], value, change)
  } catch (error) {
    return error as DriftlogError
  }
  throw new Error('was not refused')
}

const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)])
const cyclic: Record<string, unknown> = {}
cyclic.self = { cyclic }
const bomb = Array.from({ length: 40 }).reduce<unknown>((inner) => [inner, inner], 1)
class Point {
  x = 1
}

describe('encodeField', () => {
  test.each<[keyof typeof fields, unknown, RegExp]>([
    ['string', 1, /t\.string: a number instead of a string/],
    ['string', null, /t\.string: null, and the field is not optional/],
    ['string', undefined, /undefined/],
    ['string', 'a\ud800', /lone surrogate/],
    ['maybe', 1, /instead of a string/],
    ['number', '1', /a string instead of a number/],
    ['number', Number.NaN, /NaN/],
    ['number', Number.NEGATIVE_INFINITY, /Infinity/],
    ['number', 2 ** 53, /beyond 2\^53/],
    ['number', 1n, /a bigint/],
    ['integer', 1.5, /not a whole number/],
    ['boolean', 0, /a number instead of a boolean/],
    ['date', 5, /instead of a Date/],
    ['date', new Date(Number.NaN), /invalid Date/],
    ['state', 'shut', /t\.state: "shut" is not one of open, done/],
    ['json', { a: undefined }, /undefined/],
    ['json', [() => 1], /a function/],
    ['json', { a: new Date(0) }, /a Date inside JSON/],
    ['json', new Map(), /a Map/],
    ['json', { p: new Point() }, /a Point/],
    ['json', new Uint8Array(2), /a Uint8Array/],
    ['json', [1, , 3], /sparse/], // oxlint-disable-line no-sparse-arrays
    ['json', { [Symbol('s')]: 1 }, /symbol/],
    ['json', { a: Number.NaN }, /NaN/],
    ['json', ['\udc00'], /lone surrogate/],
    ['json', { '\udc00': 1 }, /lone surrogate/],
    ['json', cyclic, /cycle/],
    ['json', nested(65), /deeper than 64/],
    ['counter', 0.5, /f\.increment/],
    ['counter', 2 ** 53, /f\.increment/],
    ['counter', '1', /f\.increment/],
  ])('[SCH5] %s refuses %o', (field, value, why) => {
    const { code, message } = refusal(field, value)
    expect(code).toBe('VALUE_INVALID')
    expect(message).toMatch(why)
  })

  test('[SCH5] a small graph that unfolds without end is refused in time', () => {
    expect(refusal('json', bomb).code).toBe('TOO_LARGE')
  })

  test('[SCH5] a counter is never set by an update, and an increment is whole', () => {
    expect(refusal('counter', 3, 'update').message).toMatch(/cannot be set/)
    expect(encodeField(fields.counter, f.increment(-3), 'update')).toBe(-3)
    expect(encodeField(fields.counter, 3)).toBe(3)
    expect(() => f.increment(0.5)).toThrow(/whole number/)
    expect(lawOf(fields.counter)).not.toBe(lawOf(fields.number))
  })

  test('[SCH5] minus zero is zero, and JSON is detached from what the app holds', () => {
    for (const field of ['number', 'integer', 'json', 'counter'] as const)
      expect(encodeField(fields[field], -0)).toBe(0)
    const given = { list: [-0] }
    const value = encodeField(fields.json, given)
    given.list.push(1)
    expect(value).toEqual({ list: [0] })
  })

  test('[SCH5] whatever JSON is taken can be written to the log, and shows as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue({ depthSize: 'medium' }), (json) => {
        let value: Value
        try {
          value = encodeField(fields.json, json)
        } catch {
          return // integers beyond 2^53, lone surrogates
        }
        writeValue(new ByteWriter(), value)
        const shown = decodeField(fields.json, value)
        // Only 0 comes back for -0.
        expect(JSON.stringify(shown, null, 0).length).toBe(canonicalJson(value).length)
        expect(canonicalJson(shown as Value)).toBe(canonicalJson(value))
      }),
    )
    const odd = JSON.parse('{"__proto__": {"a": 1}, "b": null}') as Value
    expect(canonicalJson(decodeField(fields.json, encodeField(fields.json, odd)) as Value)).toBe(
      '{"__proto__":{"a":1},"b":null}',
    )
  })

  test('[SCH5] [SCH6] every value of a kind comes back as it was', () => {
    const roundTrip = (field: keyof typeof fields, value: unknown): void =>
      expect(decodeField(fields[field], encodeField(fields[field], value))).toEqual(value)
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.boolean(),
        fc.date({ noInvalidDate: true }),
        fc.maxSafeInteger(),
        (text, flag, date, whole) => {
          roundTrip('string', text)
          roundTrip('maybe', text)
          roundTrip('boolean', flag)
          roundTrip('date', date)
          roundTrip('integer', whole === 0 ? 0 : whole)
          roundTrip('counter', whole === 0 ? 0 : whole)
        },
      ),
    )
    roundTrip('maybe', null)
    roundTrip('ref', 'some-id')
    roundTrip('state', 'done')
    roundTrip('number', 1.5)
  })
})

describe('decodeField', () => {
  const anyValue = fc.letrec<{ value: Value }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom<Value>(null, true, 'open', '', 0, 1.5, -1, 9e15, new Uint8Array([1])),
      fc.array(tie('value')),
      fc.dictionary(fc.string(), tie('value')),
    ),
  })).value

  test('[SCH6] is total: what does not fit shows as the default, else null', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(fields)),
        fc.oneof(anyValue, fc.constant(undefined)),
        (field, value) => {
          const shown = decodeField(field, value)
          const types = {
            string: 'string',
            ref: 'string',
            enum: 'string',
            number: 'number',
            integer: 'number',
            counter: 'number',
            set: 'object',
            list: 'object',
          }
          if (shown === null || field.kind === 'json') return
          if (field.kind === 'date') expect(shown).toBeInstanceOf(Date)
          else expect(typeof shown).toBe(field.kind === 'boolean' ? 'boolean' : types[field.kind])
        },
      ),
    )
    expect(decodeField(fields.boolean, 'yes')).toBe(true)
    expect(decodeField(fields.boolean, undefined)).toBe(true)
    expect(decodeField(fields.state, 'shut')).toBe('open')
    expect(decodeField(fields.string, 7)).toBeNull()
    expect(decodeField(fields.integer, 1.5)).toBeNull()
    expect(decodeField(fields.date, 9e15)).toBeNull()
    expect(decodeField(fields.json, [new Uint8Array(1)])).toBeNull()
    expect(decodeField(fields.counter, undefined)).toBe(0)
  })

  test('[SCH6] null is a value of an optional field; the default stands for what was never written', () => {
    expect(decodeField(fields.day, null)).toBeNull()
    expect(decodeField(fields.day, undefined)).toEqual(new Date(5))
    expect(decodeField(fields.boolean, null)).toBe(true)
  })

  test('[SCH6] what is shown is the app’s to change: the state and the schema stay as they are', () => {
    const state: Value = { list: [1] }
    ;(decodeField(fields.json, state) as { list: number[] }).list.push(2)
    ;(decodeField(fields.day, undefined) as Date).setTime(9)
    expect(state).toEqual({ list: [1] })
    expect(decodeField(fields.day, undefined)).toEqual(new Date(5))
  })

  test('[SCH6] a counter beyond 2^53 shows the nearest double', () => {
    expect(decodeField(fields.counter, 2n ** 60n + 1n)).toBe(2 ** 60)
    expect(decodeField(fields.counter, -(2n ** 53n) - 1n)).toBe(-(2 ** 53))
  })
})
