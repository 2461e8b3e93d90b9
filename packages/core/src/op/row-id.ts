import { customRandom, urlAlphabet } from 'nanoid'
import type { Randomness } from '../ports/ports.ts'

/** Makes ids for rows and spaces: 21 characters of nanoid's URL alphabet, 126 bits from the given randomness. */
export const idSource = (random: Randomness): (() => string) =>
  customRandom(urlAlphabet, 21, (length) => random.bytes(length))
