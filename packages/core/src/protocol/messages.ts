/**
 * The messages of the sync protocol and their bounds. One vocabulary for every transport: a WebSocket carries one
 * message a frame, HTTP carries a list of frames each way (see frame-codec), the simulator carries them as they are.
 *
 *     device → server                                   server → device
 *     hello  { space, digest, cursor }           →      welcome { inSync, cursorValid, end, tips }
 *     pull   { id, after | above }               →      page    { id, from, batches, cursor, more }
 *     push   { id, batches }                     →      pushed  { id, outcomes }
 *     locate { id, device, points }              →      located { id, seq }
 *     entries { id, after }                      →      entries { id, after, entries, more }
 *     propose { id, entry }                      →      proposed { id, position }
 *     call { id, body }                          →      reply { id, body }
 *     ping                                       →      pong
 *                                                       page    without an id: what others pushed since (live)
 *                                                       entries without an id: how the log of members goes on (live)
 *                                                       reply   without an id: ask anew (live)
 *                                                       refused { id?, code }: instead of an answer; without id, the session ends
 */
import type { DeviceId } from '../clock/dot.ts'
import type { ErrorCode } from '../errors.ts'
import { MAX_BATCH_BYTES } from '../log/batch.ts'
import type { Cursor, PageLimit, Point } from '../log/batch-store.ts'
import type { Role } from '../membership/entry.ts'

/** PRO1: both sides speak exactly this version or refuse with PROTOCOL_VERSION. Any change of a message raises it. */
export const PROTOCOL_VERSION = 4

/** The largest frame in bytes. One batch of the largest size always fits, with room for what is around it. */
export const MAX_FRAME_BYTES = 1_048_576
/** The largest body of an HTTP round trip in bytes, either way: a full window of pushes, a hello and a pull. */
export const MAX_EXCHANGE_BYTES = 8 * MAX_FRAME_BYTES
export const MAX_EXCHANGE_FRAMES = 64
export const MAX_TOKEN_LENGTH = 8_192
/** An encoded version vector, in bytes: about 27,000 branches. */
export const MAX_VECTOR_BYTES = 524_288
/** Encoded tips, in bytes: about 20,000 branches. */
export const MAX_TIPS_BYTES = 524_288
/** Of one question where two histories part. */
export const MAX_POINTS = 64
export const MAX_PUSH_BATCHES = 64
export const MAX_PAGE_BATCHES = 256
export const MAX_MESSAGE_LENGTH = 1_000
/** What one page of the log of members carries at most, or a single entry of the largest size. */
export const ENTRIES_LIMIT = { entries: 256, bytes: 500_000 }
export const DIGEST_BYTES = 16
/** Of a call or a reply. */
export const MAX_BODY_BYTES = 1_000_000

/** What one push carries at most: below the frame limit, or a single batch of the largest size. */
export const PUSH_LIMIT: PageLimit = { batches: MAX_PUSH_BATCHES, bytes: MAX_BATCH_BYTES / 2 }
/** What one page carries at most. */
export const PULL_LIMIT: PageLimit = { batches: MAX_PAGE_BATCHES, bytes: MAX_BATCH_BYTES / 2 }

export type { Role }

/** Evidence beside a refusal: a flat record of at most 8 scalars, such as `{ have }` or `{ serverTimeMs }`. */
export type RefusalDetails = Readonly<Record<string, string | number | boolean>>

/** The first message of a session. */
export interface Hello {
  readonly type: 'hello'
  readonly protocol: number
  readonly space: string
  /** WebSocket only, filled in by the transport: a token never stands in a URL. HTTP has its Authorization header. */
  readonly token?: string
  /** In a space with members: for which installation, or invitation, the device speaks (`makePass`). */
  readonly pass?: Uint8Array
  /** Where the device stopped reading this server, if it ever did. */
  readonly cursor?: Cursor
  /** `tipsDigest` of what the device holds. Without it no welcome is sent: the session only pushes and pulls. */
  readonly digest?: Uint8Array
}

export interface Push {
  readonly type: 'push'
  /** Chosen by the device, repeated in the answer. */
  readonly id: number
  /** Encoded batches, 1 to MAX_PUSH_BATCHES; per device in order of seq. */
  readonly batches: readonly Uint8Array[]
}

/** Asks for one page: of what arrived after a cursor, or of what stands above a vector. Exactly one of the two. */
export interface Pull {
  readonly type: 'pull'
  readonly id: number
  readonly after?: Cursor
  /** `encodeVector` of what the device holds. */
  readonly above?: Uint8Array
}

/** Asks how far the server holds one history of a device: which of these places of it is the highest that it holds. */
export interface Locate {
  readonly type: 'locate'
  readonly id: number
  readonly device: DeviceId
  /** 1 to MAX_POINTS, rising in seq. */
  readonly points: readonly Point[]
}

/** Asks for a page of the log of members. */
export interface AskEntries {
  readonly type: 'entries'
  readonly id: number
  /** The position of the last entry that is known. */
  readonly after: number
}

/** An entry that is to come next in the log of members. Refused with `id` and MEMBERS_REFUSED where it may not. */
export interface Propose {
  readonly type: 'propose'
  readonly id: number
  readonly entry: Uint8Array
}

/** Asks about pruning: `PruningRequest`. Refused with `id` where it does not hold. */
export interface Call {
  readonly type: 'call'
  readonly id: number
  readonly body: Uint8Array
}

export interface Ping {
  readonly type: 'ping'
}

export type ClientMessage = Hello | Push | Pull | Locate | AskEntries | Propose | Call | Ping

export interface Welcome {
  readonly type: 'welcome'
  readonly protocol: number
  /** Wall clock of the server, milliseconds since the Unix epoch. */
  readonly serverTimeMs: number
  readonly role: Role
  /** The digest was that of the server's tips: nothing to push, nothing to pull, and the session is live from `end`. */
  readonly inSync: boolean
  /** Whether the hello's cursor names the batch at its position; false where it had none. */
  readonly cursorValid: boolean
  /** The end of the server's arrival order. All up to it is in `tips`. */
  readonly end: Cursor
  /** `encodeTips` of what the server holds; absent where in sync. */
  readonly tips?: Uint8Array
  /** How far the server has the log of members; absent where the space has none. */
  readonly members?: MembersHead
  /** `standingDigest` of what counts about pruning; absent where the space has no members. */
  readonly pruning?: Uint8Array
}

export interface MembersHead {
  readonly length: number
  /** Hash of the last entry, 32 bytes. */
  readonly head: Uint8Array
}

export type PushOutcome =
  | { readonly kind: 'appended' }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly details: RefusalDetails }

export interface Pushed {
  readonly type: 'pushed'
  readonly id: number
  /** One for each batch of the push, in its order. What is `appended` or `duplicate` is durable at the server. */
  readonly outcomes: readonly PushOutcome[]
}

/** Batches in arrival order. */
export interface Page {
  readonly type: 'page'
  /** Of the pull that this answers; absent where the server sends by itself (live). */
  readonly id?: number
  /**
   * The page covers the arrival order in `(from, cursor.position]`: who has everything up to `from` has, with it,
   * everything up to `cursor`. An answer to `pull { above }` covers from 0, for who held that vector.
   */
  readonly from: number
  /** Encoded batches; what this session itself pushed is left out. */
  readonly batches: readonly Uint8Array[]
  readonly cursor: Cursor
  readonly more: boolean
}

export interface Located {
  readonly type: 'located'
  readonly id: number
  /** Of the highest point that the server holds; 0 where it holds none of them. */
  readonly seq: number
}

export interface EntryPage {
  readonly type: 'entries'
  /** Of what this answers; absent where the server sends by itself. */
  readonly id?: number
  /** The position of the entry before the first of these. */
  readonly after: number
  readonly entries: readonly Uint8Array[]
  readonly more: boolean
}

export interface Proposed {
  readonly type: 'proposed'
  readonly id: number
  /** Where the entry stands now, durably. */
  readonly position: number
}

export interface Reply {
  readonly type: 'reply'
  /** Of the call that this answers; absent where the server sends by itself: what counts has changed. */
  readonly id?: number
  /** `PruningAnswer`; empty without an id. */
  readonly body: Uint8Array
}

export interface Refused {
  readonly type: 'refused'
  /** Of the message that is refused; absent where the whole session is. */
  readonly id?: number
  readonly code: ErrorCode
  readonly message: string
  readonly details: RefusalDetails
}

export interface Pong {
  readonly type: 'pong'
  /** In a space with members: how far their log was sent on this connection. A frame may have been lost. */
  readonly members?: number
}

export type ServerMessage = Welcome | Pushed | Page | Located | EntryPage | Proposed | Reply | Refused | Pong

/**
 * The hello that a round-trip transport puts before a request whose messages do not start with one (PRO9): it opens the
 * session of that one request and is not answered.
 */
export const bareHello = (space: string): Hello => ({ type: 'hello', protocol: PROTOCOL_VERSION, space })

/** The media type of an exchange, either way. */
export const EXCHANGE_CONTENT_TYPE = 'application/vnd.driftlog.exchange'
