/**
 * One copy of a space: the surface that apps use, over the rooms that do the work.
 *
 *     mutate ─▶ writer ─▶ projector ─▶ tables ─▶ query, watch
 *                  └▶ keeper ─▶ store          engine ◀─▶ transport
 *
 * Invariants:
 * - `mutate` is synchronous and atomic: it projects whole or throws before anything happened;
 * - a read sees every mutation before it;
 * - after `close` nothing is written, sent or shown any more.
 */
import {
  decodeBatch,
  decodeField,
  type DeviceId,
  deviceOfRef,
  DriftlogError,
  encodeTips,
  type Field,
  hlcToMs,
  lawOf,
  type Ports,
  type QuarantiningStore,
  type QueryBuilder,
  type RefusedBranch,
  type Schema,
  type Table,
  type VersionVector,
  writesOf,
} from '@driftlog/core'
import type { Compilable } from 'kysely'
import type { Observable } from 'rxjs'
import { planTables, type TablePlan } from './mutate/plan.ts'
import { shiftedWithinDrift, sortByDrift } from './storage/within-drift.ts'
import { OwnWork } from './mutate/own-work.ts'
import { createReceipt, type Receipt } from './mutate/receipts.ts'
import { Transaction, type Tx } from './mutate/transaction.ts'
import type { LiveTables } from './query/live-tables.ts'
import { StatusBoard } from './status/status-board.ts'
import type { Status } from './status/status.ts'
import type { CorrectedClock } from './state/corrected-clock.ts'
import type { ReplicaState } from './state/replica-state.ts'
import { clockOffsetRecord } from './storage/bookmarks.ts'
import { heldBy } from './storage/held-by.ts'
import type { Keeper } from './storage/keeper.ts'
import { clockAhead } from './sync/clock-ahead.ts'
import type { SyncEngine } from './sync/engine.ts'

/** One of several concurrent values of a field. */
export interface Candidate {
  readonly value: unknown
  readonly author: DeviceId
  readonly at: Date
}

/** The rooms of a replica, put together by `openReplica`. */
export interface ReplicaParts<S extends Schema> {
  readonly schema: S
  readonly space: string
  readonly ports: Ports
  readonly store: QuarantiningStore
  /** The device's clock as it is stamped by. */
  readonly clock: CorrectedClock
  readonly newId: () => string
  readonly state: ReplicaState
  readonly keeper: Keeper
  readonly tables: LiveTables<S>
  /** undefined: a replica without a server. */
  readonly engine: SyncEngine | undefined
  readonly acknowledged: VersionVector
  /** Frees what was claimed to open the replica. */
  readonly release: () => Promise<void>
}

export class Replica<S extends Schema> {
  readonly #parts: ReplicaParts<S>
  readonly #plans: ReadonlyMap<string, TablePlan>
  readonly #own: OwnWork
  readonly #board: StatusBoard
  #isMutating = false
  #isSettingClock = false
  readonly #statedShifts = new Map<string, number>()
  #closing: Promise<void> | undefined

  /** Use `openReplica`. */
  constructor(parts: ReplicaParts<S>) {
    this.#parts = parts
    this.#plans = planTables(parts.schema)
    const { keeper, engine, tables, state } = parts
    this.#own = new OwnWork({ state, keeper, acknowledged: parts.acknowledged })
    this.#board = new StatusBoard(parts)
    state.replaced.subscribe(() => {
      tables.replace(state.projector.cells)
      this.#own.replaced()
      engine?.input({ kind: 'renamed', held: keeper.stored() })
      this.#board.refresh()
    })
    keeper.changes.subscribe(() => {
      this.#own.stored()
      engine?.input({ kind: 'localAppended', held: keeper.stored() })
      this.#board.refresh()
    })
    keeper.arrivals.subscribe(() => {
      tables.changed()
      engine?.input({ kind: 'localAppended', held: keeper.stored() })
      this.#board.refresh()
    })
    engine?.arrivals.subscribe(() => {
      tables.changed()
      this.#board.refresh()
    })
    engine?.acknowledged$.subscribe((vector) => this.#own.acknowledged(vector))
    engine?.serverTime$.subscribe((serverTimeMs) => {
      if (parts.clock.follow(serverTimeMs)) keeper.keep(clockOffsetRecord(parts.clock.offsetMs))
    })
    engine?.status$.subscribe(({ refused }) => {
      if (this.#isSettingClock || !refused.some(({ code }) => code === 'CLOCK_AHEAD')) return
      this.#isSettingClock = true
      clockAhead({ ...parts, statedShifts: this.#statedShifts }, refused, engine.acknowledged$.value)
        // The store failed or the replica closes: the server refuses again, and it is tried again.
        .catch((error: unknown) => keeper.failed(error))
        .finally(() => {
          this.#isSettingClock = false
        })
    })
  }

  get space(): string {
    return this.#parts.space
  }

  get schema(): S {
    return this.#parts.schema
  }

  /** The author id of this replica. It changes where another copy of this device is found, or its clock was far ahead. */
  get device(): DeviceId {
    return this.#parts.state.writer.identity.device
  }

  /**
   * Runs `change` and writes what it asks for as one op, atomic on every replica. Synchronous; the receipt tells when it
   * is durable. Throws VALUE_INVALID, ROW_NOT_FOUND, TOO_LARGE, READ_ONLY or CLOSED, OPTION_INVALID where `change` is async
   * or mutates by itself, or whatever `change` throws; and then nothing has happened.
   */
  mutate<T>(change: (tx: Tx<S>) => T): Receipt<T> {
    this.#expectOpen()
    const { keeper, clock, newId, schema, tables } = this.#parts
    const { writer, projector } = this.#parts.state
    // The inner one would take the outer one's stamp, and the outer op would be void everywhere (OP5).
    if (this.#isMutating) throw new DriftlogError('OPTION_INVALID', 'mutate was called inside the function of a mutate')
    if (keeper.error !== undefined)
      throw new DriftlogError('READ_ONLY', keeper.error.message, { cause: keeper.error.code })
    const hlc = writer.nextStamp(clock.now())
    const transaction = new Transaction({
      plans: this.#plans,
      cells: projector.cells,
      projector,
      device: this.device,
      hlc,
      newId,
    })
    let value: T
    this.#isMutating = true
    try {
      value = change(transaction.tables() as Tx<S>)
    } finally {
      this.#isMutating = false
      transaction.end()
    }
    refusePromise(value)
    this.#expectOpen()
    const changes = transaction.changes()
    const { stored, acknowledged } = this.#own.current
    if (changes.length === 0) return createReceipt(value, undefined, stored, acknowledged)
    const { toSeq } = writer.write(changes, hlc, schema.version)
    keeper.scheduleFlush()
    tables.changed()
    this.#board.refresh()
    return createReceipt(value, { device: this.device, seq: toSeq }, stored, acknowledged)
  }

  /** Runs a Kysely select over the tables. Sees every mutation before it. Rejects with QUERY_INVALID or CLOSED. */
  async query<O>(query: (db: QueryBuilder<S>) => Compilable<O>): Promise<O[]> {
    this.#expectOpen()
    return this.#parts.tables.query(query)
  }

  /**
   * The rows of a select now, and again whenever a change to a table that it reads makes a difference. A row that did not
   * change is the same object as before. Errors with QUERY_INVALID; completes when the replica closes.
   */
  watch<O>(query: (db: QueryBuilder<S>) => Compilable<O>): Observable<O[]> {
    this.#expectOpen()
    return this.#parts.tables.watch(query)
  }

  get status$(): Observable<Status> {
    return this.#board.status$
  }

  get status(): Status {
    return this.#board.status$.value
  }

  /**
   * The concurrent values of a field, the shown one first; empty where it was never written, or is a counter. Throws
   * OPTION_INVALID for a table or field that the schema does not have.
   */
  candidates<K extends keyof S['tables'] & string>(
    table: K,
    id: string,
    field: keyof S['tables'][K]['fields'] & string,
  ): Candidate[] {
    const { schema } = this.#parts
    const { projector } = this.#parts.state
    const definition = (schema.tables as Record<string, Table | undefined>)[table]?.fields[field] as Field | undefined
    if (definition === undefined)
      throw new DriftlogError('OPTION_INVALID', `no field ${table}.${field}`, { table, field })
    const row = projector.cells.table(table).rows.get(id)
    if (row === undefined) return []
    return writesOf(row, lawOf(definition), [field])
      .map(({ ref, value }) => ({
        value: decodeField(definition, value),
        author: projector.ops.authorId(deviceOfRef(ref)),
        at: new Date(hlcToMs(projector.ops.stamp(ref))),
      }))
      .reverse()
  }

  /** The digest over all cells, as hex: equal on every replica that has projected the same ops, whatever its schema. */
  digest(): string {
    return Array.from(this.#parts.state.projector.cells.digest(), (byte) => byte.toString(16).padStart(2, '0')).join('')
  }

  /** Ops in this replica's log: device → highest seq. */
  held(): VersionVector {
    return this.#parts.state.log.held()
  }

  /** Ops that this replica shows: device → highest seq. */
  projected(): VersionVector {
    return new Map(this.#parts.state.projector.projected)
  }

  /** Pauses or resumes syncing on purpose. Everything else goes on. */
  setOnline(online: boolean): void {
    this.#expectOpen()
    this.#parts.engine?.input({ kind: online ? 'goOnline' : 'goOffline' })
  }

  /**
   * Resolves when everything that is held here is at the server and everything that the server had is here. Waits while
   * offline and while it is trying; rejects with the error where that cannot happen, and with CLOSED.
   */
  async sync(): Promise<void> {
    this.#expectOpen()
    const { engine, keeper } = this.#parts
    if (engine === undefined) throw new DriftlogError('OPTION_INVALID', 'the replica was opened without a transport')
    await keeper.settled()
    engine.input({ kind: 'refresh' })
    await this.#board.inSync()
  }

  /** What is stored here, in 25 bytes a device or so: for another replica's `export`, so that it leaves that out. */
  tips(): Uint8Array {
    this.#expectOpen()
    return encodeTips(this.#parts.keeper.tips())
  }

  /**
   * What is stored here, as batches to carry to another replica of this space: by a stick, by a message. Everything written so
   * far is in it, but what a replica with the `tips` of `above` is known to hold. Rejects with MALFORMED, and while the storage
   * fails.
   */
  async export(above?: Uint8Array): Promise<Uint8Array[]> {
    this.#expectOpen()
    const { keeper } = this.#parts
    await keeper.settled()
    const batches: Uint8Array[] = []
    for (const held = above === undefined ? new Map() : heldBy(above, keeper.tree()); ; ) {
      const page = await keeper.outbox(held, EXPORT_PAGE)
      for (const { batch, branch } of page.batches) {
        batches.push(batch.bytes)
        held.set(branch, batch.header.toSeq)
      }
      if (!page.more) return batches
    }
  }

  /**
   * Takes in what another replica exported, in any order and as often as you like. What does not check out, or lacks what comes
   * before it, is left out and named, and so is what is stamped more than a minute ahead of this device's clock (CLOCK_AHEAD:
   * a server decides about it, or you, by `trustStamps`). Rejects with MALFORMED, TOO_LARGE and FORMAT_UNKNOWN where a batch
   * does not decode, and where the storage fails; then import it again: what is held already makes no difference.
   */
  async import(
    batches: readonly Uint8Array[],
    { trustStamps = false }: { readonly trustStamps?: boolean } = {},
  ): Promise<readonly RefusedBranch[]> {
    this.#expectOpen()
    const { keeper, clock, engine, tables, state } = this.#parts
    const nowMs = clock.now()
    const decoded = batches.map((bytes) => decodeBatch(bytes)).sort((a, b) => a.header.fromSeq - b.header.fromSeq)
    const { inTime, ahead } = trustStamps ? { inTime: decoded, ahead: [] } : sortByDrift(decoded, nowMs)
    const { refused } = await keeper.ingest(inTime, undefined)
    const rest = shiftedWithinDrift(ahead, nowMs, state.log)
    const later = rest.admitted.length > 0 ? await keeper.ingest(rest.admitted, undefined) : undefined
    tables.changed()
    engine?.input({ kind: 'localAppended', held: keeper.stored() })
    this.#board.refresh()
    return [...refused, ...(later?.refused ?? []), ...rest.refused]
  }

  /** Stores what is unsaved, stops syncing and frees everything. What could not be stored rejects with its error. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { keeper, engine, tables, release } = this.#parts
    // First, so that nothing comes in any more that the keeper would have to store.
    engine?.stop()
    try {
      await keeper.close()
    } finally {
      tables.close()
      this.#own.stored()
      this.#own.abandon(new DriftlogError('CLOSED'))
      this.#board.close()
      await release()
    }
  }

  #expectOpen(): void {
    if (this.#closing !== undefined) throw new DriftlogError('CLOSED')
  }
}

const EXPORT_PAGE = { batches: 500, bytes: 8_000_000 }

/** An async function has not done its work when it returns: what it did so far would be written, and the rest refused. */
const refusePromise = (value: unknown): void => {
  if (typeof (value as PromiseLike<unknown> | null | undefined)?.then !== 'function') return
  // It goes on without a transaction and fails; that failure is told here, once.
  Promise.resolve(value as PromiseLike<unknown>).catch(() => undefined)
  throw new DriftlogError(
    'OPTION_INVALID',
    'the function of mutate is async or returned a promise: await outside of it',
  )
}
