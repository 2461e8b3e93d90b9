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
  createTables,
  DriftlogError,
  type QueryBuilder,
  reconcileRows,
  type Schema,
  type Tables,
  tablesRead,
  takeDirtyRows,
} from '@driftlog/core'
import type { Compilable, CompiledQuery } from 'kysely'
import { distinctUntilChanged, filter, from, map, type Observable, scan, startWith, Subject, switchMap } from 'rxjs'
import type { Database } from 'sql.js'

export interface LiveTablesOptions<S extends Schema> {
  readonly schema: S
  readonly cells: CellState
  /** Makes the empty database in memory. */
  readonly openDatabase: () => Promise<Database>
}

type Query<S extends Schema, O> = (db: QueryBuilder<S>) => Compilable<O>

export class LiveTables<S extends Schema> {
  readonly #options: LiveTablesOptions<S>
  readonly #builder: QueryBuilder<S>
  #opening: Promise<Tables> | undefined
  #opened: Tables | undefined
  /** Tables that changed since the watches were last told. */
  #changedTables = new Set<string>()
  readonly #changes = new Subject<ReadonlySet<string>>()
  #queued = false
  #closed = false

  constructor(options: LiveTablesOptions<S>) {
    this.#options = options
    this.#builder = createQueryBuilder<S>()
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
    return this.#run(tables, query(this.#builder).compile())
  }

  watch<O>(query: Query<S, O>): Observable<O[]> {
    const compiled = query(this.#builder).compile()
    const reads = tablesRead(this.#options.schema, compiled)
    return from(this.#open()).pipe(
      switchMap((tables) =>
        this.#changes.pipe(
          filter((changed) => [...reads].some((table) => changed.has(table))),
          startWith(undefined),
          map((): O[] => this.#run(tables, compiled)),
        ),
      ),
      scan((previous, rows) => reconcileRows(previous, rows) as O[], [] as O[]),
      distinctUntilChanged(),
    )
  }

  #run<O>(tables: Tables, compiled: CompiledQuery<O>): O[] {
    if (this.#closed) throw new DriftlogError('CLOSED')
    this.#flush(tables)
    return tables.run(compiled)
  }

  #flush(tables: Tables): void {
    const { schema, cells } = this.#options
    const dirty = takeDirtyRows(cells, schema)
    if (dirty.length === 0) return
    try {
      tables.flush(dirty)
    } catch (error) {
      // Out of memory: these tables are of no further use. The next read makes new ones from the cells.
      this.#opening = undefined
      this.#opened = undefined
      tables.close()
      cells.markAllDirty()
      throw error
    }
    for (const { table } of dirty) this.#changedTables.add(table)
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

  #open(): Promise<Tables> {
    this.#opening ??= this.#options.openDatabase().then((database) => {
      this.#opened = createTables(database, this.#options.schema)
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
