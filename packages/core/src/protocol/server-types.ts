/** What the server's side of a session is told (inputs) and asks for (effects). See server-session for the machine. */
import type { DeviceId } from '../clock/dot.ts'
import type { VersionVector } from '../clock/version-vector.ts'
import type { ErrorCode } from '../errors.ts'
import type { Batch } from '../log/batch.ts'
import type { AppendOutcome, BatchPage, Cursor, PageLimit } from '../log/batch-store.ts'
import type { ClientMessage, Role, ServerMessage } from './messages.ts'

export interface ServerSessionConfig {
  /** The space that the client connected to; its hello must name the same. */
  readonly space: string
  /** `roundTrip`: the session lives for one exchange and is never live. */
  readonly mode: 'live' | 'roundTrip'
}

export type ServerInput =
  | { readonly kind: 'message'; readonly message: ClientMessage }
  /** Answers `authorize`. `serverTimeMs`: the wall clock now, or undefined where it cannot be trusted. */
  | { readonly kind: 'authorized'; readonly role: Role; readonly serverTimeMs: number | undefined }
  /** Answers `authorize`: the session ends. */
  | { readonly kind: 'denied'; readonly code: ErrorCode }
  /** Answers `look`. `end` must have been read BEFORE `vector`, so that `vector` holds all up to it (SYNC10). */
  | { readonly kind: 'looked'; readonly end: Cursor; readonly vector: VersionVector; readonly cursorValid: boolean }
  /** Answers `readCertificates`; a device that is not known has no entry. */
  | { readonly kind: 'certificatesRead'; readonly certificates: ReadonlyMap<DeviceId, Uint8Array> }
  /** Answers `append`, one outcome a batch. What is `appended` is durable. */
  | { readonly kind: 'appended'; readonly outcomes: readonly AppendOutcome[] }
  /** Answers `readAbove` and `readAfter`. */
  | { readonly kind: 'pageRead'; readonly page: BatchPage }
  /** Answers any effect on the store. */
  | { readonly kind: 'storeFailed'; readonly code: ErrorCode }
  /** The store took in batches. May come at any time after `watch`, as often as it likes. */
  | { readonly kind: 'changed' }
  /** The send buffer is full, or has room again. While full the session neither reads nor answers. */
  | { readonly kind: 'congested' }
  | { readonly kind: 'drained' }

export type ServerEffect =
  /** May this token read or write the space, now? Asked before every message and every live page. */
  | { readonly kind: 'authorize'; readonly token: string | undefined }
  | { readonly kind: 'look'; readonly cursor: Cursor | undefined }
  | { readonly kind: 'readCertificates'; readonly devices: readonly DeviceId[] }
  | { readonly kind: 'append'; readonly batches: readonly Batch[] }
  | { readonly kind: 'readAbove'; readonly vector: VersionVector; readonly limit: PageLimit }
  | { readonly kind: 'readAfter'; readonly cursor: Cursor; readonly limit: PageLimit }
  /** Begin to feed `changed`. At most once a session. */
  | { readonly kind: 'watch' }
  | { readonly kind: 'send'; readonly message: ServerMessage }
  /** The last effect. What the client is told is in a `send` before it. */
  | { readonly kind: 'close'; readonly code: ErrorCode }
