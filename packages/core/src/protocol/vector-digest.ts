import { encodeVector, type VersionVector } from '../clock/version-vector.ts'
import { hash } from '../crypto/sodium.ts'
import { VECTOR_DIGEST_BYTES } from './messages.ts'

/** Equal exactly for equal vectors; 16 bytes. Needs `cryptoReady`. */
export const vectorDigest = (vector: VersionVector): Uint8Array => hash(encodeVector(vector), VECTOR_DIGEST_BYTES)
