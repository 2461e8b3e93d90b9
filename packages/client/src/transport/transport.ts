/**
 * The port to a server. A transport moves messages and knows nothing of what they mean, except that it fills in the
 * token. It never retries: that is the session's decision.
 */
import type { ClientMessage, ErrorCode, ServerMessage } from '@driftlog/core'

/** Why a connection is gone, where it has a name. */
export interface Failure {
  readonly code: ErrorCode
  readonly message: string
  /** The evidence that came with it. */
  readonly details?: Readonly<Record<string, unknown>>
}

export interface TransportEvents {
  opened(): void
  message(message: ServerMessage): void
  /** At most once, and nothing after it. */
  closed(failure?: Failure): void
}

export interface Connection {
  /** In order, never empty. A socket sends one frame a message; a round-trip transport one exchange. */
  send(messages: readonly ClientMessage[]): void
  /** Drops the connection. No event comes afterwards. */
  close(): void
}

export interface Transport {
  /** `live`: the server may send by itself. `roundTrip`: it only answers. */
  readonly mode: 'live' | 'roundTrip'
  /** How often a round-trip transport asks for news, in milliseconds. */
  readonly pollMs?: number
  connect(space: string, events: TransportEvents): Connection
}

export type TokenSource = () => string | Promise<string>
