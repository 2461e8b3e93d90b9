/**
 * Drives the sans-I/O session: turns what happens into inputs, and performs the effects that it decides on.
 *
 *     transport, keeper, timers ─ inputs ─▶ session (core/protocol) ─ effects ─▶ transport, keeper, timers
 *
 * Invariants:
 * - one input at a time, in the order in which things happened; an effect's consequences are later inputs;
 * - what a dropped connection still says is not heard;
 * - after `stop` the transport is closed, no timer runs, and the status says offline.
 */
import {
  type ClientEffect,
  type ClientInput,
  type ClientSession,
  type Hello,
  type Cursor,
  createClientSession,
  decodeTips,
  DriftlogError,
  placeTips,
  pointsOf,
  type Ports,
  type ServerMessage,
  type SessionStatus,
  stepClientSession,
  type TimerName,
  tipsDigest,
  type VersionVector,
} from '@driftlog/core'
import { BehaviorSubject, Subject } from 'rxjs'
import { acknowledgedRecord, cursorRecord } from '../storage/bookmarks.ts'
import type { ReplicaState } from '../state/replica-state.ts'
import type { MembersSync } from '../members/members-sync.ts'
import type { PruningSync } from '../pruning/pruning-sync.ts'
import type { Keeper } from '../storage/keeper.ts'
import type { Connection, Failure, Transport, TransportEvents } from '../transport/transport.ts'
import { failureOf } from '../transport/url.ts'

export interface EngineOptions {
  readonly space: string
  readonly state: ReplicaState
  readonly transport: Transport
  readonly keeper: Keeper
  readonly ports: Ports
  readonly cursor: Cursor | undefined
  readonly acknowledged: VersionVector
  /** In a space with members. */
  readonly members?: MembersSync
  readonly pruning?: PruningSync
}

/** What happened, and on which connection, where it happened on one. */
interface Happening {
  readonly input: ClientInput
  readonly on?: Line
}

/** Stands for one call of `connect`. */
interface Line {
  connection: Connection | undefined
}

export class SyncEngine {
  readonly #options: EngineOptions
  readonly #inputs: Happening[] = []
  readonly #timers = new Map<TimerName, () => void>()
  #session: ClientSession
  #line: Line | undefined
  #isHandling = false
  #stopped = false

  readonly status$: BehaviorSubject<SessionStatus>
  /** What the server is known to hold. */
  readonly acknowledged$: BehaviorSubject<VersionVector>
  /** The server's wall clock, whenever it says so: ms since the Unix epoch. */
  readonly serverTime$ = new Subject<number>()
  /** Remote ops were taken in. */
  readonly arrivals = new Subject<void>()

  constructor(options: EngineOptions) {
    this.#options = options
    const { space, transport, keeper, ports, cursor, acknowledged } = options
    this.#session = createClientSession({
      space,
      mode: transport.mode,
      seed: new DataView(ports.random.bytes(4).slice().buffer).getUint32(0),
      held: keeper.stored(),
      cursor,
      timing: transport.pollMs === undefined ? {} : { pollMs: transport.pollMs },
    })
    this.status$ = new BehaviorSubject<SessionStatus>({
      phase: 'offline',
      online: false,
      syncing: false,
      caughtUp: false,
      error: undefined,
      refused: [],
    })
    this.acknowledged$ = new BehaviorSubject(acknowledged)
  }

  /** Everything up to it in the server's order of arrival is durable here. */
  get position(): number {
    return this.#session.cursor?.position ?? 0
  }

  input(input: ClientInput): void {
    if (!this.#stopped) this.#take({ input })
  }

  /** An input that an effect causes waits until the effects before it are done. */
  #take(happening: Happening): void {
    this.#inputs.push(happening)
    if (this.#isHandling) return
    this.#isHandling = true
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) this.#handle(next)
    } finally {
      this.#isHandling = false
    }
  }

  #handle({ input, on }: Happening): void {
    // Asked here and not when it happened: what waited before it may have dropped the connection.
    if (this.#stopped || (on !== undefined && on !== this.#line)) return
    const { state, effects } = stepClientSession(this.#session, input)
    this.#session = state
    for (const effect of effects) this.#perform(effect)
    // Once a turn, and not at each push: the answer to one may have made room for the next.
    this.#options.keeper.isPushing = state.phase === 'open' && state.inFlight.length > 0
  }

  #perform(effect: ClientEffect): void {
    switch (effect.kind) {
      case 'connect':
        this.#connect()
        break
      case 'disconnect':
        this.#disconnect()
        break
      case 'send':
        this.#line?.connection?.send(effect.messages)
        break
      case 'greet':
        this.#greet(effect.hello)
        break
      case 'place':
        this.#place(effect)
        break
      case 'readPoints':
        void this.#readPoints(effect)
        break
      case 'readOutbox':
        void this.#readOutbox(effect)
        break
      case 'ingest':
        void this.#ingest(effect)
        break
      case 'saveCursor':
        this.#options.keeper.keep(cursorRecord(effect.cursor))
        break
      case 'startTimer':
        this.#startTimer(effect.name, effect.delayMs)
        break
      case 'stopTimer':
        this.#stopTimer(effect.name)
        break
      case 'acknowledged':
        this.#options.keeper.keep(acknowledgedRecord(this.#options.state.writer.identity.device, effect.vector))
        this.acknowledged$.next(effect.vector)
        break
      case 'serverTime':
        this.serverTime$.next(effect.serverTimeMs)
        break
      case 'status':
        this.status$.next(effect.status)
    }
  }

  #greet(hello: Hello): void {
    const { keeper, members } = this.#options
    const pass = members?.pass
    const digest = tipsDigest(keeper.tips())
    this.#line?.connection?.send([{ ...hello, digest, ...(pass !== undefined && { pass }) }])
  }

  #connect(): void {
    this.#disconnect()
    const line: Line = { connection: undefined }
    this.#line = line
    const hear = (input: ClientInput): void => {
      if (!this.#stopped) this.#take({ input, on: line })
    }
    const { members, pruning } = this.#options
    const isOpen = (): boolean => !this.#stopped && this.#line === line
    const lost = (failure?: Failure): void =>
      hear({ kind: 'disconnected', ...(failure && { code: failure.code, message: failure.message }) })
    const greetAnew = (): void => hear({ kind: 'renamed', held: this.#options.keeper.stored() })
    const release = (message: ServerMessage): void => hear({ kind: 'message', message })
    const own = { connection: () => line.connection, release, greetAnew, lost }
    pruning?.connected(own)
    members?.connected({
      ...own,
      release: (message) => {
        if (pruning?.hear(message) !== true) release(message)
      },
      greetAnew,
    })
    const events: TransportEvents = {
      opened: () => hear({ kind: 'connected' }),
      message: (message) => {
        if (isOpen() && members?.hear(message) === true) return
        if (isOpen() && message.type !== 'welcome' && pruning?.hear(message) === true) return
        hear({ kind: 'message', message })
      },
      closed: (failure) => {
        if (isOpen() && members?.closed(failure) === true) return
        lost(failure)
      },
    }
    try {
      // Events that come before it returns wait for this input to be done.
      line.connection = this.#options.transport.connect(this.#options.space, events)
    } catch (error) {
      hear({ kind: 'disconnected', ...failureOf(error) })
    }
  }

  #disconnect(): void {
    const line = this.#line
    this.#line = undefined
    line?.connection?.close()
    this.#options.members?.disconnected()
    this.#options.pruning?.disconnected()
  }

  #place({ request, tips }: ClientEffect & { kind: 'place' }): void {
    const { keeper } = this.#options
    try {
      const placed = placeTips(decodeTips(tips), keeper.tree(), keeper.ownDevices)
      this.input({ kind: 'placed', request, ...placed })
    } catch (error) {
      this.#storeFailed(request, error)
    }
  }

  async #readPoints({ request, ...asked }: ClientEffect & { kind: 'readPoints' }): Promise<void> {
    const { keeper } = this.#options
    const { branch } = asked
    try {
      let points = pointsOf(keeper.tree(), asked)
      if (points === undefined) {
        // The store knows more than the log: where that gives branches other names, `renamed` starts over.
        await keeper.caughtUp()
        points = pointsOf(keeper.tree(), asked)
      }
      if (points === undefined) throw new DriftlogError('STORAGE_FAILED', `branch ${branch} is not held`, { branch })
      this.input({ kind: 'pointsRead', request, ...points })
    } catch (error) {
      this.#storeFailed(request, error)
    }
  }

  async #readOutbox({ request, above, limit, setAside }: ClientEffect & { kind: 'readOutbox' }): Promise<void> {
    if (this.#options.pruning?.isHeldBack === true) {
      this.input({ kind: 'outboxRead', request, batches: [], more: false })
      return
    }
    try {
      const { batches, more } = await this.#options.keeper.outbox(above, limit, setAside)
      this.input({ kind: 'outboxRead', request, batches, more })
    } catch (error) {
      this.#storeFailed(request, error)
    }
  }

  async #ingest({ request, batches, cursor }: ClientEffect & { kind: 'ingest' }): Promise<void> {
    try {
      const ingested = await this.#options.keeper.ingest(batches, cursor)
      this.arrivals.next()
      this.input({ kind: 'stored', request, held: this.#options.keeper.stored(), ...ingested })
    } catch (error) {
      this.#storeFailed(request, error)
    }
  }

  #storeFailed(request: number, error: unknown): void {
    const { code, message } =
      error instanceof DriftlogError ? error : { code: 'STORAGE_FAILED' as const, message: String(error) }
    this.input({ kind: 'storeFailed', request, code, message })
  }

  #startTimer(name: TimerName, delayMs: number): void {
    this.#stopTimer(name)
    const cancel = this.#options.ports.timers.schedule(delayMs, () => {
      this.#timers.delete(name)
      this.input({ kind: 'timer', name })
    })
    this.#timers.set(name, cancel)
  }

  #stopTimer(name: TimerName): void {
    this.#timers.get(name)?.()
    this.#timers.delete(name)
  }

  stop(): void {
    this.input({ kind: 'goOffline' })
    this.#stopped = true
    this.#disconnect()
    this.#options.keeper.isPushing = false
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
    this.#inputs.length = 0
    this.status$.complete()
    this.acknowledged$.complete()
    this.serverTime$.complete()
    this.#options.members?.stop()
    this.#options.pruning?.stop()
    this.arrivals.complete()
  }
}
