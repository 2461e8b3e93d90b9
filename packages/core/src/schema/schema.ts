/**
 * A schema: a local view of the log's cells (which tables, which fields, shown by which law). Immutable data.
 */
import type { DeleteLaw } from '../laws/life.ts'
import { encodeOrRefuse } from './encode.ts'
import type { Field, FieldDefinition } from './field.ts'
import type { Fields, TypedTable } from './infer.ts'
import { Refusal } from './kinds/kind.ts'
import { checkFieldNames, checkIndexes, checkName, checkNoTwins, invalid } from './validate.ts'

export interface TableOptions<Name extends string = string> {
  /** What a delete does to a row that someone changed at the same time. Default: update-wins, the row stays. */
  readonly onDelete?: DeleteLaw
  /** Each a list of fields (or createdAt, createdBy, updatedAt) that queries filter or order by. */
  readonly indexes?: readonly (readonly (Name | 'createdAt' | 'createdBy' | 'updatedAt')[])[]
}

/** A table under construction. */
export interface TableDefinition<F extends Fields = Fields> extends TypedTable<F> {
  readonly fields: F
  readonly onDelete: DeleteLaw
  readonly indexes: readonly (readonly string[])[]
}

/** A table of a checked schema. */
export interface Table<F extends Fields = Fields> extends TypedTable<F> {
  readonly name: string
  readonly onDelete: DeleteLaw
  readonly indexes: readonly (readonly string[])[]
  readonly fields: { readonly [K in keyof F]: Field }
}

export type TableDefinitions = { readonly [name: string]: TableDefinition }

export interface Schema<T extends TableDefinitions = TableDefinitions> {
  /** A positive integer, written into every op. */
  readonly version: number
  readonly tables: { readonly [K in keyof T]: T[K] extends TableDefinition<infer F> ? Table<F> : never }
}

/** Describes a table. Its fields are checked by `defineSchema`. */
export const table = <const F extends Fields>(
  fields: F,
  options: TableOptions<keyof F & string> = {},
): TableDefinition<F> =>
  Object.freeze({
    fields: Object.freeze({ ...fields }),
    onDelete: options.onDelete ?? 'update-wins',
    indexes: Object.freeze((options.indexes ?? []).map((index) => Object.freeze([...index]))),
  })

/** Throws SCHEMA_INVALID with what is wrong and where (SCH1–SCH4). */
export const defineSchema = <const T extends TableDefinitions>(definition: {
  readonly version: number
  readonly tables: T
}): Schema<T> => {
  const { version, tables } = definition
  if (!Number.isSafeInteger(version) || version < 1)
    throw invalid('version must be a whole number from 1 on', { version })
  const names = Object.keys(tables)
  if (names.length === 0) throw invalid('a schema needs a table')
  checkNoTwins(names, 'table')
  const checked: Record<string, Table> = {}
  for (const name of names) {
    checkName(name, `table "${name}"`)
    checked[name] = checkTable(name, tables[name], tables)
  }
  return Object.freeze({ version, tables: Object.freeze(checked) }) as Schema<T>
}

const checkTable = (name: string, definition: TableDefinition, tables: TableDefinitions): Table => {
  if (definition?.fields === undefined) throw invalid(`table "${name}" is not made by table()`, { table: name })
  const { onDelete, indexes } = definition
  if (onDelete !== 'update-wins' && onDelete !== 'delete-wins') {
    throw invalid(`table "${name}": onDelete must be update-wins or delete-wins`, { table: name, onDelete })
  }
  const fieldNames = Object.keys(definition.fields)
  checkFieldNames(name, fieldNames)
  checkIndexes(name, indexes, fieldNames)
  const fields: Record<string, Field> = {}
  for (const field of fieldNames) {
    const { definition: particulars } = definition.fields[field] ?? {}
    if (particulars === undefined) throw invalid(`${name}.${field} is not made by f`, { table: name, field })
    fields[field] = checkField(name, field, particulars, tables)
  }
  return Object.freeze({ name, onDelete, indexes, fields: Object.freeze(fields) })
}

const checkField = (table: string, name: string, definition: FieldDefinition, tables: TableDefinitions): Field => {
  const where = { table, field: name }
  if (definition.kind === 'ref') {
    if (!Object.hasOwn(tables, definition.target)) {
      throw invalid(`${table}.${name} refers to "${definition.target}", which is no table of the schema`, where)
    }
    if (definition.onDelete !== 'keep') throw invalid(`${table}.${name}: onDelete of a ref must be keep`, where)
  }
  if (definition.kind === 'enum') {
    const { options } = definition
    if (options.length === 0) throw invalid(`${table}.${name}: an enum needs an option`, where)
    if (options.some((option) => typeof option !== 'string' || !option.isWellFormed())) {
      throw invalid(`${table}.${name}: an enum's options are strings`, where)
    }
    if (new Set(options).size < options.length) throw invalid(`${table}.${name}: an enum option stands twice`, where)
  }
  const field: Field = { ...definition, table, name, fallback: definition.kind === 'counter' ? 0 : null }
  if (definition.default === undefined) return Object.freeze(field)
  try {
    return Object.freeze({ ...field, fallback: deepFreeze(encodeOrRefuse(field, definition.default, 'insert')) })
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    throw invalid(`the default of ${table}.${name} is ${error.message}`, where)
  }
}

const deepFreeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze)
  return value
}
