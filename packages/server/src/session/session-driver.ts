/**
 * Drives the server's side of one session: performs the effects of core's machine on the store and feeds the answers
 * back. The transports around it (a socket, an exchange) only move messages.
 *
 * Invariants: one input at a time; after `close` nothing is performed any more; no failure of a store or of `auth`
 * leaves this file as an exception.
 */
import {
  type AppendOutcome,
  type Batch,
  type BatchPage,
  createServerSession,
  type Cursor,
  DriftlogError,
  type QuarantiningStore,
  ENTRIES_LIMIT,
  readAdmission,
  readPass,
  refusal,
  type ServerEffect,
  type ServerInput,
  type ServerMessage,
  type ServerSession,
  type SessionRole,
  stepServerSession,
  toRefusalDetails,
  type ErrorCode,
  type WallClock,
} from '@driftlog/core'
import type { Auth } from '../auth/auth.ts'
import type { Logger } from '../logger.ts'
import type { MemberLogs, Proposer } from '../members/member-logs.ts'
import { speakerOf } from '../members/speaker.ts'
import type { Prunings } from '../pruning/prunings.ts'
import { readServerClock } from './server-clock.ts'

export interface SessionContext {
  readonly space: string
  readonly mode: 'live' | 'roundTrip'
  readonly store: QuarantiningStore
  readonly auth: Auth
  readonly members: MemberLogs
  readonly prunings: Prunings
  readonly clock: WallClock
  readonly clockFloorMs: number
  readonly logger: Logger
  /** Of the HTTP request; a socket's comes with its hello. */
  readonly token?: string
  send(message: ServerMessage): void
  /** The session has ended by itself; the last message told why. */
  closed(code: ErrorCode): void
}

export class SessionDriver {
  readonly #context: SessionContext
  readonly #inputs: ServerInput[] = []
  #session: ServerSession
  #isStepping = false
  #isClosed = false
  #stopWatching: (() => void) | undefined
  #onSettled: (() => void) | undefined
  /** Of the message that is under way. */
  #entriesUpTo = Number.POSITIVE_INFINITY
  #proposer: Proposer = { isMember: false, mayFound: 'no' }
  /** The damage that was known when the device was told of tips. */
  #known: ReadonlySet<number> | undefined

  constructor(context: SessionContext) {
    this.#context = context
    this.#session = createServerSession({ space: context.space, mode: context.mode })
  }

  get isGreeted(): boolean {
    return this.#session.phase === 'open'
  }

  /** Messages that wait for their turn. */
  get waiting(): number {
    return this.#session.queue.length
  }

  input(input: ServerInput): void {
    // Who is silent hears of what another server put into the log of members too.
    if (input.kind === 'message' && input.message.type === 'ping') this.#refreshMembers()
    this.#inputs.push(input)
    if (this.#isStepping) return
    this.#isStepping = true
    try {
      for (let next = this.#inputs.shift(); next !== undefined && !this.#isClosed; next = this.#inputs.shift()) {
        const { state, effects } = stepServerSession(this.#session, next)
        this.#session = state
        for (const effect of effects) this.#perform(effect)
      }
    } catch (error) {
      // A bug. This session ends; the others and the process go on.
      this.#context.logger.error({ error: String(error), space: this.#context.space }, 'a session failed')
      this.#end()
    } finally {
      this.#isStepping = false
    }
    if (this.#isClosed || (this.#session.job === undefined && this.#session.queue.length === 0)) this.#onSettled?.()
  }

  /** Resolves when everything that was said has been answered. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSettled = resolve
      if (this.#isClosed || (this.#session.job === undefined && this.#session.queue.length === 0)) resolve()
    })
  }

  #end(): void {
    this.#context.send(refusal('UNAVAILABLE'))
    this.close()
    this.#context.closed('UNAVAILABLE')
  }

  close(): void {
    this.#isClosed = true
    this.#stopWatching?.()
    this.#stopWatching = undefined
    this.#onSettled?.()
  }

  #perform(effect: ServerEffect): void {
    if (this.#isClosed) return
    switch (effect.kind) {
      case 'send':
        this.#context.send(effect.message)
        break
      case 'close':
        this.close()
        this.#context.closed(effect.code)
        break
      case 'watch':
        this.#watch()
        break
      default:
        void this.#answer(effect).then((input) => {
          if (!this.#isClosed) this.input(input)
        })
    }
  }

  async #answer(effect: Exclude<ServerEffect, { kind: 'send' | 'close' | 'watch' }>): Promise<ServerInput> {
    const { store, space } = this.#context
    try {
      switch (effect.kind) {
        case 'authorize':
          return await this.#authorize(effect.token ?? this.#context.token, effect.pass)
        case 'look': {
          // Before the tips: it reads, and what it finds damaged they must not tell of.
          const cursorValid = await this.#isValid(effect.cursor)
          this.#known = this.#damaged()
          // SYNC10: the end first, so that the tips hold all up to it.
          const end = await store.end(space)
          const tips = await store.tips(space)
          return { kind: 'looked', end, tips, cursorValid }
        }
        case 'readAdmission':
          return await readAdmission(store, space, effect)
        case 'append': {
          const { batches, records, allOrNothing, absent } = effect
          const late = await this.#lateShift(batches)
          if (late !== undefined) return { kind: 'appended', outcomes: batches.map(() => late) }
          return { kind: 'appended', outcomes: await store.append(space, batches, { records, allOrNothing, absent }) }
        }
        case 'readEntries':
          return await this.#readEntries(effect.after)
        case 'propose':
          return await this.#propose(effect.entry)
        case 'call':
          return await this.#call(effect.body, effect.pass)
        case 'findCommon':
          return { kind: 'commonFound', seq: await store.common(space, effect.device, effect.points) }
        case 'readAbove':
          return await this.#page(() => store.readAbove(space, effect.vector, effect.limit))
        case 'readAfter':
          return await this.#page(() => store.readAfter(space, effect.cursor, effect.limit))
      }
    } catch (error) {
      const code = error instanceof DriftlogError ? error.code : 'STORAGE_FAILED'
      if (!EXPECTED.has(code)) {
        this.#context.logger.error({ error: String(error), effect: effect.kind, space }, 'the store or auth failed')
      }
      return effect.kind === 'authorize' ? { kind: 'denied', code: 'UNAVAILABLE' } : { kind: 'storeFailed', code }
    }
  }

  /** CUT8: what is pruned keeps its stamps. One that states shifts is appended by itself. */
  async #lateShift(batches: readonly Batch[]): Promise<AppendOutcome | undefined> {
    const shifts = batches.flatMap(({ header }) => header.shifts)
    if (shifts.length === 0) return undefined
    for (const { device, seq: floor } of (await this.#context.store.floors(this.#context.space)).values()) {
      if (shifts.some((shift) => shift.device === device && shift.base < floor)) return { kind: 'below', floor }
    }
    return undefined
  }

  #damaged(): ReadonlySet<number> {
    const { store, space } = this.#context
    return new Set(store.damaged(space).map(({ position }) => position))
  }

  /**
   * What was found damaged only now is missing in the page, though the device was told that it is here: the session ends, so
   * that it greets anew. A pull that is refused would be tried again with the old tips in mind.
   */
  async #page(read: () => Promise<BatchPage>): Promise<ServerInput> {
    const known = this.#known ?? this.#damaged()
    const page = await read()
    if (!this.#isClosed && [...this.#damaged()].some((position) => !known.has(position))) this.#end()
    return { kind: 'pageRead', page }
  }

  async #authorize(token: string | undefined, pass: Uint8Array | undefined): Promise<ServerInput> {
    const { auth, clock, clockFloorMs, space } = this.#context
    const grant = token === undefined ? auth.withoutToken : await auth.check(token, clock.now())
    if (grant === undefined) return { kind: 'denied', code: 'UNAUTHORIZED' }
    const granted = grant.roleIn(space)
    if (granted === undefined && grant.mayFound !== true) return { kind: 'denied', code: 'NOT_FOUND' }
    const members = await this.#context.members.of(space)
    const serverTimeMs = readServerClock(clock, clockFloorMs)
    const mayFound = granted === 'admin' ? 'anyway' : granted === 'reader' ? 'no' : 'empty'
    this.#proposer = { isMember: false, mayFound }
    if (members.length === 0) return { kind: 'authorized', role: granted ?? 'guest', serverTimeMs }
    const speaker = speakerOf(members, pass, serverTimeMs)
    if (speaker.role === undefined) return { kind: 'denied', ...speaker }
    this.#proposer = { isMember: speaker.role !== 'guest' && speaker.role !== 'stranger', mayFound }
    this.#entriesUpTo = speaker.entriesUpTo ?? Number.POSITIVE_INFINITY
    const isKnown = (installation: Uint8Array): boolean => members.installation(installation) !== undefined
    const { admits, door, digest: pruning } = await this.#context.prunings.of(space)
    return {
      kind: 'authorized',
      role: weaker(speaker.role, granted),
      serverTimeMs,
      members: { length: members.length, head: members.head, isKnown, admits, door, pruning },
    }
  }

  #refreshMembers(): void {
    const { members, space, logger } = this.#context
    members.of(space).catch((error: unknown) => logger.error({ error: String(error), space }, 'the store failed'))
  }

  async #readEntries(after: number): Promise<ServerInput> {
    const { members, space } = this.#context
    const atMost = Math.max(0, Math.min(ENTRIES_LIMIT.entries + 1, this.#entriesUpTo - after))
    return entriesPage((await members.of(space)).entriesAfter(after, atMost))
  }

  async #propose(entry: Uint8Array): Promise<ServerInput> {
    const { members, space } = this.#context
    try {
      const position = await members.propose(space, entry, this.#proposer)
      await this.#context.prunings.membersGrew(space)
      return { kind: 'proposed', position }
    } catch (error) {
      if (!(error instanceof DriftlogError) || !REFUSALS.has(error.code)) throw error
      return { kind: 'proposalRefused', code: error.code, details: toRefusalDetails(error.details) }
    }
  }

  async #call(body: Uint8Array, pass: Uint8Array | undefined): Promise<ServerInput> {
    const { prunings, space } = this.#context
    try {
      return { kind: 'called', body: await prunings.call(space, readPass(pass ?? new Uint8Array(0)).key, body) }
    } catch (error) {
      if (!(error instanceof DriftlogError) || !REFUSALS.has(error.code)) throw error
      return { kind: 'callRefused', code: error.code, details: toRefusalDetails(error.details) }
    }
  }

  #watch(): void {
    const { store, members, prunings, space } = this.#context
    const stops = [
      store.watch(space, () => this.input({ kind: 'changed' })),
      members.watch(space, () => this.input({ kind: 'membersGrew' })),
      prunings.watch(space, () => this.input({ kind: 'news' })),
    ]
    this.#stopWatching = () => {
      for (const stop of stops) stop()
    }
  }

  async #isValid(cursor: Cursor | undefined): Promise<boolean> {
    if (cursor === undefined) return false
    try {
      await this.#context.store.readAfter(this.#context.space, cursor, { batches: 1, bytes: 1 })
      return true
    } catch (error) {
      if (error instanceof DriftlogError && error.code === 'BASE_MISMATCH') return false
      throw error
    }
  }
}

/** That a store answers where nothing is wrong with it: another history, a door that was closed meanwhile. */
const EXPECTED: ReadonlySet<ErrorCode> = new Set(['BASE_MISMATCH', 'RECORD_EXISTS'])

/** What is wrong with an entry or a statement, as opposed to with the server. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'MALFORMED',
  'TOO_LARGE',
  'FORMAT_UNKNOWN',
  'SIGNATURE_INVALID',
  'MEMBERS_REFUSED',
  'PRUNING_REFUSED',
  'INVITATION_INVALID',
  'FORBIDDEN',
])

const ranks: readonly SessionRole[] = ['stranger', 'guest', 'reader', 'writer', 'admin']

const weaker = (a: SessionRole, b: SessionRole | undefined): SessionRole =>
  b !== undefined && ranks.indexOf(b) < ranks.indexOf(a) ? b : a

const entriesPage = (entries: readonly Uint8Array[]): ServerInput => {
  let bytes = 0
  const page: Uint8Array[] = []
  for (const entry of entries) {
    bytes += entry.length
    if (page.length > 0 && (bytes > ENTRIES_LIMIT.bytes || page.length === ENTRIES_LIMIT.entries)) break
    page.push(entry)
  }
  return { kind: 'entriesRead', entries: page, more: page.length < entries.length }
}
