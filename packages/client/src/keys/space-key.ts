/** The key of a space as text. */
import { DriftlogError, EPOCH_KEY_BYTES, type Randomness, systemPorts } from '@driftlog/core'
import { readText, writeText } from './secret-text.ts'

const SPACE_KEY = { prefix: 'dlk1-', length: EPOCH_KEY_BYTES } as const

/** Who has it reads and writes the space. Keep it as you would a password: nobody can make it again. */
export type SpaceKey = `${typeof SPACE_KEY.prefix}${string}`

/** A key for a space that is to begin. */
export const newSpaceKey = (random: Randomness = systemPorts.random): SpaceKey =>
  writeSpaceKey(random.bytes(EPOCH_KEY_BYTES))

export const writeSpaceKey = (key: Uint8Array): SpaceKey => writeText(SPACE_KEY, key) as SpaceKey

/** The 32 bytes of a key. Throws OPTION_INVALID for what is none, or one with a slip in it. */
export const readSpaceKey = (text: string): Uint8Array => {
  const key = readText(SPACE_KEY, text)
  // The text itself is secret: not in the message.
  if (key === undefined)
    throw new DriftlogError('OPTION_INVALID', 'this is no key of a space, or there is a slip in it')
  return key
}

/** Whether text, as somebody typed or pasted it, is a key without a slip. */
export const isSpaceKey = (text: string): text is SpaceKey => readText(SPACE_KEY, text) !== undefined
