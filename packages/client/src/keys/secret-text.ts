/**
 * Secrets and codes as text: what is written down, scanned, or put behind the `#` of a link, which browsers never send.
 *
 *     prefix | base64url of: CRC-32 of the rest (4 bytes), the rest
 */
import { DriftlogError, fromBase64Url, toBase64Url } from '@driftlog/core'
import { withChecksum, withoutChecksum } from './checked.ts'

export interface SecretText {
  readonly prefix: string
  /** How many bytes it stands for. */
  readonly length: number
}

export const writeText = ({ prefix }: SecretText, bytes: Uint8Array): string =>
  `${prefix}${toBase64Url(withChecksum(bytes))}`

/** The bytes of a text, as somebody typed or pasted it; undefined where it is none, or has a slip in it. */
export const readText = ({ prefix, length }: SecretText, text: string): Uint8Array | undefined => {
  // For who writes JavaScript.
  if (typeof text !== 'string' || !text.startsWith(prefix)) return undefined
  const bytes = withoutChecksum(bytesOf(text.slice(prefix.length)))
  return bytes?.length === length ? bytes : undefined
}

const bytesOf = (text: string): Uint8Array => {
  try {
    return fromBase64Url(text)
  } catch (error) {
    if (error instanceof DriftlogError) return new Uint8Array(0)
    throw error
  }
}
