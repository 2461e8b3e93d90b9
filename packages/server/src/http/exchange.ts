/**
 * `POST /spaces/:space/sync`: the messages of a session in one round trip (PRO9). The token is checked, and the space
 * found to be theirs, before a byte of the body is read.
 */
import {
  type ClientMessage,
  decodeClientExchange,
  DriftlogError,
  encodeExchange,
  EXCHANGE_CONTENT_TYPE,
  isSpaceId,
  MAX_EXCHANGE_BYTES,
  type ServerMessage,
} from '@driftlog/core'
import type { Context } from 'hono'
import type { Grant } from '../auth/auth.ts'
import { RateMeter } from '../limits/token-bucket.ts'
import type { ServerParts } from '../parts.ts'
import { SessionDriver } from '../session/session-driver.ts'
import { readBody } from './body.ts'

/** Of batches, of entries, or of what counts about pruning, so that the answer stays below MAX_EXCHANGE_BYTES: a page each. */
const MAX_PULLS = 4
const PAGED: ReadonlySet<ClientMessage['type']> = new Set(['pull', 'entries', 'call'])
/** Subjects whose rates are remembered. */
const MAX_METERS = 10_000

export const exchangeHandler = (parts: ServerParts): ((c: Context) => Promise<Response>) => {
  const meters = new Map<string, RateMeter>()
  return async (c) => {
    const space = c.req.param('space') ?? ''
    const { token, grant } = await authenticate(parts, c)
    if (!isSpaceId(space) || (grant.roleIn(space) === undefined && grant.mayFound !== true)) {
      throw new DriftlogError('NOT_FOUND')
    }
    if (c.req.header('content-type') !== EXCHANGE_CONTENT_TYPE) {
      throw new DriftlogError('MALFORMED', `the content type must be ${EXCHANGE_CONTENT_TYPE}`)
    }
    const nowMs = parts.ports.clock.now()
    // Who brings no token is nobody in particular: what they do to one space is theirs together.
    const subject = token === undefined ? `space ${space}` : grant.subject
    const meter = meters.get(subject) ?? new RateMeter(parts.limits, nowMs)
    meters.delete(subject)
    meters.set(subject, meter)
    if (meters.size > MAX_METERS) meters.delete(meters.keys().next().value ?? '')
    const retryAfterMs = meter.owedMs(nowMs)
    if (retryAfterMs > 0) throw new DriftlogError('RATE_LIMITED', '', { retryAfterMs })
    const body = await readBody(c.req.raw, MAX_EXCHANGE_BYTES)
    const messages = decodeClientExchange(body)
    meter.take(messages.length, body.length, nowMs)
    if (messages.filter(({ type }) => PAGED.has(type)).length > MAX_PULLS) {
      throw new DriftlogError('PROTOCOL_VIOLATION', 'too many pulls in one exchange')
    }
    const answers = await exchange(parts, space, token, messages)
    c.header('cache-control', 'no-store')
    return c.body(encodeExchange(answers) as Uint8Array<ArrayBuffer>, 200, { 'content-type': EXCHANGE_CONTENT_TYPE })
  }
}

const authenticate = async (parts: ServerParts, c: Context): Promise<{ token: string | undefined; grant: Grant }> => {
  const [, token] = /^Bearer ([^\s]+)$/i.exec(c.req.header('authorization') ?? '') ?? []
  const { auth, ports } = parts
  const grant = token === undefined ? auth.withoutToken : await auth.check(token, ports.clock.now())
  if (grant === undefined) throw new DriftlogError('UNAUTHORIZED')
  return { token, grant }
}

const exchange = async (
  parts: ServerParts,
  space: string,
  token: string | undefined,
  messages: readonly ClientMessage[],
): Promise<ServerMessage[]> => {
  const answers: ServerMessage[] = []
  const driver = new SessionDriver({
    space,
    mode: 'roundTrip',
    store: parts.store,
    auth: parts.auth,
    members: parts.members,
    prunings: parts.prunings,
    clock: parts.ports.clock,
    clockFloorMs: parts.limits.clockFloorMs,
    logger: parts.logger,
    ...(token !== undefined && { token }),
    send: (message) => answers.push(message),
    closed: (code) => parts.logger.debug({ code, space }, 'an exchange was refused'),
  })
  for (const message of messages) driver.input({ kind: 'message', message: withoutToken(message) })
  await driver.settled()
  driver.close()
  const [first] = answers
  // Nothing was done: say so in the terms of HTTP.
  if (first?.type === 'refused' && first.id === undefined) throw new DriftlogError(first.code, '', { ...first.details })
  return answers
}

/** Over HTTP the token is the header's, which has been checked. */
const withoutToken = (message: ClientMessage): ClientMessage => {
  if (message.type !== 'hello' || message.token === undefined) return message
  const { token: _, ...rest } = message
  return rest
}
