/**
 * Raw deflate (RFC 1951). By the runtime's zlib where it can be called at once (Node: two to eight times as fast), else by
 * fflate. Which of the two compressed makes no difference to a reader; which bytes inflate must make none either, or replicas
 * would differ in what they take in. So fflate decides about whatever zlib refuses.
 */
import { deflateSync, Inflate, inflateSync } from 'fflate'
import { malformed } from './bytes.ts'

interface Zlib {
  deflateRawSync(bytes: Uint8Array, options: { readonly level: number }): Uint8Array
  inflateRawSync(bytes: Uint8Array, options: { readonly maxOutputLength: number }): Uint8Array
}

interface Runtime {
  readonly process?: { readonly getBuiltinModule?: (name: string) => unknown }
}

const zlib = (globalThis as Runtime).process?.getBuiltinModule?.('node:zlib') as Zlib | undefined

const LEVEL = 4

/** This much inflates to 8 MB at most (1,032 : 1), which is as far as a bomb gets. */
const STEP_BYTES = 8 * 1024

export const deflate = (bytes: Uint8Array): Uint8Array =>
  zlib === undefined ? deflateSync(bytes, { level: LEVEL }) : zlib.deflateRawSync(bytes, { level: LEVEL })

/** Throws for what is no deflate stream of exactly `length` bytes; MALFORMED where it is one of another length. */
export const inflate = (deflated: Uint8Array, length: number): Uint8Array => {
  const inflated = byZlib(deflated, length) ?? byFflate(deflated, length)
  if (inflated.length !== length) throw malformed('body length')
  return inflated
}

const byZlib = (deflated: Uint8Array, length: number): Uint8Array | undefined => {
  if (zlib === undefined) return undefined
  try {
    // One byte more than announced, so that a longer stream is noticed.
    const inflated = zlib.inflateRawSync(deflated, { maxOutputLength: length + 1 })
    return new Uint8Array(inflated.buffer, inflated.byteOffset, inflated.length)
  } catch {
    return undefined
  }
}

const byFflate = (deflated: Uint8Array, length: number): Uint8Array =>
  deflated.length > STEP_BYTES ? inSteps(deflated, length) : inflateSync(deflated, { out: new Uint8Array(length + 1) })

// Slower for what is small, but a bomb is left as soon as a step passes the announced length.
const inSteps = (deflated: Uint8Array, length: number): Uint8Array => {
  const inflated = new Uint8Array(length)
  let filled = 0
  const inflater = new Inflate((chunk) => {
    if (filled + chunk.length > length) throw malformed('body length')
    inflated.set(chunk, filled)
    filled += chunk.length
  })
  for (let from = 0; from < deflated.length; from += STEP_BYTES) {
    const to = from + STEP_BYTES
    inflater.push(deflated.subarray(from, to), to >= deflated.length)
  }
  return inflated.subarray(0, filled)
}
