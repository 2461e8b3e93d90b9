/** How a coded refusal looks over HTTP: `{ code, message, details }`, never a stack. */
import { type DriftlogError, type ErrorCode, toRefusalDetails } from '@driftlog/core'
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'

const statusByCode: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  TOO_LARGE: 413,
  RATE_LIMITED: 429,
  UNAVAILABLE: 503,
}

const statusOf = (code: ErrorCode): ContentfulStatusCode => statusByCode[code] ?? 400

export const refuse = (c: Context, error: DriftlogError, status = statusOf(error.code)): Response => {
  if (error.code === 'UNAUTHORIZED') c.header('www-authenticate', 'Bearer')
  const { retryAfterMs } = error.details
  if (typeof retryAfterMs === 'number') c.header('retry-after', String(Math.ceil(retryAfterMs / 1_000)))
  c.header('cache-control', 'no-store')
  return c.json({ code: error.code, message: error.message, details: toRefusalDetails(error.details) }, status)
}
