/**
 * The key of a space as text: what is written down, scanned, or put behind the `#` of a link, which browsers never send.
 *
 *     "dlk1-" | base64url of: CRC-32 of the rest (4 bytes), 32 random bytes
 */
import {
  DriftlogError,
  EPOCH_KEY_BYTES,
  fromBase64Url,
  type Randomness,
  systemPorts,
  toBase64Url,
} from '@driftlog/core'
import { withChecksum, withoutChecksum } from './checked.ts'

const PREFIX = 'dlk1-'

/** Who has it reads and writes the space. Keep it as you would a password: nobody can make it again. */
export type SpaceKey = `${typeof PREFIX}${string}`

/** A key for a space that is to begin. */
export const newSpaceKey = (random: Randomness = systemPorts.random): SpaceKey =>
  writeSpaceKey(random.bytes(EPOCH_KEY_BYTES))

export const writeSpaceKey = (key: Uint8Array): SpaceKey => `${PREFIX}${toBase64Url(withChecksum(key))}`

/** The 32 bytes of a key. Throws OPTION_INVALID for what is none, or one with a slip in it. */
export const readSpaceKey = (text: string): Uint8Array => {
  const key = keyIn(text)
  // The text itself is secret: not in the message.
  if (key === undefined)
    throw new DriftlogError('OPTION_INVALID', 'this is no key of a space, or there is a slip in it')
  return key
}

/** Whether text, as somebody typed or pasted it, is a key without a slip. */
export const isSpaceKey = (text: string): text is SpaceKey => keyIn(text) !== undefined

const keyIn = (text: string): Uint8Array | undefined => {
  // For who writes JavaScript.
  if (typeof text !== 'string') return undefined
  const key = text.startsWith(PREFIX) ? withoutChecksum(bytesOf(text.slice(PREFIX.length))) : undefined
  return key?.length === EPOCH_KEY_BYTES ? key : undefined
}

const bytesOf = (text: string): Uint8Array => {
  try {
    return fromBase64Url(text)
  } catch (error) {
    if (error instanceof DriftlogError) return new Uint8Array(0)
    throw error
  }
}
