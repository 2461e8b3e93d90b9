/**
 * The schema's tables as real SQL tables: a projection that is rebuilt at will and holds live rows only.
 *
 *     rows that changed → flush → SQL (sql.js, in memory) → run → rows with booleans, dates and JSON
 *
 * One SQL transaction stays open from the first flush to the end: nothing of it is ever to outlive the process, and to commit costs
 * more than to write a row. A flush of several statements is a savepoint in it (TAB4). No query writes: see reader.ts.
 */
import type { CompiledQuery } from 'kysely'
import type { Database } from 'sql.js'
import type { Schema } from '../../schema/schema.ts'
import { withSystemTables } from '../view/conflict-table.ts'
import { lastRowNumber, openBeside, saveImage } from './image.ts'
import { createSearchSql, createTableSql, DATABASE, indexesOf, layOutAll, PAGE_BYTES } from './layout.ts'
import { createReader } from './reader.ts'
import type { DirtyRows } from './row-reader.ts'
import { createTableWriter } from './table-writer.ts'

// The main database of sql.js is a file in its memory, to and from which pages are copied. An attached one has its pages
// in memory and nothing else: half the memory, bulk inserts 1.35 times and small flushes 1.5 times as fast.
// One that begins as a copy is such a file, of which no page is written back: the transaction is never committed.
const setUp = (path: string): string[] => [
  `ATTACH '${path}' AS ${DATABASE}`,
  `PRAGMA ${DATABASE}.page_size = ${PAGE_BYTES}`,
  `PRAGMA ${DATABASE}.journal_mode = MEMORY`,
  `PRAGMA ${DATABASE}.cache_spill = OFF`,
  'PRAGMA locking_mode = EXCLUSIVE',
  'PRAGMA synchronous = OFF',
  'PRAGMA temp_store = MEMORY',
]

export interface Tables {
  /**
   * Brings the tables up to date, all or none of them. Tables that the schema does not know are passed over. If it
   * throws (out of memory), SQL is as it was before and the tables are of no further use: make them anew.
   */
  flush(dirty: Iterable<DirtyRows<unknown>>): void
  /** Runs a select. Throws QUERY_INVALID, with SQLite's error as cause where there is one. */
  run<O>(query: CompiledQuery<O>): O[]
  /** A copy of the schema's tables, for `createTables`; undefined where there can be none. */
  image(): Uint8Array | undefined
  /** The schema's tables as a file of SQLite that others can read. */
  plainFile(): Uint8Array
  /** Frees all memory, the database's too. */
  close(): void
}

/** Makes the tables of a schema in an empty sql.js database, which is theirs from then on. `image`: what they have at first. */
export const createTables = (database: Database, schema: Schema, image?: Uint8Array): Tables => {
  const file = image && openBeside(database, image)
  for (const sql of setUp(file?.path ?? ':memory:')) database.run(sql)
  const own = layOutAll(schema)
  const layouts = layOutAll(withSystemTables(schema))
  for (const [name, layout] of layouts) {
    if (file !== undefined && own.has(name)) continue
    database.run(createTableSql(layout))
    for (const { create } of indexesOf(layout)) database.run(create)
    if (layout.searchable.length > 0) database.run(createSearchSql(layout))
  }
  const writers = new Map(
    [...layouts].map(([name, layout]) => {
      const filledTo = file !== undefined && own.has(name) ? lastRowNumber(database, layout) : 0
      return [name, createTableWriter(database, layout, filledTo)]
    }),
  )
  const reader = createReader(database, layouts)
  const begin = database.prepare('SAVEPOINT flush')
  const commit = database.prepare('RELEASE flush')
  // Begun while there is nothing to roll back to: pages that are new in a transaction are not copied for it.
  database.run('BEGIN')

  const copy = (): Uint8Array => {
    database.run('COMMIT')
    const bytes = saveImage(database, own)
    database.run('BEGIN')
    return bytes
  }

  return {
    flush: (dirty) => {
      const changes = [...dirty]
      if (changes.length === 0) return
      // One statement is atomic by itself.
      const [{ table: first, rows: firstRows, reader: firstReader }] = changes
      if (changes.length === 1 && firstRows.length === 1 && writers.get(first)?.isOneStatementARow === true) {
        writers.get(first)!.write(firstRows, firstReader)
        return
      }
      begin.run()
      try {
        for (const { table, rows, reader: rowReader } of changes) writers.get(table)?.write(rows, rowReader)
      } catch (error) {
        rollBack(database)
        throw error
      }
      commit.run()
    },
    run: reader.run,
    image: () => ([...own.values()].some(({ searchable }) => searchable.length > 0) ? undefined : copy()),
    plainFile: copy,
    close: () => {
      // Closing frees the prepared statements too.
      database.close()
      file?.database.close()
    },
  }
}

const rollBack = (database: Database): void => {
  try {
    database.run('ROLLBACK TO flush')
    database.run('RELEASE flush')
  } catch {
    // SQLite rolls back by itself where it runs out of memory. The first error is the one to tell.
  }
}
