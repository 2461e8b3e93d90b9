import { DriftlogError, MAX_TOKEN_LENGTH } from '@driftlog/core'

/** What a token source gave, if a message can carry it. Throws UNAUTHORIZED. */
export const checkToken = (token: unknown): string | undefined => {
  if (token === undefined) return undefined
  if (typeof token === 'string' && token.length <= MAX_TOKEN_LENGTH && token.isWellFormed()) return token
  throw new DriftlogError('UNAUTHORIZED', `the token source gave no text of at most ${MAX_TOKEN_LENGTH} characters`)
}
