/** A key from a passphrase, and what guessing it costs. */
import { argon2id, DriftlogError, type KdfCost } from '@driftlog/core'

/** Half a second on a slow telephone, and 64 MiB for every guess. */
export const PASSPHRASE_COST: KdfCost = { passes: 3, memoryBytes: 64 * 1024 * 1024 }
const MIN_COST: KdfCost = { passes: 1, memoryBytes: 8 * 1024 }
/** What a damaged record, or a file that somebody made up, may ask for at most. */
const MAX_COST: KdfCost = { passes: 16, memoryBytes: 512 * 1024 * 1024 }

export const isPossibleCost = ({ passes, memoryBytes }: KdfCost): boolean =>
  passes >= MIN_COST.passes &&
  passes <= MAX_COST.passes &&
  memoryBytes >= MIN_COST.memoryBytes &&
  memoryBytes <= MAX_COST.memoryBytes

const text = new TextEncoder()

/** For who writes JavaScript: `String(undefined)` must not become a passphrase. */
export const expectPassphrase = (passphrase: string): void => {
  if (typeof passphrase !== 'string') throw new DriftlogError('OPTION_INVALID', 'say `passphrase`, as text')
}

/** One to encrypt with from now on. Throws OPTION_INVALID for none. */
export const expectNewPassphrase = (passphrase: string): void => {
  expectPassphrase(passphrase)
  if (passphrase === '') throw new DriftlogError('OPTION_INVALID', 'the passphrase is empty')
}

export const passphraseKey = (passphrase: string, salt: Uint8Array, cost: KdfCost): Uint8Array =>
  // Two keyboards may write one letter in two ways.
  argon2id(text.encode(passphrase.normalize('NFKC')), salt, cost)
