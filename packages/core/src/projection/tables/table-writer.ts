/**
 * Brings one SQL table up to date with rows of the cells (TAB2–TAB5).
 *
 * Invariant, outside a flush: SQL holds exactly the rows whose number is in `present`, which are those that lived when
 * they were last flushed; each with the values that its fields showed then. Of rows up to `filledTo`, which came with a copy of the
 * table, it is not known whether they are present: these may be.
 */
import type { Database, Statement } from 'sql.js'
import { shownValue } from '../../schema/encode.ts'
import type { Field } from '../../schema/field.ts'
import type { SqlValue } from '../../schema/kinds/kind.ts'
import { kinds } from '../../schema/kinds/kinds.ts'
import { indexesOf, quote, ROW_NUMBER, type TableLayout } from './layout.ts'
import type { RowReader } from './row-reader.ts'
import { createSearchWriter } from './search-writer.ts'

/** Rows a statement: beyond this, binding dominates. */
const ROWS_PER_STATEMENT = 16
/** From this many new rows on, and if they are most of the table, its indexes are built afterwards. */
const BULK_ROWS = 2000

export interface TableWriter {
  /** Nothing but the row itself is kept: no search index. */
  readonly isOneStatementARow: boolean
  readonly write: <R>(rows: readonly R[], reader: RowReader<R>) => void
}

const fallbacks = (fields: readonly Field[]): SqlValue[] =>
  fields.map((field) => (field.fallback === null ? null : kinds[field.kind].toSql(field.fallback, field)))

const insertSql = ({ table, columns }: TableLayout, rowCount: number): string => {
  const names = [ROW_NUMBER, ...columns.map(({ name }) => name)].map(quote)
  const row = `(${names.map(() => '?').join(', ')})`
  // id is the one column that never changes.
  const changes = names.slice(2).map((name) => `${name} = excluded.${name}`)
  return (
    `INSERT INTO ${quote(table.name)} (${names.join(', ')}) VALUES ${Array(rowCount).fill(row).join(', ')} ` +
    `ON CONFLICT (${ROW_NUMBER}) DO UPDATE SET ${changes.join(', ')}`
  )
}

/** `filledTo`: the highest number of a row that is in the table already; 0 for none. */
export const createTableWriter = (database: Database, layout: TableLayout, filledTo = 0): TableWriter => {
  const { fields, table } = layout
  const present = new Set<number>()
  const fieldKinds = fields.map((field) => kinds[field.kind])
  const fieldFallbacks = fallbacks(fields)
  const search = layout.searchable.length === 0 ? undefined : createSearchWriter(database, layout)
  const indexes = indexesOf(layout)
  const statements = new Map<string, Statement>()
  const statement = (sql: string): Statement => {
    let prepared = statements.get(sql)
    if (prepared === undefined) statements.set(sql, (prepared = database.prepare(sql)))
    return prepared
  }
  const insertMany = insertSql(layout, ROWS_PER_STATEMENT)
  const insertOne = insertSql(layout, 1)
  const deleteOne = `DELETE FROM ${quote(table.name)} WHERE ${ROW_NUMBER} = ?`

  const fieldToSql = <R>(row: R, index: number, reader: RowReader<R>): SqlValue => {
    const value = reader.value(row, index)
    if (value === undefined) return fieldFallbacks[index]
    const shown = shownValue(fields[index], value)
    return shown === null ? null : fieldKinds[index].toSql(shown, fields[index])
  }

  const pushRow = <R>(parameters: SqlValue[], row: R, reader: RowReader<R>): void => {
    parameters.push(reader.number(row), reader.id(row))
    for (let index = 0; index < fields.length; index++) parameters.push(fieldToSql(row, index, reader))
    parameters.push(reader.createdAtMs(row), reader.createdBy(row), reader.updatedAtMs(row))
  }

  const upsert = <R>(rows: readonly R[], reader: RowReader<R>): void => {
    let parameters: SqlValue[] = []
    let from = 0
    const many = rows.length < ROWS_PER_STATEMENT ? undefined : statement(insertMany)
    for (; many !== undefined && from + ROWS_PER_STATEMENT <= rows.length; from += ROWS_PER_STATEMENT) {
      parameters = []
      for (let offset = 0; offset < ROWS_PER_STATEMENT; offset++) pushRow(parameters, rows[from + offset], reader)
      many.run(parameters)
    }
    for (; from < rows.length; from++) {
      parameters = []
      pushRow(parameters, rows[from], reader)
      statement(insertOne).run(parameters)
    }
  }

  const write = <R>(rows: readonly R[], reader: RowReader<R>): void => {
    const live: R[] = []
    const before = present.size
    for (const row of rows) {
      const number = reader.number(row)
      const wasPresent = number <= filledTo || present.has(number)
      if (reader.isLive(row)) {
        live.push(row)
        search?.prepare(number, wasPresent, (index) => fieldToSql(row, index, reader))
        if (!wasPresent) present.add(number)
      } else if (wasPresent) {
        search?.remove(number)
        statement(deleteOne).run([number])
        present.delete(number)
      }
    }
    // A row that is named twice would be new twice; it is written twice and counts once.
    const added = present.size - before
    const isBulk = added >= BULK_ROWS && added > before
    if (isBulk) for (const { drop } of indexes) database.run(drop)
    upsert(live, reader)
    if (isBulk) for (const { create } of indexes) database.run(create)
    search?.write()
  }

  return { isOneStatementARow: search === undefined, write }
}
