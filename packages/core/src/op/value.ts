/**
 * The values that a change can carry, and their one encoding each (SPEC OP2).
 *
 *     0 null | 1 false | 2 true | 3 integer >= 0 (varint) | 4 integer < 0 (varint of -1 - n) | 5 float64 (8 bytes)
 *     6 string | 7 bytes | 8 array (count, items) | 9 map (count, key and value pairs, keys rising by UTF-16 code units)
 *     16 + n: the integer n for n in [0, 112) | 128 + n: a string of n ASCII characters, n in [0, 128)
 *
 * Integers beyond 2^53, NaN, infinities, -0, lone surrogates and repeated keys have no encoding.
 */
import { type ByteReader, ByteWriter, equalBytes, malformed, textBytes } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'

export type Value = null | boolean | number | string | Uint8Array | readonly Value[] | { readonly [key: string]: Value }

/** OP7: how deep arrays and maps may nest. */
export const MAX_DEPTH = 64

const NULL = 0
const FALSE = 1
const TRUE = 2
const INTEGER = 3
const NEGATIVE = 4
const FLOAT = 5
const STRING = 6
const BYTES = 7
const ARRAY = 8
const MAP = 9
const SMALL_INTEGER = 16
const SHORT_STRING = 128

const invalid = (why: string): DriftlogError => new DriftlogError('VALUE_INVALID', why)

const LONE_SURROGATE = 'text with a lone surrogate'

const isAscii = (text: string): boolean => {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 127) return false
  return true
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const writeString = (writer: ByteWriter, text: string): void => {
  if (text.length < 128 && isAscii(text)) {
    writer.byte(SHORT_STRING + text.length).ascii(text)
    return
  }
  if (!text.isWellFormed()) throw invalid(LONE_SURROGATE)
  writer.byte(STRING).string(text)
}

// A plain object of any realm: its prototype is null, or has none itself. Others would lose what they are (a Date has no
// entries at all).
const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** Throws VALUE_INVALID for what has no encoding. */
export const writeValue = (writer: ByteWriter, value: Value, depth = 0): void => {
  if (typeof value === 'string') {
    writeString(writer, value)
  } else if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      if (value < 0) writer.byte(NEGATIVE).varint(-1 - value)
      else if (value < 112) writer.byte(SMALL_INTEGER + value)
      else writer.byte(INTEGER).varint(value)
    } else {
      if (!Number.isFinite(value)) throw invalid('a number that is not finite')
      if (Number.isInteger(value)) throw invalid(Object.is(value, -0) ? 'minus zero' : 'an integer beyond 2^53')
      writer.byte(FLOAT).float64(value)
    }
  } else if (value === null) {
    writer.byte(NULL)
  } else if (typeof value === 'boolean') {
    writer.byte(value ? TRUE : FALSE)
  } else if (value instanceof Uint8Array) {
    writer.byte(BYTES).bytes(value)
  } else if (typeof value === 'object') {
    if (depth >= MAX_DEPTH) throw invalid(`nested deeper than ${MAX_DEPTH}`)
    if (Array.isArray(value)) {
      writer.byte(ARRAY).varint(value.length)
      for (const item of value as readonly Value[]) writeValue(writer, item, depth + 1)
    } else {
      if (!isPlain(value)) throw invalid('an object that is not plain')
      const entries = Object.entries(value as { readonly [key: string]: Value }).sort(([a], [b]) => compareText(a, b))
      writer.byte(MAP).varint(entries.length)
      for (const [key, item] of entries) {
        writeString(writer, key)
        writeValue(writer, item, depth + 1)
      }
    }
  } else {
    throw invalid(`a ${typeof value}`)
  }
}

// One buffer for all measuring: a new one would cost more than the writing.
const scratch = new ByteWriter(1024)

/** How many bytes `writeValue` writes. Throws as it does. */
export const valueBytes = (value: Value): number => {
  if (typeof value === 'string') {
    if (value.length < 128 && isAscii(value)) return 1 + value.length
    if (!value.isWellFormed()) throw invalid(LONE_SURROGATE)
    return 1 + textBytes(value)
  }
  if (value === null || typeof value === 'boolean') return 1
  writeValue(scratch.reset(), value)
  return scratch.length
}

const readString = (reader: ByteReader, tag: number): string => {
  if (tag >= SHORT_STRING) {
    const text = reader.ascii(tag - SHORT_STRING)
    return text
  }
  if (tag !== STRING) throw malformed('value: text expected')
  const text = reader.string()
  if (text.length < 128 && isAscii(text)) throw malformed('value: text not in its shortest form')
  return text
}

/**
 * Reads one value. Returns undefined where it nests deeper than MAX_DEPTH (its op is void, OP7); the reader then stands
 * behind it all the same. Throws MALFORMED for any other encoding than the one of `writeValue`.
 */
export const readValue = (reader: ByteReader): Value | undefined => {
  const start = reader.position
  const value = readNested(reader, 0)
  if (value !== TOO_DEEP) return value as Value
  reader.position = start
  skipValue(reader)
  return undefined
}

const TOO_DEEP = Symbol('too deep')

const readNested = (reader: ByteReader, depth: number): Value | typeof TOO_DEEP => {
  const tag = reader.byte()
  if (tag >= SHORT_STRING || tag === STRING) return readString(reader, tag)
  if (tag >= SMALL_INTEGER) return tag - SMALL_INTEGER
  switch (tag) {
    case NULL:
      return null
    case FALSE:
      return false
    case TRUE:
      return true
    case INTEGER: {
      const integer = reader.varint()
      if (integer < 112) throw malformed('value: integer not in its shortest form')
      return integer
    }
    case NEGATIVE: {
      const magnitude = reader.varint()
      if (magnitude === Number.MAX_SAFE_INTEGER) throw malformed('value: integer beyond 2^53')
      return -1 - magnitude
    }
    case FLOAT: {
      const float = reader.float64()
      if (!Number.isFinite(float) || Number.isInteger(float)) throw malformed('value: not a float')
      return float
    }
    case BYTES:
      return reader.bytes().slice()
    case ARRAY: {
      const count = reader.count()
      if (depth >= MAX_DEPTH) return TOO_DEEP
      const items: Value[] = []
      for (let index = 0; index < count; index++) {
        const item = readNested(reader, depth + 1)
        if (item === TOO_DEEP) return TOO_DEEP
        items.push(item)
      }
      return items
    }
    case MAP: {
      const count = reader.count(2)
      if (depth >= MAX_DEPTH) return TOO_DEEP
      const map: Record<string, Value> = {}
      let previous: string | undefined
      for (let index = 0; index < count; index++) {
        const key = readString(reader, reader.byte())
        if (previous !== undefined && previous >= key) throw malformed('value: map keys are not in order')
        previous = key
        const item = readNested(reader, depth + 1)
        if (item === TOO_DEEP) return TOO_DEEP
        // defineProperty: a key such as __proto__ must become an ordinary property.
        if (key === '__proto__')
          Object.defineProperty(map, key, { value: item, enumerable: true, writable: true, configurable: true })
        else map[key] = item
      }
      return map
    }
    default:
      throw malformed(`value: unknown tag ${tag}`)
  }
}

/** Steps over one value of any depth without recursion. */
const skipValue = (reader: ByteReader): void => {
  for (let pending = 1; pending > 0; pending--) {
    const tag = reader.byte()
    if (tag >= SHORT_STRING) reader.raw(tag - SHORT_STRING)
    else if (tag >= SMALL_INTEGER || tag <= TRUE) continue
    else if (tag === STRING || tag === BYTES) reader.bytes()
    else if (tag === INTEGER || tag === NEGATIVE) reader.varint()
    else if (tag === FLOAT) reader.raw(8)
    else if (tag === ARRAY) pending += reader.count()
    else if (tag === MAP) pending += 2 * reader.count(2)
    else throw malformed(`value: unknown tag ${tag}`)
  }
}

/** Whether two values are one: of equal encoding. */
export const equalValues = (a: Value, b: Value): boolean => {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && equalBytes(a, b)
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item: Value, index) => equalValues(item, b[index] as Value))
    )
  }
  const left = a as { readonly [key: string]: Value }
  const right = b as { readonly [key: string]: Value }
  const keys = Object.keys(left)
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && equalValues(left[key], right[key]))
  )
}
