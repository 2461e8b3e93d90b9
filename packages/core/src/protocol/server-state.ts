/** The state of the server's side of a session: plain data, changed only on a copy inside one step. */
import type { DeviceId } from '../clock/dot.ts'
import type { Cursor } from '../log/batch-store.ts'
import type { Candidate } from './admission.ts'
import type {
  AskEntries,
  Call,
  ClientMessage,
  Hello,
  Locate,
  Propose,
  Pull,
  Push,
  PushOutcome,
  Role,
} from './messages.ts'
import type { AdmittedMembers, ServerEffect, ServerSessionConfig } from './server-types.ts'

/** What is authorized: a message, or the next live page, of batches or of the log of members. */
export type Request = Hello | Push | Pull | Locate | AskEntries | Propose | Call | 'live' | 'liveEntries' | 'news'

/** What is under way. Each waits for one answer of the driver. */
export type Job =
  | { readonly kind: 'authorizing'; readonly request: Request }
  | {
      readonly kind: 'greeting'
      readonly hello: Hello
      readonly role: Role
      readonly serverTimeMs: number
      readonly members: AdmittedMembers | undefined
    }
  | (Admission & { readonly kind: 'admitting' })
  | (Admission & { readonly kind: 'appending'; readonly judged: readonly Candidate[] })
  | { readonly kind: 'reading'; readonly request: Pull | 'live' }
  | { readonly kind: 'locating'; readonly request: Locate }
  | { readonly kind: 'readingEntries'; readonly request: AskEntries | 'liveEntries'; readonly after: number }
  | { readonly kind: 'proposing'; readonly request: Propose }
  | { readonly kind: 'calling'; readonly request: Call }

/** A push that is taken in stretch by stretch. */
export interface Admission {
  readonly push: Push
  readonly serverTimeMs: number
  readonly members: AdmittedMembers | undefined
  /** What is told of the batches that are dealt with. */
  readonly outcomes: readonly PushOutcome[]
  /** Those that are still to be judged. */
  readonly rest: readonly Candidate[]
  /** undefined: not asked for yet. */
  readonly certificates: ReadonlyMap<DeviceId, Uint8Array> | undefined
}

export interface ServerSession extends ServerSessionConfig {
  readonly phase: 'new' | 'open' | 'closed'
  readonly token: string | undefined
  readonly pass: Uint8Array | undefined
  readonly queue: readonly ClientMessage[]
  readonly job: Job | undefined
  readonly isCongested: boolean
  /** Everything up to it was sent or is the session's own, and what comes after it is sent as it comes. */
  readonly live: Cursor | undefined
  /** The position up to which the device knows so: live pages go on from there. */
  readonly told: number
  readonly isWatching: boolean
  readonly hasChanged: boolean
  /** How much of the log of members the device was told; undefined before a welcome, and where the space has none. */
  readonly toldMembers: number | undefined
  readonly haveMembersGrown: boolean
  /** What counts about pruning has changed, and the device was not told. */
  readonly hasNews: boolean
  /** The last job was a live page: a waiting message comes first now. */
  readonly wasLive: boolean
  /** Positions of batches that this session pushed and that no page has passed yet. */
  readonly own: ReadonlySet<number>
}

export const createServerSession = (config: ServerSessionConfig): ServerSession => ({
  ...config,
  phase: 'new',
  token: undefined,
  pass: undefined,
  queue: [],
  job: undefined,
  isCongested: false,
  live: undefined,
  told: 0,
  isWatching: false,
  hasChanged: false,
  toldMembers: undefined,
  haveMembersGrown: false,
  hasNews: false,
  wasLive: false,
  own: new Set(),
})

/** One step in the making. */
export interface Draft {
  readonly state: { -readonly [Key in keyof ServerSession]: ServerSession[Key] }
  readonly effects: ServerEffect[]
}
