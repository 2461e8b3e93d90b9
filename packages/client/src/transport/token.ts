import { DriftlogError, MAX_TOKEN_LENGTH } from '@driftlog/core'
import type { TokenSource } from './transport.ts'

/** What a token source gave, if a message can carry it. Throws UNAUTHORIZED. */
const checkToken = (token: unknown): string => {
  if (typeof token === 'string' && token.length <= MAX_TOKEN_LENGTH && token.isWellFormed()) return token
  throw new DriftlogError('UNAUTHORIZED', `the token source gave no text of at most ${MAX_TOKEN_LENGTH} characters`)
}

/** What to bring to a server; undefined where the app says that there is nothing to bring. Rejects as the source does, and with UNAUTHORIZED. */
export const tokenOf = async (source: TokenSource | undefined): Promise<string | undefined> =>
  source && checkToken(await source())
