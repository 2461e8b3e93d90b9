/**
 * The state of the device's side of a session: plain data, changed only on a copy (`Draft`) inside one step.
 */
import type { DeviceId } from '../clock/dot.ts'
import { type VersionVector, emptyVector, seqOf } from '../clock/version-vector.ts'
import type { ErrorCode } from '../errors.ts'
import type { Batch } from '../log/batch.ts'
import { type Cursor, type Point, startCursor } from '../log/batch-store.ts'
import type {
  ClientEffect,
  ClientSessionConfig,
  BranchPoints,
  ClientTiming,
  RefusedBranch,
  SessionStatus,
  TakenBranch,
  TimerName,
} from './client-types.ts'
import type { ClientMessage, Role, Welcome } from './messages.ts'

export interface Fault {
  readonly code: ErrorCode
  readonly message: string
}

/** A page that has come and is not stored yet. */
export interface InboxPage {
  readonly batches: readonly Batch[]
  readonly cursor: Cursor
}

/** Seqs `[fromSeq, toSeq]` of a branch. */
export interface BranchRange {
  readonly branch: DeviceId
  readonly device: DeviceId
  readonly fromSeq: number
  readonly toSeq: number
}

/** A push without its answer. `ranges[i]` is what its i-th batch holds. */
export interface InFlight {
  readonly id: number
  readonly ranges: readonly BranchRange[]
}

/** What was refused of a branch. It is left out of pushes while `isSetAside`; the next connection tries it once more. */
export interface Refusal extends RefusedBranch {
  readonly isSetAside: boolean
}

/** SYNC22: how much of `branch` the server holds is being found out; it is in [`above`, `upTo`]. */
export interface Asking {
  readonly branch: DeviceId
  readonly above: number
  readonly upTo: number
  readonly step:
    | { readonly kind: 'reading'; readonly request: number }
    | { readonly kind: 'asked'; readonly id: number; readonly points: readonly Point[]; readonly isComplete: boolean }
  readonly path: BranchPoints['path']
}

export interface ClientSession {
  readonly space: string
  readonly mode: 'live' | 'roundTrip'
  readonly timing: ClientTiming
  readonly isWanted: boolean
  readonly phase: SessionStatus['phase']
  /** Pseudo-random state, 32 bits: jitter replays with the inputs. */
  readonly random: number
  /** Numbers messages and requests to the store; never reused. */
  readonly nextId: number
  readonly timers: ReadonlySet<TimerName>
  /** Connections in a row that ended without progress; attempts in a row that were put off. */
  readonly failures: number
  readonly pullFailures: number
  readonly pushFailures: number

  /** Durable here. */
  readonly held: VersionVector
  readonly cursor: Cursor | undefined
  /** What the server is known to hold, in local names. */
  readonly server: VersionVector
  readonly role: Role | undefined

  /** What `held` was when the hello was sent. */
  readonly greetedWith: VersionVector
  /** The tips of the welcome, until what they name is found here too, or cannot be had. */
  readonly promised: Uint8Array | undefined
  /** Tips are being placed: those of `welcome`, which opens the session, or those promised, after a catch-up. */
  readonly placing: { readonly request: number; readonly welcome?: Welcome } | undefined
  /** Everything up to it has come on this connection or was here before. */
  readonly received: Cursor
  readonly pullBy: 'cursor' | 'vector'
  readonly pullWanted: boolean
  /** The app asked for news (`refresh`), and the question has not been sent yet. */
  readonly refreshWanted: boolean
  /** roundTrip mode: it is time to ask for news. */
  readonly pollDue: boolean
  /** The hello that is under way is a poll: nothing known is in doubt while it is. */
  readonly isQuietPoll: boolean
  /** The server has answered a hello on this connection. */
  readonly isWelcomed: boolean
  /** This connection has pulled by vector already: a second time would not find more. */
  readonly triedVector: boolean
  readonly pull: number | undefined
  readonly inbox: readonly InboxPage[]
  readonly ingesting:
    | { readonly request: number; readonly page: InboxPage; readonly heldBefore: VersionVector }
    | undefined

  /** The server's vector once everything in flight has been taken in. */
  readonly sent: VersionVector
  readonly inFlight: readonly InFlight[]
  readonly reading: number | undefined
  readonly outboxDirty: boolean
  /** An answer said that `sent` is wrong: send nothing more until all is answered, then start from `server` again. */
  readonly rewind: boolean
  /** Branches of which it is to be asked where the server's history parts from them, and what was refused of them. */
  readonly questions: ReadonlyMap<DeviceId, RefusedBranch | undefined>
  readonly asking: Asking | undefined
  /** The answers so far. The same one again, after another refusal, is no progress. */
  readonly parted: ReadonlyMap<DeviceId, number>
  /** Pushes allowed in flight; doubles with every acknowledged push (slow start), back to 1 with the connection. */
  readonly window: number
  readonly refused: ReadonlyMap<DeviceId, Refusal>
  readonly pinged: boolean

  /** Why the last connection ended or the server puts us off. */
  readonly connectionFault: Fault | undefined
  readonly storeFault: Fault | undefined
  /** Set where pulling was given up on this connection. */
  readonly pullFault: Fault | undefined
  readonly pushFault: Fault | undefined
}

export const defaultClientTiming: ClientTiming = {
  backoffFirstMs: 500,
  backoffMostMs: 60_000,
  watchdogMs: 30_000,
  pingMs: 25_000,
  pollMs: 15_000,
}

export const createClientSession = (config: ClientSessionConfig): ClientSession => ({
  space: config.space,
  mode: config.mode,
  timing: { ...defaultClientTiming, ...config.timing },
  isWanted: false,
  phase: 'offline',
  random: config.seed >>> 0,
  nextId: 1,
  timers: new Set(),
  failures: 0,
  pullFailures: 0,
  pushFailures: 0,
  held: config.held,
  cursor: config.cursor,
  server: emptyVector,
  role: undefined,
  refused: new Map(),
  ingesting: undefined,
  connectionFault: undefined,
  storeFault: undefined,
  ...freshConnection,
})

/** What a connection starts with, and nothing of it outlives the connection. */
export const freshConnection = {
  greetedWith: emptyVector,
  promised: undefined,
  placing: undefined,
  received: startCursor,
  pullBy: 'cursor',
  pullWanted: false,
  refreshWanted: false,
  pollDue: false,
  isQuietPoll: false,
  isWelcomed: false,
  triedVector: false,
  pull: undefined,
  inbox: [],
  sent: emptyVector,
  inFlight: [],
  reading: undefined,
  outboxDirty: false,
  rewind: false,
  questions: new Map(),
  asking: undefined,
  parted: new Map(),
  window: 1,
  pinged: false,
  pullFault: undefined,
  pushFault: undefined,
} as const satisfies Partial<ClientSession>

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

/** One step in the making: a copy of the state to write to, and the effects so far. Collections are replaced, not changed. */
export class Draft {
  readonly state: Writable<ClientSession>
  readonly effects: ClientEffect[] = []

  constructor(state: ClientSession) {
    this.state = { ...state }
  }

  emit(effect: ClientEffect): void {
    this.effects.push(effect)
  }

  send(message: ClientMessage): void {
    this.emit({ kind: 'send', messages: [message] })
  }

  nextId(): number {
    return this.state.nextId++
  }

  startTimer(name: TimerName, delayMs: number): void {
    if (!this.state.timers.has(name)) this.state.timers = new Set([...this.state.timers, name])
    this.emit({ kind: 'startTimer', name, delayMs: Math.round(delayMs) })
  }

  stopTimer(name: TimerName): void {
    if (this.dropTimer(name)) this.emit({ kind: 'stopTimer', name })
  }

  /** Notes that a timer does not run any more. Answers whether it did. */
  dropTimer(name: TimerName): boolean {
    if (!this.state.timers.has(name)) return false
    this.state.timers = new Set([...this.state.timers].filter((other) => other !== name))
    return true
  }

  /** SYNC18: exponential, and from half to whole of it by chance. `failures` counts from 1. */
  backoffMs(failures: number): number {
    const { backoffFirstMs, backoffMostMs } = this.state.timing
    const whole = Math.min(backoffMostMs, backoffFirstMs * 2 ** Math.min(failures - 1, 30))
    return (whole / 2) * (1 + this.#chance())
  }

  /** mulberry32 (T. Ettinger): a number in [0, 1). */
  #chance(): number {
    this.state.random = (this.state.random + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.state.random ^ (this.state.random >>> 15), this.state.random | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A vector with some entries raised. */
export const raised = (vector: VersionVector, entries: Iterable<TakenBranch>): VersionVector => {
  let copy: Map<DeviceId, number> | undefined
  for (const { branch, toSeq } of entries) {
    if (toSeq <= seqOf(copy ?? vector, branch)) continue
    copy ??= new Map(vector)
    copy.set(branch, toSeq)
  }
  return copy ?? vector
}

/** What time, or somebody else, may mend. */
export const MENDING: ReadonlySet<ErrorCode> = new Set(['CLOCK_AHEAD', 'GAP', 'FORK'])

/**
 * SYNC16: this branch stays as it is until the next connection, `retryRefused` or, where it may mend, the next minute; the
 * others go on.
 */
export const setAside = (draft: Draft, { branch, device, code, details }: RefusedBranch): void => {
  const { state } = draft
  if (MENDING.has(code) && !state.timers.has('asideRetry')) draft.startTimer('asideRetry', state.timing.backoffMostMs)
  state.refused = new Map([...state.refused, [branch, { branch, device, code, details, isSetAside: true }]])
  // What is being read may have seen it, and would be pushed without it.
  if (state.reading !== undefined) state.rewind = true
}

export const isSetAside = ({ refused }: ClientSession, branch: DeviceId): boolean =>
  refused.get(branch)?.isSetAside === true

/** KEY7: the key here does not open it. Asked for again on the same connection it would be the same. */
export const isForeign = (state: ClientSession, branch: DeviceId): boolean =>
  isSetAside(state, branch) && state.refused.get(branch)?.code === 'KEY_WRONG'

/** Notes that it must be asked how much of a branch the server holds. `refusal`: of which batches of it made us doubt. */
export const part = (draft: Draft, branch: DeviceId, refusal?: RefusedBranch): void => {
  const { state } = draft
  if (!isSetAside(state, branch)) state.questions = new Map([...state.questions, [branch, refusal]])
}
