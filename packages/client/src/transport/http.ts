import {
  bareHello,
  type ClientMessage,
  decodeServerExchange,
  DriftlogError,
  encodeExchange,
  EXCHANGE_CONTENT_TYPE,
  isErrorCode,
  MAX_EXCHANGE_BYTES,
} from '@driftlog/core'
import type { Connection, TokenSource, Transport, TransportEvents } from './transport.ts'
import { failureOf, spaceUrl } from './url.ts'

export interface HttpOptions {
  /** Asked at every exchange; sent as a bearer token. */
  readonly token: TokenSource
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
export const http = (url: string | URL, options: HttpOptions): Transport => ({
  mode: 'roundTrip',
  pollMs: options.pollMs ?? 15_000,
  connect: (space, events) => connect(spaceUrl(url, space, { http: 'http:', https: 'https:' }), space, options, events),
})

const connect = (url: string, space: string, options: HttpOptions, events: TransportEvents): Connection => {
  const abort = new AbortController()
  // One exchange after the other: what a message means can depend on the answers before it.
  let tail = Promise.resolve()
  const exchange = async (messages: readonly ClientMessage[]): Promise<void> => {
    if (abort.signal.aborted) return
    const opened = messages[0].type === 'hello' ? messages : [bareHello(space), ...messages]
    const response = await (options.fetch ?? fetch)(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${await options.token()}`, 'content-type': EXCHANGE_CONTENT_TYPE },
      body: encodeExchange(opened) as Uint8Array<ArrayBuffer>,
      signal: abort.signal,
    })
    if (!response.ok || response.headers.get('content-type') !== EXCHANGE_CONTENT_TYPE) throw await refusalOf(response)
    const answers = decodeServerExchange(new Uint8Array(await response.arrayBuffer()))
    for (const answer of answers) if (!abort.signal.aborted) events.message(answer)
  }
  queueMicrotask(() => {
    if (!abort.signal.aborted) events.opened()
  })
  return {
    send(messages) {
      tail = tail
        .then(() => exchange(messages))
        .catch((error: unknown) => {
          if (abort.signal.aborted) return
          abort.abort()
          events.closed(failureOf(error))
        })
    },
    close() {
      abort.abort()
    },
  }
}

/** A coded refusal, or UNAVAILABLE for whatever else answers in the server's place: a proxy, a captive portal. */
const refusalOf = async (response: Response): Promise<DriftlogError> => {
  const text = await response.text()
  if (
    text.length <= MAX_EXCHANGE_BYTES &&
    (response.headers.get('content-type') ?? '').startsWith('application/json')
  ) {
    try {
      const { code, message, details } = JSON.parse(text) as { code?: unknown; message?: unknown; details?: object }
      if (isErrorCode(code)) return new DriftlogError(code, String(message), { ...details })
    } catch (cause) {
      return new DriftlogError('UNAVAILABLE', `HTTP ${response.status}`, {}, { cause })
    }
  }
  return new DriftlogError('UNAVAILABLE', `HTTP ${response.status}`)
}
