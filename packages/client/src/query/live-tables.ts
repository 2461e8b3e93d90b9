/**
 * The schema's SQL tables, brought up to date before every read, and the queries that watch them.
 *
 *     cells ─ dirty rows ─▶ flush (one SQL transaction) ─▶ tables ─▶ query
 *                               └─ versions of changed tables ─▶ watches that read them
 *
 * Invariants:
 * - no read without a flush before it: a read sees every change that is projected;
 * - SQL is opened by the first read: a replica that is never asked pays nothing for it;
 * - a watch runs again only when a table that it reads was flushed after its last run, once for all changes of one turn
 *   of the event loop; and where its condition tells which rows it reads, only when one of those was flushed;
 * - a watch ends: by its subscriber, by an error, or by completing when the replica closes.
 */
import {
  CONFLICTS,
  ConflictTable,
  createQueryBuilder,
  createTables,
  type DirtyRows,
  DriftlogError,
  type QueryBuilder,
  reconcileRows,
  type RowGuard,
  rowGuard,
  type Schema,
  type Tables,
  tablesRead,
} from '@driftlog/core'
import type { Compilable, CompiledQuery } from 'kysely'
import {
  defer,
  distinctUntilChanged,
  EMPTY,
  filter,
  finalize,
  from,
  map,
  merge,
  type Observable,
  of,
  scan,
  Subject,
  switchMap,
  takeUntil,
} from 'rxjs'
import type { Database } from 'sql.js'
import type { CurrentView } from './current-view.ts'

export interface LiveTablesOptions<S extends Schema> {
  readonly schema: S
  readonly view: CurrentView
  /** What the tables have at first: as the view has it while it is asleep. */
  readonly image?: Uint8Array
  /** Makes the empty database in memory. */
  readonly openDatabase: () => Promise<Database>
}

/** A watch of which it is known which rows it reads. */
interface GuardedWatch {
  readonly table: string
  readonly guard: RowGuard
  /** The last flush that touched one of them. */
  touchedAt: number
}

/** From so many changed rows on, asking about each costs more than running again. */
const MAX_GUARDED_ROWS = 32

/** Queries of which it is remembered what they read. */
const MAX_REMEMBERED = 200

type Query<S extends Schema, O> = (db: QueryBuilder<S>) => Compilable<O>

export class LiveTables<S extends Schema> {
  readonly #options: LiveTablesOptions<S>
  readonly #builder: QueryBuilder<S>
  readonly #conflicts = new ConflictTable()
  /** Somebody reads the table of conflicts. It costs nothing before. */
  #readsConflicts = false
  /** What queries read, by their SQL, which tells it whole. */
  readonly #reads = new Map<string, ReadonlySet<string>>()
  #opening: Promise<Tables> | undefined
  #image: Uint8Array | undefined
  #opened: Tables | undefined
  /** Counts flushes; `#flushedAt` has the last one that touched a table. */
  #flushes = 0
  readonly #flushedAt = new Map<string, number>()
  readonly #guarded = new Set<GuardedWatch>()
  /** The flushes that the watches have been told of. */
  #told = 0
  /** The tables are up to date, and some have changed. Errors where the tables had to be given up. */
  #changes = new Subject<void>()
  readonly #closing = new Subject<void>()
  #queued = false
  #closed = false

  constructor(options: LiveTablesOptions<S>) {
    this.#options = options
    this.#image = options.image
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
    const compiled = query(this.#builder).compile()
    this.#noteReads(this.#tablesRead(compiled))
    return this.#run(await this.#open(), compiled)
  }

  watch<O>(query: Query<S, O>): Observable<O[]> {
    const compiled = query(this.#builder).compile()
    const reads = this.#tablesRead(compiled)
    this.#noteReads(reads)
    return defer(() => (this.#closed ? EMPTY : from(this.#open()))).pipe(
      switchMap((tables) => this.#rows(tables, compiled, reads)),
      scan((previous, rows) => reconcileRows(previous, rows) as O[], [] as O[]),
      distinctUntilChanged(),
      takeUntil(this.#closing),
    )
  }

  #tablesRead(compiled: CompiledQuery<unknown>): ReadonlySet<string> {
    const known = this.#reads.get(compiled.sql)
    if (known !== undefined) return known
    const reads = tablesRead(this.#options.schema, compiled)
    if (this.#reads.size === MAX_REMEMBERED) this.#reads.clear()
    this.#reads.set(compiled.sql, reads)
    return reads
  }

  #noteReads(tables: ReadonlySet<string>): void {
    this.#readsConflicts ||= tables.has(CONFLICTS)
  }

  #rows<O>(tables: Tables, compiled: CompiledQuery<O>, reads: ReadonlySet<string>): Observable<O[]> {
    let ranAt = -1
    const guarded = this.#guard(compiled, reads)
    const isTouched = (): boolean =>
      guarded === undefined
        ? [...reads].some((table) => (this.#flushedAt.get(table) ?? 0) > ranAt)
        : guarded.touchedAt > ranAt
    // `merge` listens for changes before it runs for the first time: the subscriber may mutate when it gets the rows.
    return merge(this.#changes, of(undefined)).pipe(
      filter(() => ranAt < 0 || isTouched()),
      map((): O[] => {
        const rows = this.#run(tables, compiled)
        ranAt = this.#flushes
        return rows
      }),
      finalize(() => guarded !== undefined && this.#guarded.delete(guarded)),
    )
  }

  #guard(compiled: CompiledQuery<unknown>, reads: ReadonlySet<string>): GuardedWatch | undefined {
    const [table] = reads
    const guard = reads.size === 1 ? rowGuard(compiled) : undefined
    if (guard === undefined) return undefined
    const guarded = { table, guard, touchedAt: 0 }
    this.#guarded.add(guarded)
    return guarded
  }

  #run<O>(tables: Tables, compiled: CompiledQuery<O>): O[] {
    if (this.#closed) throw new DriftlogError('CLOSED')
    this.#flush(tables)
    return tables.run(compiled)
  }

  #flush(tables: Tables): void {
    if (this.#options.view.isAsleep && !this.#readsConflicts) return
    const view = this.#options.view.now
    const dirty: DirtyRows<unknown>[] = []
    const touched = new Set<GuardedWatch>()
    // Rows are told once: where anything fails from here on, these tables never get them.
    try {
      dirty.push(...view.takeDirtyRows())
      if (this.#readsConflicts) dirty.push(...this.#conflicts.takeDirtyRows(view))
      if (dirty.length === 0) return
      this.#noteTouched(tables, dirty, touched)
      tables.flush(dirty)
    } catch (error) {
      this.#giveUp(tables, error)
      throw error
    }
    this.#flushes++
    for (const { table } of dirty) this.#flushedAt.set(table, this.#flushes)
    this.#noteTouched(tables, dirty, touched)
    for (const guarded of touched) guarded.touchedAt = this.#flushes
    this.changed()
  }

  /** Adds the watches that read one of the rows, as they are in SQL now. */
  #noteTouched(tables: Tables, dirty: readonly DirtyRows<unknown>[], touched: Set<GuardedWatch>): void {
    for (const guarded of this.#guarded) {
      if (touched.has(guarded)) continue
      const changes = dirty.find(({ table }) => table === guarded.table)
      if (changes === undefined) continue
      const { rows, reader } = changes
      const isRead = (row: unknown): boolean => {
        try {
          return tables.run(guarded.guard(reader.number(row))).length > 0
        } catch {
          // Nor can the watch be run: it tells why.
          return true
        }
      }
      if (rows.length > MAX_GUARDED_ROWS || rows.some(isRead)) touched.add(guarded)
    }
  }

  /** Mostly out of memory: these tables are of no further use, nor are their watches. The next read makes new ones. */
  #giveUp(tables: Tables, error: unknown): void {
    this.#opening = undefined
    this.#opened = undefined
    tables.close()
    this.#options.view.now.markAllDirty()
    this.#conflicts.reset()
    const changes = this.#changes
    this.#changes = new Subject()
    changes.error(error)
  }

  #tell(): void {
    if (this.#closed || this.#opened === undefined) return
    try {
      this.#flush(this.#opened)
    } catch {
      // The watches, all there is to tell, have been told.
      return
    }
    if (this.#told === this.#flushes) return
    this.#told = this.#flushes
    this.#changes.next()
  }

  /** The schema's tables as a file of SQLite. */
  async plainFile(): Promise<Uint8Array> {
    const tables = await this.#open()
    this.#flush(tables)
    return tables.plainFile()
  }

  async #make(image: Uint8Array | undefined): Promise<Tables> {
    const database = await this.#options.openDatabase()
    try {
      this.#opened = createTables(database, this.#options.schema, image)
      return this.#opened
    } catch (error) {
      database.close()
      if (image === undefined) throw error
    }
    // No image of these tables: every row is written.
    this.#options.view.now.markAllDirty()
    return this.#make(undefined)
  }

  /** Once: tables that are made after others were given up get every row. */
  #takeImage(): Uint8Array | undefined {
    const image = this.#image
    this.#image = undefined
    return image
  }

  /** A copy of the tables as they are now, with what is not in them yet; undefined where there can be none. */
  image(): Uint8Array | undefined {
    if (this.#opened === undefined) return this.#options.view.isAsleep ? this.#image : undefined
    this.#flush(this.#opened)
    return this.#opened.image()
  }

  #open(): Promise<Tables> {
    if (this.#opening === undefined) {
      const opening = this.#make(this.#takeImage())
      this.#opening = opening
      // The next read tries again.
      opening.catch(() => {
        if (this.#opening === opening) this.#opening = undefined
      })
    }
    return this.#opening
  }

  close(): void {
    this.#closed = true
    this.#closing.next()
    this.#opening?.then(
      (tables) => tables.close(),
      () => undefined,
    )
  }
}
