/**
 * The schema's SQL tables, brought up to date before every read, and the queries that watch them.
 *
 *     cells ─ dirty rows ─▶ flush (one SQL transaction) ─▶ tables ─▶ query
 *                               └─ names of changed tables ─▶ watches that read them
 *
 * Invariants:
 * - no read without a flush before it: a read sees every change that is projected;
 * - SQL is opened by the first read: a replica that is never asked pays nothing for it;
 * - a watch runs again only when a table that it reads changed, once for all changes of one turn of the event loop.
 */
import {
  type CellState,
  createQueryBuilder,
  DriftlogError,
  type OpIndex,
  openTables,
  type QueryBuilder,
  reconcileRows,
  rowSource,
  type Schema,
  tablesRead,
  type TablesProjection,
} from '@driftlog/core'
import type { Compilable } from 'kysely'
import { distinctUntilChanged, filter, from, map, type Observable, scan, startWith, Subject, switchMap } from 'rxjs'
import type { Database } from 'sql.js'

export interface LiveTablesOptions<S extends Schema> {
  readonly schema: S
  readonly cells: CellState
  readonly ops: OpIndex
  /** Makes the empty database in memory. */
  readonly openDatabase: () => Promise<Database>
}

type Query<S extends Schema, O> = (db: QueryBuilder<S>) => Compilable<O>

export class LiveTables<S extends Schema> {
  readonly #options: LiveTablesOptions<S>
  readonly #builder: QueryBuilder<S>
  #opening: Promise<TablesProjection> | undefined
  #opened: TablesProjection | undefined
  /** Tables that changed since the watches were last told. */
  #changedTables = new Set<string>()
  readonly #changes = new Subject<ReadonlySet<string>>()
  #queued = false
  #closed = false

  constructor(options: LiveTablesOptions<S>) {
    this.#options = options
    this.#builder = createQueryBuilder(options.schema)
  }

  /** Something was projected. */
  changed(): void {
    if (this.#queued || !this.#changes.observed) return
    this.#queued = true
    queueMicrotask(() => {
      this.#queued = false
      this.#tell()
    })
  }

  async query<O>(query: Query<S, O>): Promise<O[]> {
    const tables = await this.#open()
    return this.#run(tables, query(this.#builder).compile()) as O[]
  }

  watch<O>(query: Query<S, O>): Observable<O[]> {
    const compiled = query(this.#builder).compile()
    const reads = tablesRead(compiled.query)
    return from(this.#open()).pipe(
      switchMap((tables) =>
        this.#changes.pipe(
          filter((changed) => reads === 'all' || [...changed].some((table) => reads.has(table))),
          startWith(undefined),
          map(() => this.#run(tables, compiled) as O[]),
        ),
      ),
      scan((previous: O[] | undefined, rows: O[]): O[] => reconcileRows(previous, rows) as O[], undefined as O[] | undefined),
      map((rows) => rows as O[]),
      distinctUntilChanged(),
    )
  }

  #run(tables: TablesProjection, compiled: Parameters<TablesProjection['run']>[0]): unknown[] {
    if (this.#closed) throw new DriftlogError('CLOSED')
    this.#flush(tables)
    return tables.run(compiled)
  }

  #flush(tables: TablesProjection): void {
    const { cells, ops } = this.#options
    const dirty = cells.takeDirty()
    if (dirty.size === 0) return
    tables.flush(new Map([...dirty].map(([table, rows]) => [table.name, rows.map((row) => rowSource(row, ops))])))
    for (const table of dirty.keys()) this.#changedTables.add(table.name)
    this.changed()
  }

  #tell(): void {
    if (this.#closed || this.#opened === undefined) return
    this.#flush(this.#opened)
    if (this.#changedTables.size === 0) return
    const changed = this.#changedTables
    this.#changedTables = new Set()
    this.#changes.next(changed)
  }

  #open(): Promise<TablesProjection> {
    this.#opening ??= this.#options.openDatabase().then((database) => {
      this.#opened = openTables(this.#options.schema, database)
      return this.#opened
    })
    return this.#opening
  }

  close(): void {
    this.#closed = true
    this.#changes.complete()
    void this.#opening?.then((tables) => tables.close())
  }
}
