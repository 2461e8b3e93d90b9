/**
 * The state of the device's side of a session: plain data, changed only on a copy (`Draft`) inside one step.
 */
import type { DeviceId } from '../clock/dot.ts'
import { type VersionVector, emptyVector, seqOf } from '../clock/version-vector.ts'
import type { ErrorCode } from '../errors.ts'
import type { Batch } from '../log/batch.ts'
import { type Cursor, startCursor } from '../log/batch-store.ts'
import type {
  ClientEffect,
  ClientSessionConfig,
  ClientTiming,
  OwnDevice,
  RefusedDevice,
  SessionStatus,
  TimerName,
} from './client-types.ts'
import type { ClientMessage, Role } from './messages.ts'

export interface Fault {
  readonly code: ErrorCode
  readonly message: string
}

/** A page that has come and is not stored yet. */
export interface InboxPage {
  readonly batches: readonly Batch[]
  readonly cursor: Cursor
}

/** A push without its answer. `ranges[i]` is what its i-th batch holds. */
export interface InFlight {
  readonly id: number
  readonly ranges: readonly { readonly device: DeviceId; readonly fromSeq: number; readonly toSeq: number }[]
}

/** A refused branch. It is left out of pushes while `isSetAside`; the next connection tries it once more. */
export interface RefusedBranch extends RefusedDevice {
  readonly isSetAside: boolean
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
  readonly own: OwnDevice | undefined
  /** What the server is known to hold. */
  readonly server: VersionVector
  readonly role: Role | undefined

  /** What `held` was when the hello was sent. */
  readonly greetedWith: VersionVector
  /** What the server held at its welcome, until all of it is found to be here too. */
  readonly promised: VersionVector | undefined
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
  /** Pushes allowed in flight; doubles with every acknowledged push (slow start), back to 1 with the connection. */
  readonly window: number
  /** The `have` of a device's last GAP, while nothing of that device was taken in since. */
  readonly gaps: ReadonlyMap<DeviceId, number>
  readonly refused: ReadonlyMap<DeviceId, RefusedBranch>
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
  own: config.own,
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
  window: 1,
  gaps: new Map(),
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

/** A vector with some entries raised (or, by `set`, put to a value that may be lower). */
export const raised = (
  vector: VersionVector,
  entries: Iterable<{ readonly device: DeviceId; readonly toSeq: number }>,
): VersionVector => {
  let copy: Map<DeviceId, number> | undefined
  for (const { device, toSeq } of entries) {
    if (toSeq <= seqOf(copy ?? vector, device)) continue
    copy ??= new Map(vector)
    copy.set(device, toSeq)
  }
  return copy ?? vector
}

export const withSeq = (vector: VersionVector, device: DeviceId, seq: number): VersionVector => {
  const copy = new Map(vector)
  if (seq === 0) copy.delete(device)
  else copy.set(device, seq)
  return copy
}

/** SYNC21: the server took in, or handed back, these very batches; so what it holds of the own device is this branch. */
export const confirm = (
  { state }: Draft,
  ranges: Iterable<{ readonly device: DeviceId; readonly toSeq: number }>,
): void => {
  for (const { device, toSeq } of ranges) {
    if (state.own?.device !== device || toSeq <= state.own.confirmedSeq) continue
    state.own = { device, confirmedSeq: toSeq }
  }
}

/**
 * SYNC21: a vector counts ops and does not tell branches apart. Of the own device it is believed only as far as batches
 * were confirmed one by one: what is above is pushed once more, and found to be a duplicate, or a fork.
 */
export const believed = ({ state }: Draft, vector: VersionVector): VersionVector => {
  if (state.own === undefined) return vector
  const { device, confirmedSeq } = state.own
  const seq = Math.min(seqOf(vector, device), confirmedSeq)
  // A server that lost some of it may since have been given another branch.
  state.own = { device, confirmedSeq: seq }
  return seq === seqOf(vector, device) ? vector : withSeq(vector, device, seq)
}
