/**
 * What the device's side of a session is told (inputs), asks for (effects) and shows (status). See client-session for
 * the machine itself. The driver performs effects in the order given and feeds back what happens, one input at a time.
 */
import type { DeviceId } from '../clock/dot.ts'
import type { VersionVector } from '../clock/version-vector.ts'
import type { ErrorCode } from '../errors.ts'
import type { Batch } from '../log/batch.ts'
import type { Cursor, PageLimit, Point } from '../log/batch-store.ts'
import type { ClientMessage, Hello, RefusalDetails, ServerMessage } from './messages.ts'

export interface ClientSessionConfig {
  readonly space: string
  /**
   * `live`: a connection that stays open; the server sends what others push (WebSocket).
   * `roundTrip`: every `send` is one exchange; what others push is found by polling (HTTP).
   */
  readonly mode: 'live' | 'roundTrip'
  /** Any 32 unpredictable bits; the jitter of every back-off comes from them. */
  readonly seed: number
  /** What is durable in the local store at the start, by branch. */
  readonly held: VersionVector
  /** The cursor that was stored last, if any. */
  readonly cursor?: Cursor
  readonly timing?: Partial<ClientTiming>
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

export type TimerName = 'backoff' | 'watchdog' | 'ping' | 'poll' | 'pushRetry' | 'pullRetry' | 'gapRetry' | 'asideRetry'

export type ClientInput =
  /** The app wants to sync (also: "the network is back, try now"). The machine starts offline. */
  | { readonly kind: 'goOnline' }
  | { readonly kind: 'goOffline' }
  /** Answers `connect`. In roundTrip mode the adapter answers at once, without any I/O. */
  | { readonly kind: 'connected' }
  /** The connection is gone or never came; also after `disconnect` (then ignored). `code` where one is known. */
  | { readonly kind: 'disconnected'; readonly code?: ErrorCode; readonly message?: string }
  | { readonly kind: 'message'; readonly message: ServerMessage }
  /** Ops became durable here by another road than `ingest`: local writes, other tabs, couriers. No name changed. */
  | { readonly kind: 'localAppended'; readonly held: VersionVector }
  /** As `localAppended`, and branches have other names now (STORE2), or the log was built anew: all names are stale. */
  | { readonly kind: 'renamed'; readonly held: VersionVector }
  /** Answers `place` of the same `request`: what `placeTips` says of the tips, the local tree and the own device. */
  | ({ readonly kind: 'placed'; readonly request: number } & Placement)
  /** Answers `readPoints` of the same `request`. */
  | ({ readonly kind: 'pointsRead'; readonly request: number } & BranchPoints)
  /** Answers `readOutbox` of the same `request`. Batches in arrival order of the local store, and the branches they are of. */
  | {
      readonly kind: 'outboxRead'
      readonly request: number
      readonly batches: readonly OutboxBatch[]
      readonly more: boolean
    }
  /**
   * Answers `ingest` of the same `request`: its batches are durable, and its cursor with them in one transaction.
   * `taken`: of each branch that batches of it are part of, new or held before, how far they reach; after the renaming.
   * `isRenamed`: an outcome was `isSplit`. `refused` names the local branches that kept batches out (`branchesInTheWay`).
   * FORK: something else is held where such a batch begins. GAP: something before it is missing. The rest went in; but
   * where anything is refused, NOTHING of the effect's cursor may be stored.
   */
  | {
      readonly kind: 'stored'
      readonly request: number
      readonly held: VersionVector
      readonly taken: readonly TakenBranch[]
      readonly isRenamed: boolean
      readonly refused?: readonly RefusedBranch[]
    }
  /**
   * Answers `ingest`, `readOutbox`, `place` or `readPoints` of the same `request`: nothing of it is stored or known. It is
   * tried again later.
   */
  | { readonly kind: 'storeFailed'; readonly request: number; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'timer'; readonly name: TimerName }
  /** Ask the server now whether it has something new; `caughtUp` is false until it has answered and all is stored. */
  | { readonly kind: 'refresh' }
  /** Push again what was refused: of one branch, or of all. */
  | { readonly kind: 'retryRefused'; readonly branch?: DeviceId }

export type ClientEffect =
  | { readonly kind: 'connect' }
  /** Drop the connection. No answer is needed. */
  | { readonly kind: 'disconnect' }
  /** A socket sends one frame a message; a round-trip transport sends them as one exchange. In order, never empty. */
  | { readonly kind: 'send'; readonly messages: readonly ClientMessage[] }
  /**
   * Add to the hello `digest: tipsDigest(tips)` of what is durable here now, and send it. Its cursor and space stand. No
   * answer; where the tips cannot be read, say `disconnected` with the code.
   */
  | { readonly kind: 'greet'; readonly hello: Hello }
  /** `tips`: as the server encoded them. Decode, `placeTips`, and answer with `placed` or `storeFailed`. */
  | { readonly kind: 'place'; readonly request: number; readonly tips: Uint8Array }
  /**
   * Name places of the path from the start of the device to the end of `branch`, with seqs in (`above`, `upTo`] (see
   * `pointsOf`). Answer with `pointsRead` or `storeFailed`.
   */
  | {
      readonly kind: 'readPoints'
      readonly request: number
      readonly branch: DeviceId
      readonly above: number
      readonly upTo: number
    }
  /**
   * Read batches above `above` from the local store (SYNC4). Answer with `outboxRead` or `storeFailed`. `setAside`: what the
   * server holds of each branch that is set aside; what saw more of one stays here (SYNC3). A batch that states shifts goes
   * before all that it does not need.
   */
  | {
      readonly kind: 'readOutbox'
      readonly request: number
      readonly above: VersionVector
      readonly setAside: VersionVector
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
  /** What the server is known to hold, in local names, has changed. After a rollback of the server it can be less than before. */
  | { readonly kind: 'acknowledged'; readonly vector: VersionVector }
  /** The server's wall clock, as fresh as the message that has just come. */
  | { readonly kind: 'serverTime'; readonly serverTimeMs: number }
  | { readonly kind: 'status'; readonly status: SessionStatus }

/** What a server's tips mean here. Names are local ones as far as what they name is held. */
export interface Placement {
  /** What the server holds. What is not found keeps the server's name and seq. */
  readonly vector: VersionVector
  /** The server's names of what is not found here: it holds more, or something else. */
  readonly unverified: readonly DeviceId[]
  /**
   * Local branches of which the server must be asked how much of them it holds (SYNC22): under the same name it ends in
   * something else, or it is the own device and its end was not found.
   */
  readonly forked: readonly DeviceId[]
}

/** Ends of batches on the path to a branch, and the path: from the start of the device, each branch with its base. */
export interface BranchPoints {
  readonly device: DeviceId
  readonly path: readonly { readonly branch: DeviceId; readonly base: number }[]
  /** At most MAX_POINTS, spread evenly, the highest included; rising. */
  readonly points: readonly Point[]
  /** Whether `points` are all that there are between `above` and `upTo`. */
  readonly isComplete: boolean
}

export interface OutboxBatch {
  readonly batch: Batch
  readonly branch: DeviceId
}

export interface TakenBranch {
  readonly branch: DeviceId
  readonly toSeq: number
}

/** A branch that is not taken in, at the server or here. Nothing is lost; the other branches' batches go on. */
export interface RefusedBranch {
  readonly branch: DeviceId
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
  readonly refused: readonly RefusedBranch[]
}
