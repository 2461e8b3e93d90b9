import { DriftlogError } from '@driftlog/core'
import type { Sight } from './look.ts'

/** What a person is told where a passphrase or a code does not open the vault. */
export const unlockProblem = (error: unknown, by: 'passphrase' | 'recoveryCode'): string => {
  if (!(error instanceof DriftlogError)) throw error
  switch (error.code) {
    case 'KEY_WRONG':
      return by === 'passphrase'
        ? 'That is not the passphrase. Nothing was changed.'
        : 'That is not the recovery code. Nothing was changed.'
    case 'KEYS_DAMAGED':
      return 'The keys on this device are damaged: no passphrase opens them. A link from another device does.'
    default:
      return error.message
  }
}

/** What starting over on this device would lose. */
export const lossWords = ({ unsent, isWhole, refusal }: Sight): string => {
  if (refusal !== undefined)
    return 'The server tells this browser nothing, so nobody can say whether everything that was written here is there too. What is not would be lost.'
  if (unsent === 0 && isWhole) return 'Everything that was written on this device is at the server.'
  if (unsent === 0) return 'The server does not answer just now, so nobody can tell whether it has everything.'
  return unsent === 1
    ? 'One change on this device has not reached the server. It would be lost.'
    : `${unsent} changes on this device have not reached the server. They would be lost.`
}

export const MIN_PASSPHRASE = 8

/** Why two fields do not make a passphrase; undefined where they do. */
export const passphraseProblem = (passphrase: string, again: string): string | undefined => {
  if (passphrase.length < MIN_PASSPHRASE)
    return `Use at least ${MIN_PASSPHRASE} characters; four or five words are better.`
  return passphrase === again ? undefined : 'The two are not the same.'
}
