/**
 * How a schema's tables lie in SQL (TAB1).
 *
 *     "tasks"           _rowid_ = the row's number in the cells | id | the fields | createdAt | createdBy | updatedAt
 *     "_search_tasks"   FTS4: docid = the same number | c0, c1 … = the searchable fields
 *
 * The key is the implicit rowid: appending is cheap, an update leaves the index on `id` alone, and `select *` shows only
 * what the app knows. `_rowid_` and names that begin with _ cannot be taken by a field (SCH1).
 */
import type { Field } from '../../schema/field.ts'
import type { SqlValue } from '../../schema/kinds/kind.ts'
import { dateFromSql } from '../../schema/kinds/date.ts'
import { kinds } from '../../schema/kinds/kinds.ts'
import type { Schema, Table } from '../../schema/schema.ts'

/** Turns what SQL returns for a column into what the app sees. */
export type FromSql = (value: SqlValue) => unknown

export interface ColumnLayout {
  readonly name: string
  readonly sqlType: string
  readonly fromSql: FromSql
}

export interface TableLayout {
  readonly table: Table
  /** In the order of `select *`. */
  readonly columns: readonly ColumnLayout[]
  readonly fields: readonly Field[]
  /** Indexes into `fields`. */
  readonly searchable: readonly number[]
  readonly searchTable: string
}

/** The SQL database that the tables lie in; it need not be named but where something is made or dropped. */
export const DATABASE = 'app'
export const PAGE_BYTES = 8192
export const ROW_NUMBER = '_rowid_'
const SEARCH_PREFIX = '_search_'

export const quote = (name: string): string => `"${name}"`
export const searchTableOf = (table: string): string => `${SEARCH_PREFIX}${table}`
export const searchColumn = (index: number): string => `c${index}`

const asText: FromSql = (value) => value
const asDate: FromSql = (value) => dateFromSql(value)

const ID: ColumnLayout = { name: 'id', sqlType: 'TEXT NOT NULL', fromSql: asText }
const STAMPS: readonly ColumnLayout[] = [
  { name: 'createdAt', sqlType: 'INTEGER NOT NULL', fromSql: asDate },
  { name: 'createdBy', sqlType: 'TEXT NOT NULL', fromSql: asText },
  { name: 'updatedAt', sqlType: 'INTEGER NOT NULL', fromSql: asDate },
]

export const layOut = (table: Table): TableLayout => {
  const fields = Object.values(table.fields)
  const fieldColumns = fields.map((field) => {
    const { sqlType, fromSql } = kinds[field.kind]
    return { name: field.name, sqlType, fromSql: (value: SqlValue) => fromSql(value, field) }
  })
  return {
    table,
    columns: [ID, ...fieldColumns, ...STAMPS],
    fields,
    searchable: fields.flatMap((field, index) => (field.isSearchable ? [index] : [])),
    searchTable: searchTableOf(table.name),
  }
}

export const layOutAll = (schema: Schema): ReadonlyMap<string, TableLayout> =>
  new Map(Object.values(schema.tables).map((table) => [table.name, layOut(table)]))

export const createTableSql = ({ table, columns }: TableLayout, database = DATABASE): string =>
  `CREATE TABLE ${database}.${quote(table.name)} (${columns.map(({ name, sqlType }) => `${quote(name)} ${sqlType}`).join(', ')})`

export const createSearchSql = ({ searchTable, searchable }: TableLayout): string =>
  `CREATE VIRTUAL TABLE ${DATABASE}.${quote(searchTable)} USING fts4(${searchable.map((_, index) => searchColumn(index)).join(', ')}, tokenize=unicode61 "remove_diacritics=2")`

export interface IndexLayout {
  readonly create: string
  readonly drop: string
}

/** The index on `id` and the app's own. */
export const indexesOf = ({ table }: TableLayout, database = DATABASE): readonly IndexLayout[] =>
  [['id'], ...table.indexes].map((columns, index) => {
    const name = `${database}.${quote(`_index_${table.name}_${index}`)}`
    const on = `${quote(table.name)} (${columns.map(quote).join(', ')})`
    return { create: `CREATE ${index === 0 ? 'UNIQUE ' : ''}INDEX ${name} ON ${on}`, drop: `DROP INDEX ${name}` }
  })
