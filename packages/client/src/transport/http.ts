import {
  bareHello,
  type ClientMessage,
  concatBytes,
  decodeServerExchange,
  DriftlogError,
  encodeExchange,
  EXCHANGE_CONTENT_TYPE,
  isErrorCode,
  MAX_EXCHANGE_BYTES,
  type ServerMessage,
} from '@driftlog/core'
import { tokenOf } from './token.ts'
import type { Connection, TokenSource, Transport, TransportEvents } from './transport.ts'
import { failureOf, spaceUrl } from './url.ts'

export interface HttpOptions {
  /** Asked at every exchange; sent as a bearer token. Leave it out where the server asks for none. */
  readonly token?: TokenSource
  readonly fetch?: typeof fetch
  /** How often to ask for news while nothing else is to be sent. 15,000 ms by default. */
  readonly pollMs?: number
}

/**
 * The same messages as over a WebSocket, each exchange one POST: for networks without WebSockets, and for service
 * workers.
 *
 * @param url of the server: `http(s)://` or `ws(s)://host[:port][/prefix]`.
 */
export const http = (url: string | URL, options: HttpOptions = {}): Transport => ({
  mode: 'roundTrip',
  pollMs: options.pollMs ?? 15_000,
  connect: (space, events) => connect(spaceUrl(url, space, { http: 'http:', https: 'https:' }), space, options, events),
})

const connect = (url: string, space: string, options: HttpOptions, events: TransportEvents): Connection => {
  const abort = new AbortController()
  // One exchange after the other: what a message means can depend on the answers before it.
  let tail = Promise.resolve()
  let pass: Uint8Array | undefined
  const exchange = async (messages: readonly ClientMessage[]): Promise<readonly ServerMessage[]> => {
    if (abort.signal.aborted) return []
    const [first] = messages
    if (first.type === 'hello') pass = first.pass
    const hello = { ...bareHello(space), ...(pass !== undefined && { pass }) }
    const opened = first.type === 'hello' ? messages : [hello, ...messages]
    const token = await tokenOf(options.token)
    if (abort.signal.aborted) return []
    const response = await (options.fetch ?? fetch)(url, {
      method: 'POST',
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        'content-type': EXCHANGE_CONTENT_TYPE,
      },
      body: encodeExchange(opened) as Uint8Array<ArrayBuffer>,
      signal: abort.signal,
    })
    if (!response.ok || response.headers.get('content-type') !== EXCHANGE_CONTENT_TYPE) throw await refusalOf(response)
    return decodeServerExchange(await readBody(response, MAX_EXCHANGE_BYTES))
  }
  const deliver = (answers: readonly ServerMessage[]): void => {
    for (const answer of answers) if (!abort.signal.aborted) events.message(answer)
  }
  queueMicrotask(() => {
    if (!abort.signal.aborted) events.opened()
  })
  return {
    send(messages) {
      const failed = (error: unknown): void => {
        if (abort.signal.aborted) return
        abort.abort()
        events.closed(failureOf(error))
      }
      // What fails in `deliver` is a bug, and must not pass for a bad connection.
      tail = tail.then(() => exchange(messages)).then(deliver, failed)
    },
    close() {
      abort.abort()
    },
  }
}

/** Refusals are small; a page that something else answers with is of no interest. */
const MAX_REFUSAL_BYTES = 65_536

/** A coded refusal, or UNAVAILABLE for whatever else answers in the server's place: a proxy, a captive portal. */
const refusalOf = async (response: Response): Promise<DriftlogError> => {
  const unknown = new DriftlogError('UNAVAILABLE', `HTTP ${response.status}`)
  if (!(response.headers.get('content-type') ?? '').startsWith('application/json')) {
    await response.body?.cancel()
    return unknown
  }
  try {
    const text = new TextDecoder().decode(await readBody(response, MAX_REFUSAL_BYTES))
    const { code, message, details } = JSON.parse(text) as { code?: unknown; message?: unknown; details?: object }
    if (!isErrorCode(code)) return unknown
    // The server's message is a whole sentence already.
    const refusal = new DriftlogError(code, '', { ...details })
    return typeof message === 'string' ? Object.assign(refusal, { message }) : refusal
  } catch {
    return unknown
  }
}

/** Throws TOO_LARGE above `limit` bytes, without waiting for the rest: an answer may be endless. */
const readBody = async (response: Response, limit: number): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for (const reader = response.body?.getReader(); reader !== undefined; ) {
    const { done, value } = await reader.read()
    if (done) break
    bytes += value.length
    if (bytes > limit) {
      await reader.cancel()
      throw new DriftlogError('TOO_LARGE', 'an answer', { limit })
    }
    chunks.push(value)
  }
  return concatBytes(...chunks)
}
