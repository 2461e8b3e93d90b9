/**
 * What the device's side of a session is told (inputs), asks for (effects) and shows (status). See client-session for
 * the machine itself. The driver performs effects in the order given and feeds back what happens, one input at a time.
 */
import type { DeviceId } from '../clock/dot.ts'
import type { VersionVector } from '../clock/version-vector.ts'
import type { ErrorCode } from '../errors.ts'
import type { Batch } from '../log/batch.ts'
import type { Cursor, PageLimit } from '../log/batch-store.ts'
import type { ClientMessage, RefusalDetails, ServerMessage } from './messages.ts'

export interface ClientSessionConfig {
  readonly space: string
  /**
   * `live`: a connection that stays open; the server sends what others push (WebSocket).
   * `roundTrip`: every `send` is one exchange; what others push is found by polling (HTTP).
   */
  readonly mode: 'live' | 'roundTrip'
  /** Any 32 unpredictable bits; the jitter of every back-off comes from them. */
  readonly seed: number
  /** What is durable in the local store at the start. */
  readonly held: VersionVector
  /** The cursor that was stored last, if any. */
  readonly cursor?: Cursor
  /**
   * The device that this replica writes as, and how much of it a server has confirmed batch by batch (see SYNC21): what
   * `acknowledged` last said of it.
   */
  readonly own?: OwnDevice
  readonly timing?: Partial<ClientTiming>
}

export interface OwnDevice {
  readonly device: DeviceId
  readonly confirmedSeq: number
}

/** All in milliseconds. */
export interface ClientTiming {
  /** Back-off after the n-th failure in a row: a random part, from half to whole, of `first * 2^(n-1)`, at most `most`. */
  readonly backoffFirstMs: number
  readonly backoffMostMs: number
  /** Nothing came from the server for so long although something is outstanding: the connection counts as dead. */
  readonly watchdogMs: number
  /** Silence after which a live connection is pinged. */
  readonly pingMs: number
  /** From the end of one catch-up to the next poll, in `roundTrip` mode. */
  readonly pollMs: number
}

export type TimerName = 'backoff' | 'watchdog' | 'ping' | 'poll' | 'pushRetry' | 'pullRetry' | 'gapRetry' | 'clockRetry'

export type ClientInput =
  /** The app wants to sync (also: "the network is back, try now"). The machine starts offline. */
  | { readonly kind: 'goOnline' }
  | { readonly kind: 'goOffline' }
  /** Answers `connect`. In roundTrip mode the adapter answers at once, without any I/O. */
  | { readonly kind: 'connected' }
  /** The connection is gone or never came; also after `disconnect` (then ignored). `code` where one is known. */
  | { readonly kind: 'disconnected'; readonly code?: ErrorCode; readonly message?: string }
  | { readonly kind: 'message'; readonly message: ServerMessage }
  /** Ops became durable here by another road than `ingest`: local writes, other tabs, couriers. */
  | { readonly kind: 'localAppended'; readonly held: VersionVector }
  /** Answers `readOutbox` of the same `request`. Batches in arrival order of the local store. */
  | {
      readonly kind: 'outboxRead'
      readonly request: number
      readonly batches: readonly Batch[]
      readonly more: boolean
    }
  /**
   * Answers `ingest` of the same `request`: its batches and its cursor are durable in one transaction.
   * `refused` names batches that the local store would not take. FORK: another branch is held here; the rest went in.
   * GAP: something before it is missing; then NOTHING of the effect's cursor may be stored.
   */
  | {
      readonly kind: 'stored'
      readonly request: number
      readonly held: VersionVector
      readonly refused?: readonly RefusedDevice[]
    }
  /** Answers `ingest` or `readOutbox` of the same `request`: nothing of it is stored. It is tried again later. */
  | { readonly kind: 'storeFailed'; readonly request: number; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'timer'; readonly name: TimerName }
  /** Ask the server now whether it has something new; `caughtUp` is false until it has answered and all is stored. */
  | { readonly kind: 'refresh' }
  /** Push again what was refused: of one device, or of all. */
  | { readonly kind: 'retryRefused'; readonly device?: DeviceId }

export type ClientEffect =
  | { readonly kind: 'connect' }
  /** Drop the connection. No answer is needed. */
  | { readonly kind: 'disconnect' }
  /** A socket sends one frame a message; a round-trip transport sends them as one exchange. In order, never empty. */
  | { readonly kind: 'send'; readonly messages: readonly ClientMessage[] }
  /** Read batches above `above` from the local store (SYNC4). Answer with `outboxRead` or `storeFailed`. */
  | {
      readonly kind: 'readOutbox'
      readonly request: number
      readonly above: VersionVector
      readonly limit: PageLimit
    }
  /** Verify and store the batches and the cursor in one transaction (SYNC2). Answer with `stored` or `storeFailed`. */
  | {
      readonly kind: 'ingest'
      readonly request: number
      readonly batches: readonly Batch[]
      readonly cursor: Cursor | undefined
    }
  /** All that the cursor covers is durable already. May wait for the next transaction, or be lost. No answer. */
  | { readonly kind: 'saveCursor'; readonly cursor: Cursor }
  /** Replaces a running timer of this name. Answer with `timer` when it fires. */
  | { readonly kind: 'startTimer'; readonly name: TimerName; readonly delayMs: number }
  | { readonly kind: 'stopTimer'; readonly name: TimerName }
  /** What the server is known to hold has changed. After a rollback of the server it can be less than before. */
  | { readonly kind: 'acknowledged'; readonly vector: VersionVector }
  /** The server's wall clock, as fresh as the message that has just come. */
  | { readonly kind: 'serverTime'; readonly serverTimeMs: number }
  | { readonly kind: 'status'; readonly status: SessionStatus }

/** A device whose branch is not taken in, at the server or here. Nothing is lost; the other devices' batches go on. */
export interface RefusedDevice {
  readonly device: DeviceId
  readonly code: ErrorCode
  readonly details: RefusalDetails
}

export interface SessionStatus {
  readonly phase: 'offline' | 'waiting' | 'connecting' | 'greeting' | 'open'
  /** The server has answered the hello on the present connection. */
  readonly online: boolean
  /** Connected, and something is still to be pushed, pulled or stored. */
  readonly syncing: boolean
  /** All that the server had when it was last asked is stored here. */
  readonly caughtUp: boolean
  /** What stands in the way at present. */
  readonly error: { readonly code: ErrorCode; readonly message: string } | undefined
  readonly refused: readonly RefusedDevice[]
}
