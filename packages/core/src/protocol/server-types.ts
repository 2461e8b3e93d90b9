/** What the server's side of a session is told (inputs) and asks for (effects). See server-session for the machine. */
import type { DeviceId } from '../clock/dot.ts'
import type { Hlc } from '../clock/hlc.ts'
import type { VersionVector } from '../clock/version-vector.ts'
import type { ErrorCode } from '../errors.ts'
import type { Batch, BatchHeader } from '../log/batch.ts'
import type { AppendOutcome, BatchPage, Cursor, PageLimit, Point, RecordChange, Tip } from '../log/batch-store.ts'
import type { Admission } from '../pruning/pruning.ts'
import type { ClientMessage, MembersHead, RefusalDetails, Role, ServerMessage } from './messages.ts'

export interface ServerSessionConfig {
  /** The space that the client connected to; its hello must name the same. */
  readonly space: string
  /** `roundTrip`: the session lives for one exchange and is never live. */
  readonly mode: 'live' | 'roundTrip'
}

export type SessionRole = Role | 'guest' | 'stranger'

export interface AdmittedMembers extends MembersHead {
  /** Whether an installation is, or once was, one of a member's: nobody else's ops are taken in. */
  isKnown(installation: Uint8Array): boolean
  /** PRUNE2: whether what it wrote gets in. */
  admits(installation: Uint8Array): Admission
  /** The record that will be there once that which is `open` now is closed. */
  readonly door: string
  /** `standingDigest`. */
  readonly pruning: Uint8Array
}

export type ServerInput =
  | { readonly kind: 'message'; readonly message: ClientMessage }
  /**
   * Answers `authorize`. `guest`: may read the log of members and propose an entry, and nothing else: who holds an invitation, or
   * founds the space. `stranger`: may propose, for entries speak for themselves: who knows more of the log than the server. `serverTimeMs`: the wall clock now, or undefined where it cannot be trusted. `members`: in a space with
   * members.
   */
  | {
      readonly kind: 'authorized'
      readonly role: SessionRole
      readonly serverTimeMs: number | undefined
      readonly members?: AdmittedMembers
    }
  /** Answers `authorize`: the session ends. */
  | { readonly kind: 'denied'; readonly code: ErrorCode; readonly details?: RefusalDetails }
  /** Answers `look`. `end` must have been read BEFORE `tips`, so that they hold all up to it (SYNC10). */
  | {
      readonly kind: 'looked'
      readonly end: Cursor
      readonly tips: ReadonlyMap<DeviceId, Tip>
      readonly cursorValid: boolean
    }
  /**
   * Answers `readAdmission`: the certificates of its `devices` (one that is not known has no entry), and the greatest shift
   * that counts for its `ahead`, 0 where there is none.
   */
  | {
      readonly kind: 'admissionRead'
      readonly certificates: ReadonlyMap<DeviceId, Uint8Array>
      readonly shift: Hlc
    }
  /** Answers `findCommon`: 0 where none of the points is held. */
  | { readonly kind: 'commonFound'; readonly seq: number }
  /** Answers `append`, one outcome a batch. What is `appended` is durable. */
  | { readonly kind: 'appended'; readonly outcomes: readonly AppendOutcome[] }
  /** Answers `readAbove` and `readAfter`. */
  | { readonly kind: 'pageRead'; readonly page: BatchPage }
  /** Answers `readEntries`. */
  | { readonly kind: 'entriesRead'; readonly entries: readonly Uint8Array[]; readonly more: boolean }
  /** Answers `propose`: where the entry stands now, durably. */
  | { readonly kind: 'proposed'; readonly position: number }
  /** Answers `propose`: nothing has changed. */
  | { readonly kind: 'proposalRefused'; readonly code: ErrorCode; readonly details: RefusalDetails }
  /** Answers `call`. */
  | { readonly kind: 'called'; readonly body: Uint8Array }
  /** Answers `call`: nothing has changed. */
  | { readonly kind: 'callRefused'; readonly code: ErrorCode; readonly details: RefusalDetails }
  /** What counts about pruning has changed. As `changed`. */
  | { readonly kind: 'news' }
  /** The log of members grew. As `changed`. */
  | { readonly kind: 'membersGrew' }
  /** Answers any effect on the store. */
  | { readonly kind: 'storeFailed'; readonly code: ErrorCode }
  /** The store took in batches. May come at any time after `watch`, as often as it likes. */
  | { readonly kind: 'changed' }
  /** The send buffer is full, or has room again. While full the session neither reads nor answers. */
  | { readonly kind: 'congested' }
  | { readonly kind: 'drained' }

export type ServerEffect =
  /** May this token, with this pass, read or write the space, now? Asked before every message and every live page. */
  | { readonly kind: 'authorize'; readonly token: string | undefined; readonly pass: Uint8Array | undefined }
  | { readonly kind: 'look'; readonly cursor: Cursor | undefined }
  /** `readAdmission` answers it. */
  | { readonly kind: 'readAdmission'; readonly devices: readonly DeviceId[]; readonly ahead: BatchHeader | undefined }
  /** One transaction (STORE4). */
  | {
      readonly kind: 'append'
      readonly batches: readonly Batch[]
      readonly records: readonly RecordChange[]
      readonly allOrNothing: boolean
      /** STORE9. */
      readonly absent: readonly string[]
    }
  | { readonly kind: 'findCommon'; readonly device: DeviceId; readonly points: readonly Point[] }
  | { readonly kind: 'readAbove'; readonly vector: VersionVector; readonly limit: PageLimit }
  | { readonly kind: 'readAfter'; readonly cursor: Cursor; readonly limit: PageLimit }
  | { readonly kind: 'readEntries'; readonly after: number }
  | { readonly kind: 'propose'; readonly entry: Uint8Array }
  | { readonly kind: 'call'; readonly body: Uint8Array; readonly pass: Uint8Array | undefined }
  /** Begin to feed `changed`, `membersGrew` and `news`. At most once a session. */
  | { readonly kind: 'watch' }
  | { readonly kind: 'send'; readonly message: ServerMessage }
  /** The last effect. What the client is told is in a `send` before it. */
  | { readonly kind: 'close'; readonly code: ErrorCode }
