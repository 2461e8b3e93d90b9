/**
 * The schema's tables as real SQL tables: a projection that is rebuilt at will and holds live rows only.
 *
 *     rows that changed → flush → SQL (sql.js, in memory) → run → rows with booleans, dates and JSON
 *
 * The database takes writes during a flush and at no other time.
 */
import type { Database } from 'sql.js'
import type { Schema } from '../../schema/schema.ts'
import { createSearchSql, createTableSql, indexesOf, layOutAll } from './layout.ts'
import { createReader, type RunnableQuery } from './reader.ts'
import type { RowReader } from './row-reader.ts'
import { createTableWriter } from './table-writer.ts'

// The database is a file in memory: no journal on it, no locks, no syncing. The cache grows to 64 MiB as needed, so that
// pages are not copied in and out of that file.
const PRAGMAS = [
  'page_size = 8192',
  'journal_mode = MEMORY',
  'locking_mode = EXCLUSIVE',
  'synchronous = OFF',
  'cache_size = -65536',
  'temp_store = MEMORY',
]

/** Rows of one table that changed since they were last flushed. */
export interface DirtyRows<R> {
  readonly table: string
  readonly rows: readonly R[]
  readonly reader: RowReader<R>
}

export interface Tables {
  /**
   * Brings the tables up to date, in one SQL transaction. Tables that the schema does not know are passed over. If it
   * throws (out of memory), SQL is as it was before and the tables are of no further use: make them anew.
   */
  flush<R>(dirty: Iterable<DirtyRows<R>>): void
  /** Runs a select. Throws QUERY_INVALID, with SQLite's error as cause where there is one. */
  run<O>(query: RunnableQuery<O>): O[]
  /** Frees all memory, the database's too. */
  close(): void
}

/** Makes the tables of a schema in an empty sql.js database, which is theirs from then on. */
export const createTables = (database: Database, schema: Schema): Tables => {
  for (const pragma of PRAGMAS) database.run(`PRAGMA ${pragma}`)
  const layouts = layOutAll(schema)
  for (const layout of layouts.values()) {
    database.run(createTableSql(layout))
    for (const { sql } of indexesOf(layout)) database.run(sql)
    if (layout.searchable.length > 0) database.run(createSearchSql(layout))
  }
  const writers = new Map([...layouts].map(([name, layout]) => [name, createTableWriter(database, layout)]))
  const reader = createReader(database, layouts)
  const allowWrites = database.prepare('PRAGMA query_only = OFF')
  const refuseWrites = database.prepare('PRAGMA query_only = ON')
  refuseWrites.run()

  return {
    flush: (dirty) => {
      allowWrites.run()
      database.run('BEGIN')
      try {
        for (const { table, rows, reader: rowReader } of dirty) writers.get(table)?.write(rows, rowReader)
        database.run('COMMIT')
      } catch (error) {
        database.run('ROLLBACK')
        throw error
      } finally {
        refuseWrites.run()
      }
    },
    run: reader.run,
    close: () => {
      reader.free()
      for (const writer of writers.values()) writer.free()
      allowWrites.free()
      refuseWrites.free()
      database.close()
    },
  }
}
