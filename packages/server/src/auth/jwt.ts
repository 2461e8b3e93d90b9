/**
 * Tokens as JSON Web Tokens (RFC 7519), signed with HS256 and no other algorithm.
 *
 *     claims = { sub: string, spaces: { [space id or '*']: 'reader' | 'writer' | 'admin' }, exp: seconds }
 */
import { DriftlogError, isSpaceId, MAX_TOKEN_LENGTH, type Role } from '@driftlog/core'
import { sign, verify } from 'hono/jwt'
import type { Auth, Grant } from './auth.ts'

export interface JwtOptions {
  /** Shared with whoever mints the tokens; at least 32 characters. */
  readonly secret: string
}

/** Valid tokens that are remembered, so that not every message costs a signature check. */
const REMEMBERED = 1_000
const MIN_SECRET_LENGTH = 32

interface Claims {
  readonly subject: string
  readonly spaces: ReadonlyMap<string, Role>
  readonly expiresMs: number
  readonly notBeforeMs: number
}

export const jwt = ({ secret }: JwtOptions): Auth => {
  checkSecret(secret)
  const remembered = new Map<string, Claims>()
  return {
    async check(token, nowMs): Promise<Grant | undefined> {
      const claims = remembered.get(token) ?? (await readToken(token, secret))
      if (claims === undefined) return undefined
      if (nowMs >= claims.expiresMs || nowMs < claims.notBeforeMs) {
        remembered.delete(token)
        return undefined
      }
      remembered.set(token, claims)
      if (remembered.size > REMEMBERED) remembered.delete(remembered.keys().next().value ?? token)
      const { subject, spaces } = claims
      return { subject, roleIn: (space) => spaces.get(space) ?? spaces.get('*') }
    },
  }
}

const readToken = async (token: string, secret: string): Promise<Claims | undefined> => {
  if (token.length > MAX_TOKEN_LENGTH) return undefined
  try {
    // Times are judged by the injected clock, not by hono's.
    return readClaims(await verify(token, secret, { alg: 'HS256', exp: false, nbf: false, iat: false }))
  } catch {
    return undefined
  }
}

const readClaims = ({ sub, spaces, exp, nbf }: Readonly<Record<string, unknown>>): Claims | undefined => {
  if (typeof sub !== 'string' || sub === '' || sub.length > 256) return undefined
  // A token that never ends cannot be taken back.
  if (typeof exp !== 'number' || !Number.isFinite(exp)) return undefined
  if (nbf !== undefined && typeof nbf !== 'number') return undefined
  if (typeof spaces !== 'object' || spaces === null || Array.isArray(spaces)) return undefined
  const roles = new Map<string, Role>()
  for (const [space, role] of Object.entries(spaces)) {
    if (space !== '*' && !isSpaceId(space)) return undefined
    if (role !== 'reader' && role !== 'writer' && role !== 'admin') return undefined
    roles.set(space, role)
  }
  return { subject: sub, spaces: roles, expiresMs: exp * 1_000, notBeforeMs: (nbf ?? 0) * 1_000 }
}

export interface TokenRequest {
  readonly secret: string
  readonly subject: string
  /** Space id, or '*' for every space, to role. */
  readonly spaces: Readonly<Record<string, Role>>
  readonly expiresInSeconds: number
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number
}

/** Throws OPTION_INVALID where the token would never be accepted. */
export const mintToken = async (request: TokenRequest): Promise<string> => {
  const { secret, subject, spaces, expiresInSeconds, nowMs } = request
  checkSecret(secret)
  const issued = Math.floor(nowMs / 1_000)
  const claims = { sub: subject, spaces: { ...spaces }, iat: issued, exp: issued + Math.floor(expiresInSeconds) }
  if (readClaims(claims) === undefined) throw new DriftlogError('OPTION_INVALID', 'claims of a token')
  const token = await sign(claims, secret, 'HS256')
  if (token.length > MAX_TOKEN_LENGTH) throw new DriftlogError('OPTION_INVALID', 'too many spaces for one token')
  return token
}

const checkSecret = (secret: string): void => {
  if (secret.length >= MIN_SECRET_LENGTH) return
  throw new DriftlogError('OPTION_INVALID', `a secret needs ${MIN_SECRET_LENGTH} characters`)
}
