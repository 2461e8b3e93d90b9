/** Keeps the status in step with everything that it is made of. One emission a microtask, and only on a difference. */
import {
  DriftlogError,
  type OpLog,
  type Ports,
  type Projector,
  type SessionStatus,
  type VersionVector,
} from '@driftlog/core'
import { BehaviorSubject, filter, firstValueFrom, map } from 'rxjs'
import type { Keeper } from '../storage/keeper.ts'
import type { SyncEngine } from '../sync/engine.ts'
import { countAbove, equalStatus, type Status, statusError, summarize } from './status.ts'

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
  readonly log: OpLog
  readonly projector: Projector
  readonly keeper: Keeper
  readonly engine: SyncEngine | undefined
  readonly acknowledged: VersionVector
}

export class StatusBoard {
  readonly #sources: StatusSources
  readonly status$: BehaviorSubject<Status>
  #queued = false
  #lastSyncedAt: Date | undefined

  constructor(sources: StatusSources) {
    this.#sources = sources
    this.status$ = new BehaviorSubject(this.#read())
    sources.engine?.status$.subscribe(() => this.refresh())
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
    if (this.status$.closed) return
    const next = this.#read()
    if (!equalStatus(this.status$.value, next)) this.status$.next(next)
  }

  #read(): Status {
    const { log, projector, keeper, engine, ports, acknowledged } = this.#sources
    const session = engine?.status$.value ?? NO_SESSION
    const pending = countAbove(log.held(), engine?.acknowledged$.value ?? acknowledged)
    const isInSync = session.caughtUp && !session.syncing && pending === 0
    if (isInSync && !(this.status$?.value.lastSyncedAt !== undefined && this.#wasInSync)) {
      this.#lastSyncedAt = new Date(ports.clock.now())
    }
    this.#wasInSync = isInSync
    const flags = {
      online: session.online,
      syncing: session.syncing,
      pending,
      unsaved: keeper.unsavedCount,
      ...log.backlog(),
      conflicts: projector.cells.conflicts,
      error: statusError(keeper.error, log.damage, session),
      readOnly: keeper.error !== undefined,
      lastSyncedAt: this.#lastSyncedAt,
    }
    return { summary: summarize(flags), ...flags }
  }

  #wasInSync = false

  /** See `Replica.sync`. */
  async inSync(): Promise<void> {
    const { engine } = this.#sources
    const settled = this.status$.pipe(
      map((status) => ({ status, session: engine!.status$.value })),
      filter(
        ({ status, session }) =>
          status.error !== undefined ||
          (session.caughtUp && !session.syncing && status.pending === 0 && status.unsaved === 0),
      ),
      map(({ status }) => status.error),
    )
    const error = await firstValueFrom(settled, { defaultValue: { code: 'CLOSED' as const, message: '' } })
    if (error !== undefined) throw new DriftlogError(error.code, error.message)
  }

  close(): void {
    this.#publish()
    this.status$.complete()
  }
}
