import { DriftlogError } from '@driftlog/core'
import type { Failure } from './transport.ts'

/** Where a server answers for one space, in the scheme of a transport. Throws OPTION_INVALID. */
export const spaceUrl = (base: string | URL, space: string, schemes: { http: string; https: string }): string => {
  let url: URL
  try {
    url = new URL(base)
  } catch (cause) {
    throw new DriftlogError('OPTION_INVALID', `not a URL: ${String(base)}`, {}, { cause })
  }
  const isSecure = url.protocol === 'https:' || url.protocol === 'wss:'
  if (!isSecure && url.protocol !== 'http:' && url.protocol !== 'ws:') {
    throw new DriftlogError('OPTION_INVALID', `not a URL of a server: ${String(base)}`)
  }
  url.protocol = isSecure ? schemes.https : schemes.http
  url.pathname = `${url.pathname.replace(/\/$/, '')}/spaces/${space}/sync`
  return url.href
}

/** What the session is told of a transport that failed. An unknown failure is just a lost connection. */
export const failureOf = (error: unknown): Failure | undefined =>
  error instanceof DriftlogError ? { code: error.code, message: error.message, details: error.details } : undefined
