/**
 * A copy of the tables as the bytes of an SQLite file, and a database that begins as such a copy. Rows, their keys and their
 * indexes go over as they lie: SQLite does so for `INSERT … SELECT *` between tables that are declared alike (its "xfer
 * optimization"). What tables are searched by is not in it.
 *
 * sql.js keeps each database as a file of its own, in memory; by its path another one attaches it.
 */
import type { Database } from 'sql.js'
import { createTableSql, DATABASE, indexesOf, PAGE_BYTES, quote, ROW_NUMBER, type TableLayout } from './layout.ts'

const IMAGE = 'image'

/** A file of SQLite that another database attaches for as long as it is open. */
export interface AttachedFile {
  readonly path: string
  readonly database: Database
}

/** `bytes`: what it has; an empty one by default. Close its database when nothing is attached to it any more. */
export const openBeside = (database: Database, bytes?: Uint8Array): AttachedFile => {
  const file = new (database.constructor as new (bytes?: Uint8Array) => Database)(bytes)
  return { path: file.exec('PRAGMA database_list')[0].values[0][2] as string, database: file }
}

/** No transaction may be open. */
export const saveImage = (database: Database, layouts: ReadonlyMap<string, TableLayout>): Uint8Array => {
  const file = openBeside(database)
  try {
    database.run(`ATTACH '${file.path}' AS ${IMAGE}`)
    database.run(`PRAGMA ${IMAGE}.page_size = ${PAGE_BYTES}`)
    for (const layout of layouts.values()) {
      const name = quote(layout.table.name)
      database.run(createTableSql(layout, IMAGE))
      for (const { create } of indexesOf(layout, IMAGE)) database.run(create)
      database.run(`INSERT INTO ${IMAGE}.${name} SELECT * FROM ${DATABASE}.${name}`)
    }
    database.run(`DETACH ${IMAGE}`)
    return file.database.export()
  } finally {
    file.database.close()
  }
}

/** 0 where the table is empty. */
export const lastRowNumber = (database: Database, { table }: TableLayout): number =>
  Number(database.exec(`SELECT max(${ROW_NUMBER}) FROM ${quote(table.name)}`)[0].values[0][0])
