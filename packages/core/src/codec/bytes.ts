/**
 * Writing and reading of the primitive shapes that every format of Driftlog is made of:
 * little-endian base-128 varints for integers in [0, 2^53), zigzag for signed ones, length-prefixed UTF-8 and bytes.
 * A reader accepts exactly one encoding of each value (no padded varints), so equal values have equal bytes.
 */
import { DriftlogError } from '../errors.ts'

const encoder = new TextEncoder()
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const malformed = (what: string): DriftlogError => new DriftlogError('MALFORMED', what)

/** A growing buffer. `finish` hands out a copy-free view; do not write afterwards. */
export class ByteWriter {
  #buffer: Uint8Array
  #view: DataView
  length = 0

  constructor(capacity = 256) {
    this.#buffer = new Uint8Array(capacity)
    this.#view = new DataView(this.#buffer.buffer)
  }

  #reserve(extra: number): void {
    const needed = this.length + extra
    if (needed <= this.#buffer.length) return
    const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2))
    grown.set(this.#buffer)
    this.#buffer = grown
    this.#view = new DataView(grown.buffer)
  }

  byte(value: number): this {
    this.#reserve(1)
    this.#buffer[this.length++] = value
    return this
  }

  /** `value`: a safe integer >= 0. */
  varint(value: number): this {
    this.#reserve(8)
    while (value > 0x7fffffff) {
      this.#buffer[this.length++] = (value % 128) | 0x80
      value = Math.floor(value / 128)
    }
    while (value > 127) {
      this.#buffer[this.length++] = (value & 127) | 0x80
      value >>>= 7
    }
    this.#buffer[this.length++] = value
    return this
  }

  /** `value`: an integer with |value| < 2^52, small magnitudes short. */
  zigzag(value: number): this {
    return this.varint(value >= 0 ? value * 2 : -value * 2 - 1)
  }

  float64(value: number): this {
    this.#reserve(8)
    this.#view.setFloat64(this.length, value)
    this.length += 8
    return this
  }

  /** Bytes as they are, without a length. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.length)
    this.length += bytes.length
    return this
  }

  bytes(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes)
  }

  /** ASCII characters as bytes, without a length. */
  ascii(text: string): this {
    const { length } = text
    this.#reserve(length)
    const buffer = this.#buffer
    const at = this.length
    for (let index = 0; index < length; index++) buffer[at + index] = text.charCodeAt(index)
    this.length = at + length
    return this
  }

  string(text: string): this {
    // Short ASCII strings are the common case, and their length is known beforehand.
    const length = text.length
    if (length < 128) {
      this.#reserve(1 + length)
      const buffer = this.#buffer
      const at = this.length + 1
      let index = 0
      for (; index < length; index++) {
        const code = text.charCodeAt(index)
        if (code > 127) break
        buffer[at + index] = code
      }
      if (index === length) {
        buffer[this.length] = length
        this.length = at + length
        return this
      }
    }
    return this.bytes(encoder.encode(text))
  }

  /** Forgets what was written and keeps the buffer; what `finish` handed out is overwritten. */
  reset(): this {
    this.length = 0
    return this
  }

  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.length)
  }
}

/** Above this, a buffer is not kept for the next time. */
const MAX_SCRATCH_BYTES = 1024 * 1024

/**
 * A writer that is used again and again for what is read at once and not kept: new memory is zeroed and touched for the first time,
 * which costs more than writing it. What it hands out is overwritten by its next use.
 */
export const createScratch = (): ((capacity: number) => ByteWriter) => {
  let kept: ByteWriter | undefined
  return (capacity) => {
    if (capacity > MAX_SCRATCH_BYTES) return new ByteWriter(capacity)
    kept ??= new ByteWriter(capacity)
    return kept.reset()
  }
}

const varintBytes = (value: number): number => {
  let bytes = 1
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes++
  return bytes
}

/** What `string` writes of well-formed text. */
export const textBytes = (text: string): number => {
  let bytes = text.length
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    // Halves of a pair have two bytes each.
    if (code > 127) bytes += code > 0x7ff && (code < 0xd800 || code > 0xdfff) ? 2 : 1
  }
  return varintBytes(bytes) + bytes
}

/** Reads what ByteWriter wrote. Every method throws MALFORMED rather than read past the end. */
export class ByteReader {
  readonly #buffer: Uint8Array
  readonly #view: DataView
  position: number
  readonly end: number

  constructor(buffer: Uint8Array, start = 0, end = buffer.length) {
    this.#buffer = buffer
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    this.position = start
    this.end = end
  }

  get remaining(): number {
    return this.end - this.position
  }

  byte(): number {
    if (this.position >= this.end) throw malformed('unexpected end')
    return this.#buffer[this.position++]
  }

  varint(): number {
    let byte = this.byte()
    if (byte < 128) return byte
    let value = byte & 127
    let scale = 128
    for (let length = 2; length <= 8; length++) {
      byte = this.byte()
      value += (byte & 127) * scale
      if (byte < 128) {
        if (byte === 0) throw malformed('padded integer')
        if (value > Number.MAX_SAFE_INTEGER) throw malformed('integer beyond 2^53')
        return value
      }
      scale *= 128
    }
    throw malformed('integer beyond 2^53')
  }

  zigzag(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** A varint that counts things of at least `minBytesEach` bytes that follow: bounded by what is left to read. */
  count(minBytesEach = 1): number {
    const count = this.varint()
    if (count * minBytesEach > this.remaining) throw malformed('count exceeds the data')
    return count
  }

  float64(): number {
    if (this.remaining < 8) throw malformed('unexpected end')
    const value = this.#view.getFloat64(this.position)
    this.position += 8
    return value
  }

  /** A view, not a copy. */
  raw(length: number): Uint8Array {
    if (length > this.remaining) throw malformed('unexpected end')
    const bytes = this.#buffer.subarray(this.position, this.position + length)
    this.position += length
    return bytes
  }

  bytes(): Uint8Array {
    return this.raw(this.varint())
  }

  ascii(length: number): string {
    if (length > this.remaining) throw malformed('unexpected end')
    let text = ''
    for (const end = this.position + length; this.position < end; this.position++) {
      const code = this.#buffer[this.position]
      if (code > 127) throw malformed('text is not ASCII')
      text += String.fromCharCode(code)
    }
    return text
  }

  string(): string {
    const length = this.varint()
    if (length > this.remaining) throw malformed('unexpected end')
    if (length < 32) {
      let text = ''
      const end = this.position + length
      let at = this.position
      for (; at < end; at++) {
        const code = this.#buffer[at]
        if (code > 127) break
        text += String.fromCharCode(code)
      }
      if (at === end) {
        this.position = end
        return text
      }
    }
    try {
      return strictDecoder.decode(this.raw(length))
    } catch (cause) {
      throw new DriftlogError('MALFORMED', 'text is not UTF-8', {}, { cause })
    }
  }

  expectEnd(): void {
    if (this.position !== this.end) throw malformed('bytes left over')
  }
}

export const concatBytes = (...parts: Uint8Array[]): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false
  return true
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const sextets = new Int8Array(128).fill(-1)
for (let index = 0; index < 64; index++) sextets[alphabet.charCodeAt(index)] = index

/** base64url without padding (RFC 4648, section 5). */
export const toBase64Url = (bytes: Uint8Array): string => {
  let text = ''
  for (let index = 0; index < bytes.length; index += 3) {
    const chunk = (bytes[index] << 16) | ((bytes[index + 1] ?? 0) << 8) | (bytes[index + 2] ?? 0)
    text += alphabet[chunk >> 18] + alphabet[(chunk >> 12) & 63]
    if (index + 1 < bytes.length) text += alphabet[(chunk >> 6) & 63]
    if (index + 2 < bytes.length) text += alphabet[chunk & 63]
  }
  return text
}

/** Accepts only what `toBase64Url` writes; throws MALFORMED otherwise. */
export const fromBase64Url = (text: string): Uint8Array => {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4))
  let bits = 0
  let held = 0
  let at = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    const sextet = code < 128 ? sextets[code] : -1
    if (sextet < 0) throw malformed('not base64url')
    bits = ((bits << 6) | sextet) & 0xffffff
    held += 6
    if (held >= 8) {
      held -= 8
      bytes[at++] = (bits >> held) & 255
    }
  }
  if (text.length % 4 === 1 || (bits & ((1 << held) - 1)) !== 0) throw malformed('not base64url')
  return bytes
}
