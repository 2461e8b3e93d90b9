/** Tells whether two schemas show the same cells alike: what was made of them under one may be taken for the other. */
import { hash } from '../crypto/sodium.ts'
import type { Schema } from './schema.ts'

const BYTES = 16

/** undefined where that cannot be told: a function that has no version decides what is shown. */
export const schemaFingerprint = (schema: Schema): Uint8Array | undefined => {
  let isTold = true
  const text = JSON.stringify(schema.tables, (key, value: unknown) => {
    if (typeof value !== 'function') return value
    // `merge` of a custom strategy stands beside its name and version; a priority's `rank` is alone.
    if (key !== 'merge') isTold = false
    return undefined
  })
  return isTold ? hash(new TextEncoder().encode(text), BYTES) : undefined
}
