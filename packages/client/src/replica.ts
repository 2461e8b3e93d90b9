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
  candidatesOf,
  type Conflict,
  decodeField,
  type DeviceId,
  type Difference,
  DriftlogError,
  encodeTips,
  type Hlc,
  hlcToMs,
  type NewChange,
  type Ports,
  type QuarantiningStore,
  type QueryBuilder,
  type RefusedBranch,
  type Schema,
  type VersionVector,
  whatIf,
} from '@driftlog/core'
import type { Compilable } from 'kysely'
import type { Observable } from 'rxjs'
import { planTables, type TablePlan } from './mutate/plan.ts'
import { OwnWork } from './mutate/own-work.ts'
import { createReceipt, type Receipt } from './mutate/receipts.ts'
import { reopening, resolution } from './mutate/resolution.ts'
import { DraftMemory, type Draft } from './mutate/draft.ts'
import { Transaction } from './mutate/transaction.ts'
import type { TableWriter, Tx } from './mutate/tx.ts'
import {
  conflictsBack,
  joined,
  type KnownRowChanges,
  knowRows,
  noteWritten,
  stepsOf,
  type Undoable,
  undoChanges,
  type UndoContext,
} from './mutate/undo.ts'
import { UndoStack } from './mutate/undo-stack.ts'
import type { PruningSync } from './pruning/pruning-sync.ts'
import type { PruningWork } from './pruning/pruning-work.ts'
import type { CurrentView } from './query/current-view.ts'
import { type HistoryEntry, readHistory } from './query/history.ts'
import type { Members } from './members/members.ts'
import { LiveConflicts } from './query/live-conflicts.ts'
import type { LiveTables } from './query/live-tables.ts'
import { StatusBoard } from './status/status-board.ts'
import type { Status } from './status/status.ts'
import type { CorrectedClock } from './state/corrected-clock.ts'
import type { ReplicaState } from './state/replica-state.ts'
import { clockOffsetRecord } from './storage/bookmarks.ts'
import { type BackupOptions, makeBackup } from './backup/make-backup.ts'
import { plainJson } from './backup/plain-json.ts'
import { exportItems, importItems } from './courier/items.ts'
import type { LocalMembers } from './members/local-members.ts'
import type { Keeper } from './storage/keeper.ts'
import type { Snapshots } from './storage/snapshots.ts'
import { clockAhead } from './sync/clock-ahead.ts'
import type { SyncEngine } from './sync/engine.ts'

/** One of several concurrent values of a field. */
export interface Candidate {
  readonly value: unknown
  readonly author: DeviceId
  readonly at: Date
}

export interface MutateOptions {
  /** Whether `undo` takes it back; true by default. */
  readonly isUndoable?: boolean
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
  /** undefined: a replica that is locked. */
  readonly snapshots: Snapshots | undefined
  readonly view: CurrentView
  readonly tables: LiveTables<S>
  /** In a space with members. */
  readonly members: Members | undefined
  readonly local: LocalMembers | undefined
  /** undefined: a replica without a server. */
  readonly engine: SyncEngine | undefined
  /** In a space with members that has a server. */
  readonly pruning: PruningSync | undefined
  readonly pruningWork: PruningWork | undefined
  readonly acknowledged: VersionVector
  /** Frees what was claimed to open the replica. */
  readonly release: () => Promise<void>
}

export class Replica<S extends Schema> {
  readonly #parts: ReplicaParts<S>
  readonly #plans: ReadonlyMap<string, TablePlan>
  readonly #own: OwnWork
  readonly #board: StatusBoard
  readonly #conflicts: LiveConflicts
  readonly #undo = new UndoStack()
  /** Forms that the app still holds. */
  readonly #drafts = new Set<WeakRef<DraftMemory>>()
  #erasures = 0
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
    this.#conflicts = new LiveConflicts(parts.view)
    state.replaced.subscribe(() => {
      parts.view.replace(state.projector.cells)
      this.#undo.clear()
      this.#erasures = 0
      tables.changed()
      this.#conflicts.changed()
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
      this.#forgetErased()
      tables.changed()
      this.#conflicts.changed()
      engine?.input({ kind: 'localAppended', held: keeper.stored() })
      this.#board.refresh()
    })
    engine?.arrivals.subscribe(() => {
      this.#forgetErased()
      tables.changed()
      this.#conflicts.changed()
      this.#board.refresh()
    })
    engine?.acknowledged$.subscribe((vector) => this.#own.acknowledged(vector))
    parts.pruning?.changes.subscribe(() => this.#board.refresh())
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

  /** The members of the space; undefined where it has none: whoever has its key may read and write it. */
  get members(): Members | undefined {
    return this.#parts.members
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
   * is durable. Throws VALUE_INVALID, VALUE_TAKEN, ROW_NOT_FOUND, ITEM_NOT_FOUND, ROW_ERASED, TOO_LARGE, READ_ONLY or CLOSED, OPTION_INVALID where
   * `change` is async or mutates by itself, or whatever `change` throws; and then nothing has happened.
   */
  mutate<T>(change: (tx: Tx<S>) => T, { isUndoable = true }: MutateOptions = {}): Receipt<T> {
    this.#expectWritable()
    const { clock, newId } = this.#parts
    const { writer, projector } = this.#parts.state
    const hlc = writer.nextStamp(clock.now())
    const transaction = new Transaction({
      plans: this.#plans,
      cells: projector.cells,
      view: this.#parts.view.now,
      projector,
      device: this.device,
      role: this.#parts.state.writer.role,
      hlc,
      newId,
    })
    let value: T
    let changes: readonly KnownRowChanges[]
    this.#isMutating = true
    try {
      value = change(transaction.tables() as Tx<S>)
      transaction.end()
      refusePromise(value)
      changes = transaction.changes()
    } finally {
      this.#isMutating = false
      transaction.end()
    }
    this.#expectOpen()
    const saved = transaction.draftsSaved()
    const { device } = this
    const { receipt, undoable } = this.#write(value, changes, hlc)
    const own = undoable?.own ?? { device, hlc }
    for (const note of saved) note(this.#parts.view.now, own)
    if (undoable !== undefined && isUndoable) this.#undo.push(undoable)
    this.#forgetErased()
    return receipt
  }

  #forgetErased(): void {
    const { now } = this.#parts.view
    now.refresh()
    if (now.erasures === this.#erasures) return
    this.#erasures = now.erasures
    const isErased = (table: string, id: string): boolean => now.cells.table(table).rows.get(id)?.erased !== 0
    this.#undo.forget(isErased)
    for (const ref of this.#drafts) ref.deref()?.forget(isErased)
  }

  #expectWritable(): void {
    this.#expectOpen()
    const { keeper } = this.#parts
    // The inner one would take the outer one's stamp, and the outer op would be void everywhere (OP5).
    if (this.#isMutating) throw new DriftlogError('OPTION_INVALID', 'mutate was called inside the function of a mutate')
    if (this.#parts.state.log.keyring.isLocked) throw new DriftlogError('KEY_MISSING', 'opened as locked')
    if (keeper.error !== undefined)
      throw new DriftlogError('READ_ONLY', keeper.error.message, { cause: keeper.error.code })
  }

  /** Writes changes as one mutation. `undoable`: how to take it back; undefined where nothing was written. */
  #write<T>(
    value: T,
    changes: readonly KnownRowChanges[],
    hlc: Hlc,
  ): { receipt: Receipt<T>; undoable: Undoable | undefined } {
    const { keeper, schema, tables } = this.#parts
    const { stored, acknowledged } = this.#own.current
    if (changes.length === 0) {
      return { receipt: createReceipt(value, undefined, stored, acknowledged), undoable: undefined }
    }
    const { device } = this
    const steps = stepsOf(changes, this.#undoContext)
    const written = this.#parts.state.writer.write(changes, hlc, schema.version)
    noteWritten(steps, this.#undoContext)
    keeper.scheduleFlush()
    tables.changed()
    this.#conflicts.changed()
    this.#board.refresh()
    const receipt = createReceipt(value, { device, seq: written.toSeq }, stored, acknowledged)
    return { receipt, undoable: { steps, own: { device, hlc: written.hlc } } }
  }

  get #undoContext(): UndoContext {
    return { plans: this.#plans, view: this.#parts.view.now, projector: this.#parts.state.projector }
  }

  /** Writes what is not asked for through a transaction. */
  #writeNow(changes: readonly NewChange[]): { receipt: Receipt<undefined>; undoable: Undoable | undefined } {
    const hlc = this.#parts.state.writer.nextStamp(this.#parts.clock.now())
    return this.#write(undefined, knowRows(changes, this.#undoContext), hlc)
  }

  /**
   * Takes back this replica's last mutation since it was opened, as far as what it wrote still counts: what others wrote since
   * stays. A mutation of its own, so it syncs. undefined: there is none. Increments of counters that only grow, and erasures, stay: a
   * mutation of nothing else is passed over, and the one before it is taken back. Throws TOO_LARGE and VALUE_INVALID where a conflict
   * that is to be there again fits no op (then nothing has happened), READ_ONLY and CLOSED.
   */
  undo(): Receipt<undefined> | undefined {
    return this.#takeBack((take) => this.#undo.undo(take))
  }

  /** Makes again what was taken back last, in the same way. Another mutation in between ends that. */
  redo(): Receipt<undefined> | undefined {
    return this.#takeBack((take) => this.#undo.redo(take))
  }

  #takeBack(run: (take: (undoable: Undoable) => Undoable | undefined) => boolean): Receipt<undefined> | undefined {
    this.#expectWritable()
    let receipt: Receipt<undefined> | undefined
    run((undoable) => {
      this.#parts.view.now.refresh()
      const drafts = [...this.#drafts].flatMap((ref) => ref.deref()?.takeBack(undoable.own, this.#parts.view.now) ?? [])
      const contest = conflictsBack(undoable, this.#undoContext)
      const written = this.#writeNow(undoChanges(undoable, this.#undoContext))
      const contested = this.#writeNow(contest(written.undoable?.own))
      receipt = contested.undoable === undefined ? written.receipt : contested.receipt
      const taken = joined(written.undoable, contested.undoable)
      if (taken !== undefined) for (const note of drafts) note(taken.own)
      return taken
    })
    // There may have been nothing to write, and still something less to take back.
    this.#conflicts.changed()
    return receipt
  }

  get canUndo(): boolean {
    return this.#undo.canUndo
  }

  get canRedo(): boolean {
    return this.#undo.canRedo
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
   * What is concurrent now, now and whenever it changes: what is `open` asks for a person; for the rest a rule has chosen. What was
   * settled is in the table `_conflicts` of queries, with these. A conflict that did not change is the same object as before.
   */
  get conflicts$(): Observable<readonly Conflict[]> {
    this.#expectOpen()
    return this.#conflicts.conflicts$
  }

  get conflicts(): readonly Conflict[] {
    return this.#conflicts.read()
  }

  /** Something was written here or has come in: a mutation, others' work, a log that was read anew. Once a turn of the event loop. */
  get changes$(): Observable<void> {
    this.#expectOpen()
    return this.#conflicts.changes$
  }

  /**
   * The concurrent values of a field, the latest first; empty where it was never written, or has a law of its own. Throws
   * OPTION_INVALID for a table or field that the schema does not have.
   */
  candidates<K extends keyof S['tables'] & string>(
    table: K,
    id: string,
    field: keyof S['tables'][K]['fields'] & string,
  ): Candidate[] {
    const view = this.#parts.view.now
    const fieldView = view.field(table, field)
    if (fieldView === undefined)
      throw new DriftlogError('OPTION_INVALID', `no field ${table}.${field}`, { table, field })
    const row = view.cells.table(table).rows.get(id)
    if (row === undefined) return []
    return candidatesOf(fieldView.writes(row), view.cells.ops)
      .map(({ value, author, stamp }) => ({
        value: decodeField(fieldView.field, value),
        author,
        at: new Date(hlcToMs(stamp)),
      }))
      .reverse()
  }

  /**
   * Settles a conflict everywhere: the field takes `value` in the place of the conflict's candidates, or the row is kept
   * (`'changed'`) or deleted (`'deleted'`). What came in since is left beside it. The reason is shown with who and when, in
   * `_conflicts`. Throws CONFLICT_GONE where none of the candidates is there any more, the row of a field is not, or a row that is to
   * be kept was deleted once more; OPTION_INVALID for a conflict that is settled or that another write decides (a unique field: change
   * one of the rows), and for a row of `_conflicts`; VALUE_INVALID, TOO_LARGE, READ_ONLY and CLOSED.
   */
  resolve(conflict: Conflict, value: unknown, reason = ''): Receipt<undefined> {
    this.#expectWritable()
    const { receipt, undoable } = this.#writeNow(resolution(conflict, value, reason, this.#undoContext))
    if (undoable !== undefined) this.#undo.push(undoable)
    return receipt
  }

  /**
   * Opens a settled conflict of a field (one of `settledConflicts()`) again: its candidates stand beside each other as they were
   * written. Throws CONFLICT_GONE where what settled it has been written over since, the row is gone, or a candidate is not kept;
   * OPTION_INVALID for a conflict of another kind, and for a row of `_conflicts`; TOO_LARGE, READ_ONLY and CLOSED.
   */
  reopen(conflict: Conflict): Receipt<undefined> {
    this.#expectWritable()
    const { receipt, undoable } = this.#writeNow([reopening(conflict, this.#undoContext)])
    if (undoable !== undefined) this.#undo.push(undoable)
    return receipt
  }

  /**
   * Everything that was ever done to a row here or elsewhere, by rising time, deleted or not; of one that was erased, only that it
   * was. Reads the whole log. Throws OPTION_INVALID for a table that the schema does not have; rejects while the storage fails.
   */
  async history(table: keyof S['tables'] & string, id: string): Promise<HistoryEntry[]> {
    this.#expectOpen()
    const { schema, keeper, store, state } = this.#parts
    if (!Object.hasOwn(schema.tables, table)) throw new DriftlogError('OPTION_INVALID', `no table ${table}`, { table })
    await keeper.settled()
    return readHistory(store, state.log, schema.tables[table], id)
  }

  /** Settled conflicts that are kept, the newest last. */
  settledConflicts(): readonly Conflict[] {
    this.#expectOpen()
    return this.#parts.view.now.settled()
  }

  /**
   * Remembers what a row is now, for a form that is opened on it: a save replaces what the form showed, and what came in meanwhile
   * becomes a conflict. Throws ROW_NOT_FOUND.
   */
  draft<K extends keyof S['tables'] & string>(table: K, id: string): Draft<S['tables'][K]> {
    this.#expectOpen()
    const view = this.#parts.view.now
    view.refresh()
    const row = view.cells.table(table).rows.get(id)
    if (row === undefined || !view.isShown(row, this.#parts.schema.tables[table])) {
      throw new DriftlogError('ROW_NOT_FOUND', `${table} ${JSON.stringify(id)}`, { table, id })
    }
    const memory = new DraftMemory(row, table, view)
    for (const ref of this.#drafts) if (ref.deref() === undefined) this.#drafts.delete(ref)
    this.#drafts.add(new WeakRef(memory))
    const writer = (tx: Tx<S>): TableWriter<S['tables'][K]> => tx[table]
    return {
      memory,
      save: (changes) => this.mutate((tx) => writer(tx).update(id, changes, { draft: memory })),
      delete: () => this.mutate((tx) => writer(tx).delete(id, { draft: memory })),
    }
  }

  /**
   * What another schema (other strategies, other laws of deletion) would show of the same data: rows and fields that would differ.
   * Nothing is changed.
   */
  whatIf(policy: Schema): Difference[] {
    this.#expectOpen()
    return whatIf(this.#parts.view.now, policy)
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
  export(above?: Uint8Array): Promise<Uint8Array[]> {
    this.#expectOpen()
    return exportItems(this.#parts.keeper, this.#parts.local, above)
  }

  /**
   * The whole space in one encrypted file: a copy to keep. It opens with the passphrase alone, on any device, with neither
   * server nor account: see `restoreBackup`. Rejects with OPTION_INVALID for an empty passphrase, KEY_MISSING where the replica
   * is locked, STORAGE_DAMAGED where something of the space is damaged here (sync, and it is fetched again; or make a `partial`
   * one), and while the storage fails.
   */
  async backup(options: BackupOptions): Promise<Uint8Array> {
    this.#expectOpen()
    return makeBackup({ ...this.#parts, log: this.#parts.state.log }, options)
  }

  /**
   * What the tables show, for other programs to read: NOT encrypted. `json`: one object, `{ space, schemaVersion, tables }`, each
   * table a list of rows as queries return them. `sqlite`: a file of SQLite, with booleans as 0 and 1, dates in milliseconds since
   * the Unix epoch, and JSON as text.
   */
  async exportPlain(format: 'json' | 'sqlite'): Promise<Uint8Array> {
    this.#expectOpen()
    const { schema, space, tables } = this.#parts
    return format === 'sqlite' ? tables.plainFile() : plainJson({ schema, space, tables })
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
    const { keeper, clock, engine, tables, state, local, pruning } = this.#parts
    const refused = await importItems(
      { keeper, local, log: () => state.log, nowMs: clock.now(), trustStamps, pruning },
      batches,
    )
    this.#forgetErased()
    tables.changed()
    this.#conflicts.changed()
    engine?.input({ kind: 'localAppended', held: keeper.stored() })
    this.#board.refresh()
    return refused
  }

  /** Stores what is unsaved, stops syncing and frees everything. What could not be stored rejects with its error. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { keeper, snapshots, engine, tables, release } = this.#parts
    // First, so that nothing comes in any more that the keeper would have to store.
    this.#parts.pruningWork?.stop()
    engine?.stop()
    try {
      await snapshots?.close()
      await keeper.close()
    } finally {
      tables.close()
      this.#conflicts.close()
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
