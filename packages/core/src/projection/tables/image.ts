/**
 * A copy of the tables as the bytes of an SQLite file, and tables from such a copy: rows go over as they lie, which takes a tenth
 * of the time of writing them. Indexes are built anew. Tables that are searched have none: their index would have to be built row
 * by row all the same.
 */
import type { Database } from 'sql.js'
import { createTableSql, DATABASE, indexesOf, quote, ROW_NUMBER, type TableLayout } from './layout.ts'

const IMAGE = 'image'

type Layouts = ReadonlyMap<string, TableLayout>

/** Without what it is searched by. No transaction may be open. */
export const saveImage = (database: Database, layouts: Layouts): Uint8Array =>
  attached(database, undefined, (image) => {
    for (const layout of layouts.values()) {
      database.run(createTableSql(layout, IMAGE))
      database.run(copySql(layout, DATABASE, IMAGE))
    }
    database.run(`DETACH ${IMAGE}`)
    return image.export()
  })

/** Fills tables that are empty. Throws what SQL throws where it is no image of them; they are of no further use then. */
export const loadImage = (database: Database, layouts: Layouts, bytes: Uint8Array): void =>
  attached(database, bytes, () => {
    for (const layout of layouts.values()) {
      const indexes = indexesOf(layout)
      for (const { drop } of indexes) database.run(drop)
      database.run(copySql(layout, IMAGE, DATABASE))
      for (const { create } of indexes) database.run(create)
    }
    database.run(`DETACH ${IMAGE}`)
  })

/** 0 where the table is empty. */
export const lastRowNumber = (database: Database, { table }: TableLayout): number =>
  Number(database.exec(`SELECT max(${ROW_NUMBER}) FROM ${quote(table.name)}`)[0].values[0][0])

/** The implicit row key goes with the row: changes find it by that. */
const copySql = ({ table, columns }: TableLayout, from: string, to: string): string => {
  const names = [ROW_NUMBER, ...columns.map(({ name }) => quote(name))].join(', ')
  const of = quote(table.name)
  return `INSERT INTO ${to}.${of} (${names}) SELECT ${names} FROM ${from}.${of}`
}

/** sql.js keeps a database as a file of its own, in memory: by its path another one can reach it. */
const attached = <T>(database: Database, bytes: Uint8Array | undefined, work: (image: Database) => T): T => {
  const image = new (database.constructor as new (bytes?: Uint8Array) => Database)(bytes)
  try {
    const path = image.exec('PRAGMA database_list')[0].values[0][2] as string
    database.run(`ATTACH '${path}' AS ${IMAGE}`)
    return work(image)
  } finally {
    image.close()
  }
}
