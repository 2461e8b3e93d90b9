/** Keeps the status in step with everything that it is made of. One emission a microtask, and only on a difference. */
import {
  damageError,
  type DeviceId,
  DriftlogError,
  type OpLog,
  type Ports,
  type QuarantiningStore,
  type SessionStatus,
  type VersionVector,
} from '@driftlog/core'
import { BehaviorSubject, filter, firstValueFrom, map, merge } from 'rxjs'
import type { CurrentView } from '../query/current-view.ts'
import type { ReplicaState } from '../state/replica-state.ts'
import type { Keeper } from '../storage/keeper.ts'
import type { SyncEngine } from '../sync/engine.ts'
import { KeyDoubt } from './key-doubt.ts'
import { asideError, countAbove, equalStatus, isForeign, type Status, statusError, summarize } from './status.ts'

const NO_SESSION: SessionStatus = {
  phase: 'offline',
  online: false,
  syncing: false,
  caughtUp: false,
  error: undefined,
  refused: [],
}

export interface StatusSources {
  readonly ports: Ports
  readonly space: string
  readonly store: QuarantiningStore
  readonly state: ReplicaState
  readonly view: CurrentView
  readonly keeper: Keeper
  readonly engine: SyncEngine | undefined
  readonly pruning: { readonly error: DriftlogError | undefined } | undefined
  readonly acknowledged: VersionVector
}

export class StatusBoard {
  readonly #sources: StatusSources
  readonly status$: BehaviorSubject<Status>
  #queued = false
  /** How many ops of others the server lacks. Kept while nothing but own ones is added: there may be thousands of devices. */
  #others:
    | { readonly log: OpLog; readonly received: number; readonly known: VersionVector; readonly pending: number }
    | undefined
  readonly #keyDoubt = new KeyDoubt()
  #wasInSync = false
  #lastSyncedAt: Date | undefined

  constructor(sources: StatusSources) {
    this.#sources = sources
    this.status$ = new BehaviorSubject(this.#read())
    sources.engine?.status$.subscribe(() => {
      // At once: whoever waits for the sync is told next.
      this.#noteKey()
      this.refresh()
    })
    sources.engine?.acknowledged$.subscribe(() => this.refresh())
  }

  refresh(): void {
    if (this.#queued) return
    this.#queued = true
    queueMicrotask(() => {
      this.#queued = false
      this.#publish()
    })
  }

  #publish(): void {
    this.#noteKey()
    this.#noteSync()
    const next = this.#read()
    if (!equalStatus(this.status$.value, next)) this.status$.next(next)
  }

  get #session(): SessionStatus {
    return this.#sources.engine?.status$.value ?? NO_SESSION
  }

  #noteKey(): void {
    const { state, keeper, engine } = this.#sources
    const { log, projector } = state
    this.#keyDoubt.note(this.#session, {
      // Who has no key tells what is encrypted from what is not, and takes that in.
      opened: log.keyring.isLocked ? log.held().keys() : projector.projected.keys(),
      isAtServer: (branch) => (engine?.acknowledged$.value.get(branch) ?? 0) > 0,
      isOwn: (branch) => keeper.ownDevices.has(log.branch(branch)?.device ?? branch),
    })
  }

  get #keyError(): DriftlogError | undefined {
    return this.#keyDoubt.isKeyWrong
      ? new DriftlogError('KEY_WRONG', 'nothing of what the server has opens with it')
      : undefined
  }

  get #pending(): number {
    const { state, engine, acknowledged } = this.#sources
    const known = engine?.acknowledged$.value ?? acknowledged
    const { log } = state
    const { device } = state.writer.identity
    const baseOf = (branch: DeviceId): number => log.branch(branch)?.base ?? 0
    const own = countAbove([[device, log.heldSeq(device)]], known, baseOf)
    if (this.#others?.log !== log || this.#others.received !== log.receivedCount || this.#others.known !== known) {
      const pending = countAbove(log.held(), known, baseOf) - own
      this.#others = { log, received: log.receivedCount, known, pending }
    }
    return this.#others.pending + own
  }

  /** This device and the server have the same ops, and it is stored here. */
  get #isInSync(): boolean {
    const { caughtUp, syncing } = this.#session
    return caughtUp && !syncing && this.#pending === 0 && this.#sources.keeper.unsavedCount === 0
  }

  /** Being in sync begins and ends at a time; in between there is nothing to note. */
  #noteSync(): void {
    const isInSync = this.#isInSync
    if (isInSync !== this.#wasInSync) this.#lastSyncedAt = new Date(this.#sources.ports.clock.now())
    this.#wasInSync = isInSync
  }

  #read(): Status {
    const { keeper, store, space } = this.#sources
    const { log } = this.#sources.state
    const damaged = store.damaged(space)
    const damage = log.damage ?? (damaged.length > 0 ? damageError(damaged[0]) : undefined)
    const session = this.#session
    const { online, syncing, refused } = session
    const backlog = log.backlog()
    const { waiting, parked, locked, unopenable } = backlog
    const flags = {
      online,
      syncing,
      pending: this.#pending,
      unsaved: keeper.unsavedCount,
      waiting,
      parked,
      locked,
      unopenable,
      foreign: refused.filter(isForeign),
      damaged: damaged.length,
      conflicts: this.#openConflicts(),
      newerSchema: this.#newerSchema(),
      error: statusError(
        keeper.error ?? keeper.readError ?? this.#sources.pruning?.error,
        damage,
        session,
        this.#keyError ?? asideError(backlog, log.keyring.isLocked),
      ),
      readOnly: keeper.error !== undefined,
      lastSyncedAt: this.#lastSyncedAt,
    }
    return { summary: summarize(flags), ...flags }
  }

  #newerSchema(): number | undefined {
    const { state, view } = this.#sources
    const { schemaVersion } = state.projector
    return schemaVersion > view.schemaVersion ? schemaVersion : undefined
  }

  #openConflicts(): number {
    return this.#sources.view.openCount
  }

  /** See `Replica.sync`. */
  async inSync(): Promise<void> {
    const { engine } = this.#sources
    // Asked of the sources whenever one of them moves: the published status may lag behind, or skip what was brief.
    // All of them complete when the replica closes.
    const settled = merge(this.status$, engine!.status$, engine!.acknowledged$).pipe(
      map(() => ({ isInSync: this.#isInSync, error: this.#lastingError() })),
      filter(({ isInSync, error }) => isInSync || error !== undefined),
    )
    const closed = { isInSync: false, error: { code: 'CLOSED' as const, message: undefined } }
    const { error } = await firstValueFrom(settled, { defaultValue: closed })
    if (error === undefined) return
    const failure = new DriftlogError(error.code)
    throw error.message === undefined ? failure : Object.assign(failure, { message: error.message })
  }

  /** What an attempt that is under way cannot get past: while connecting, why the last connection failed is history. */
  #lastingError(): Status['error'] {
    const { keeper, state } = this.#sources
    const { phase } = this.#session
    const isTrying = phase === 'connecting' || phase === 'greeting'
    const error = statusError(
      keeper.error ?? keeper.readError,
      state.log.damage,
      isTrying ? NO_SESSION : this.#session,
      isTrying ? undefined : this.#keyError,
    )
    // What is damaged is no part of it: it is fetched again, or nobody has it, and neither is a reason to wait.
    // A clock that is ahead is set back, and stamps that are ahead are shifted or become due: that takes its time.
    return error?.code === 'CLOCK_AHEAD' ? undefined : error
  }

  close(): void {
    this.#publish()
    this.status$.complete()
  }
}
