/**
 * The part of MessagePack that frames are made of, read strictly: booleans, integers, doubles, text, bytes, arrays, maps
 * with distinct short keys. Everything else (nil, extensions, 32-bit floats, 64-bit integers, other keys) is MALFORMED.
 *
 * Written by msgpackr, read by hand. The tempting mistake is to let the general decoder read what strangers send: it
 * knows extensions, records, dates and errors, makes objects with prototypes and recurses as deep as it is told.
 *
 * Invariants: nothing is allocated for a declared length before so many bytes are there; at most MAX_VALUES values and
 * MAX_DEPTH levels are read; maps are `Map`s, so no key can mean anything but itself.
 */
import { Packr } from 'msgpackr'
import { malformed } from '../codec/bytes.ts'

export type WireValue = boolean | number | string | Uint8Array | readonly WireValue[] | ReadonlyMap<string, WireValue>

/** Above the values of the fullest message: a `pushed` with 64 refusals of 8 details each. */
const MAX_VALUES = 2_048
const MAX_DEPTH = 5
const MAX_TEXT_BYTES = 8_192
const MAX_KEY_BYTES = 32

const packr = new Packr({ useRecords: false, variableMapSize: true, moreTypes: false })
const textDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** `value`: plain objects and arrays of booleans, numbers, well-formed strings and bytes; no `undefined`. */
export const encodeWire = (value: object): Uint8Array => new Uint8Array(packr.pack(value))

/** Reads exactly one value. Byte strings are views into `bytes`. Throws MALFORMED, nothing else. */
export const decodeWire = (bytes: Uint8Array): WireValue => {
  const reader = new WireReader(bytes)
  const value = reader.value(0)
  reader.expectEnd()
  return value
}

class WireReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0
  #values = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  expectEnd(): void {
    if (this.#at !== this.#bytes.length) throw malformed('bytes left over')
  }

  value(depth: number): WireValue {
    if (++this.#values > MAX_VALUES) throw malformed('too many values')
    if (depth > MAX_DEPTH) throw malformed('nested too deep')
    const type = this.#view.getUint8(this.#advance(1))
    if (type < 0x80) return type
    if (type < 0x90) return this.#map(type & 0x0f, depth)
    if (type < 0xa0) return this.#array(type & 0x0f, depth)
    if (type < 0xc0) return this.#text(type & 0x1f, MAX_TEXT_BYTES)
    if (type >= 0xe0) return type - 0x100
    switch (type) {
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#raw(this.#length(type - 0xc4))
      case 0xcb:
        return this.#view.getFloat64(this.#advance(8))
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#length(type - 0xcc)
      case 0xd0:
        return this.#view.getInt8(this.#advance(1))
      case 0xd1:
        return this.#view.getInt16(this.#advance(2))
      case 0xd2:
        return this.#view.getInt32(this.#advance(4))
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#length(type - 0xd9), MAX_TEXT_BYTES)
      case 0xdc:
      case 0xdd:
        return this.#array(this.#length(type - 0xdc + 1), depth)
      case 0xde:
      case 0xdf:
        return this.#map(this.#length(type - 0xde + 1), depth)
      default:
        throw malformed('a type that frames do not have')
    }
  }

  #array(count: number, depth: number): WireValue[] {
    if (count > this.#bytes.length - this.#at) throw malformed('count exceeds the data')
    const items: WireValue[] = []
    while (items.length < count) items.push(this.value(depth + 1))
    return items
  }

  #map(count: number, depth: number): Map<string, WireValue> {
    if (count * 2 > this.#bytes.length - this.#at) throw malformed('count exceeds the data')
    const map = new Map<string, WireValue>()
    for (let left = count; left > 0; left--) {
      const key = this.#key()
      if (map.has(key)) throw malformed('a key twice')
      map.set(key, this.value(depth + 1))
    }
    return map
  }

  #key(): string {
    const type = this.#view.getUint8(this.#advance(1))
    if (type >= 0xa0 && type < 0xc0) return this.#text(type & 0x1f, MAX_KEY_BYTES)
    if (type === 0xd9) return this.#text(this.#length(0), MAX_KEY_BYTES)
    throw malformed('a key that is not short text')
  }

  #text(length: number, limit: number): string {
    if (length > limit) throw malformed('text too long')
    const raw = this.#raw(length)
    try {
      return textDecoder.decode(raw)
    } catch {
      throw malformed('text is not UTF-8')
    }
  }

  #raw(length: number): Uint8Array {
    const start = this.#advance(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** An unsigned integer of 1, 2 or 4 bytes (`width` 0, 1, 2). */
  #length(width: number): number {
    if (width === 0) return this.#view.getUint8(this.#advance(1))
    if (width === 1) return this.#view.getUint16(this.#advance(2))
    return this.#view.getUint32(this.#advance(4))
  }

  #advance(length: number): number {
    const start = this.#at
    if (length > this.#bytes.length - start) throw malformed('unexpected end')
    this.#at = start + length
    return start
  }
}
