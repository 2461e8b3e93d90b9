/** What a server is made of, and its bounds. */
import type { BatchStore, Ports } from '@driftlog/core'
import type { Auth } from './auth/auth.ts'
import type { Logger } from './logger.ts'

export interface ServerOptions {
  readonly store: BatchStore
  readonly auth: Auth
  /** The real clock, timers and randomness by default. */
  readonly ports?: Ports
  readonly limits?: Partial<ServerLimits>
  /** Silent by default. */
  readonly logger?: Logger
  /**
   * Origins of web pages that may call, such as `https://app.example`. For them HTTP answers with CORS headers; a
   * WebSocket that names another origin is refused. Where left out, any page may connect (it still needs a token) and no
   * CORS headers are sent. A client that names no origin, as outside a browser, is never refused for it.
   */
  readonly origins?: readonly string[]
}

export interface ServerLimits {
  /** Sockets at a time. */
  readonly connections: number
  /** For a socket to say hello with a valid token, in milliseconds. */
  readonly helloMs: number
  /** A silent socket is pinged, and after twice this time dropped, in milliseconds. */
  readonly heartbeatMs: number
  /** Bytes that may wait for a slow reader; beyond it (by one frame at most) nothing more is made for it. */
  readonly sendBufferBytes: number
  /** How long a reader may stay slow, in milliseconds. */
  readonly slowReaderMs: number
  /** Sustained rates of a connection (over HTTP: of a subject), and how much of it may come at once, in seconds' worth. */
  readonly messagesPerSecond: number
  readonly bytesPerSecond: number
  readonly burstSeconds: number
  /** A wall clock before this moment cannot be right (milliseconds since the Unix epoch): nothing is admitted by it. */
  readonly clockFloorMs: number
}

export const defaultLimits: ServerLimits = {
  connections: 10_000,
  helloMs: 5_000,
  heartbeatMs: 30_000,
  sendBufferBytes: 2_097_152,
  slowReaderMs: 30_000,
  messagesPerSecond: 200,
  bytesPerSecond: 8_388_608,
  burstSeconds: 4,
  // This software is younger than that.
  clockFloorMs: Date.UTC(2026, 0, 1),
}
