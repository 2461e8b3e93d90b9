/**
 * A schema: a local view of the log's cells (which tables, which fields, shown by which law). Immutable data.
 */
import type { DeleteLaw } from '../laws/life.ts'
import { encodeOrRefuse } from './encode.ts'
import type { Value } from '../op/value.ts'
import type { Field, FieldDefinition, FieldKind } from './field.ts'
import type { Fields, TypedTable } from './infer.ts'
import { Refusal } from './kinds/kind.ts'
import { checkStrategy, strategies, type Strategy } from './strategy.ts'
import { checkFieldNames, checkIndexes, checkName, checkNoTwins, invalid } from './validate.ts'

export interface TableOptions<Name extends string = string> {
  /**
   * What a delete does to a row that someone changed at the same time. update-wins (the default): the row stays; delete-wins: it
   * goes; manual: it stays, and is an open conflict until somebody resolves it.
   */
  readonly onDelete?: DeleteLaw
  /** Of concurrent values, for fields that do not say. Default: the last writer wins. */
  readonly strategy?: Strategy
  /** Each a list of fields (or createdAt, createdBy, updatedAt) that queries filter or order by. */
  readonly indexes?: readonly (readonly (Name | 'createdAt' | 'createdBy' | 'updatedAt')[])[]
}

/** A table under construction. */
export interface TableDefinition<F extends Fields = Fields> extends TypedTable<F> {
  readonly fields: F
  readonly onDelete: DeleteLaw
  readonly strategy: Strategy
  readonly indexes: readonly (readonly string[])[]
}

/** A table of a checked schema. */
export interface Table<F extends Fields = Fields> extends TypedTable<F> {
  readonly name: string
  readonly onDelete: DeleteLaw
  readonly strategy: Strategy
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
    strategy: options.strategy ?? strategies.lastWriterWins(),
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

/** A table that every replica has, beside those of its schema; its name begins with _, as no other's can. */
export const systemTable = (name: string, fields: Fields, indexes: readonly (readonly string[])[]): Table => {
  const definition = table(fields, { indexes } as TableOptions)
  return checkTable(name, definition, { [name]: definition })
}

const checkTable = (name: string, definition: TableDefinition, tables: TableDefinitions): Table => {
  if (definition?.fields === undefined) throw invalid(`table "${name}" is not made by table()`, { table: name })
  const { onDelete, indexes, strategy } = definition
  if (!['update-wins', 'delete-wins', 'manual'].includes(onDelete)) {
    throw invalid(`table "${name}": onDelete must be update-wins, delete-wins or manual`, { table: name, onDelete })
  }
  checkStrategy(strategy, `table "${name}"`)
  const fieldNames = Object.keys(definition.fields)
  checkFieldNames(name, fieldNames)
  checkIndexes(name, indexes, fieldNames)
  const fields: Record<string, Field> = {}
  for (const field of fieldNames) {
    const { definition: particulars } = definition.fields[field] ?? {}
    if (particulars === undefined) throw invalid(`${name}.${field} is not made by f`, { table: name, field })
    fields[field] = checkField({ table: name, name: field, definition: particulars, tables, tableStrategy: strategy })
  }
  return Object.freeze({ name, onDelete, strategy, indexes, fields: Object.freeze(fields) })
}

interface CheckedField {
  readonly table: string
  readonly name: string
  readonly definition: FieldDefinition
  readonly tables: TableDefinitions
  readonly tableStrategy: Strategy
}

const checkField = ({ table, name, definition, tables, tableStrategy }: CheckedField): Field => {
  const where = { table, field: name }
  checkKind(table, name, definition, tables)
  const strategy = definition.strategy ?? tableStrategy
  checkStrategy(strategy, `${table}.${name}`)
  const field: Field = { ...definition, table, name, strategy, fallback: emptyValue(definition) }
  if (definition.default === undefined) return Object.freeze(field)
  try {
    return Object.freeze({ ...field, fallback: deepFreeze(encodeOrRefuse(field, definition.default, 'insert')) })
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    throw invalid(`the default of ${table}.${name} is ${error.message}`, where)
  }
}

/** What is shown where nothing was written, and the app gave no default. */
const emptyValue = ({ kind }: FieldDefinition): Value =>
  kind === 'counter' ? 0 : kind === 'set' || kind === 'list' ? EMPTY : null

const EMPTY: readonly Value[] = Object.freeze([])

/** Fields whose values can stand in a set; a list may hold JSON too. */
const SCALARS: readonly FieldKind[] = ['string', 'number', 'integer', 'boolean', 'date', 'enum', 'ref']

const checkKind = (table: string, name: string, definition: FieldDefinition, tables: TableDefinitions): void => {
  const where = { table, field: name }
  const refuse = (why: string): never => {
    throw invalid(`${table}.${name}${why}`, where)
  }
  if (definition.isUnique && !SCALARS.includes(definition.kind))
    refuse(': only fields of one plain value can be unique')
  if (definition.kind === 'json' && definition.isDeep && definition.strategy !== undefined) {
    refuse(': JSON under deep merge is merged by its law, and takes no strategy')
  }
  if (definition.kind === 'ref') {
    if (!Object.hasOwn(tables, definition.target)) {
      refuse(` refers to "${definition.target}", which is no table of the schema`)
    }
    if (!['keep', 'set-null', 'cascade'].includes(definition.onDelete)) {
      refuse(': onDelete of a ref must be keep, set-null or cascade')
    }
    if (definition.onDelete === 'set-null' && !definition.isOptional) {
      refuse(': onDelete set-null needs a field that is optional')
    }
  } else if (definition.kind === 'enum') {
    const { options } = definition
    if (options.length === 0) refuse(': an enum needs an option')
    if (options.some((option) => typeof option !== 'string' || !option.isWellFormed())) {
      refuse(": an enum's options are strings")
    }
    if (new Set(options).size < options.length) refuse(': an enum option stands twice')
  } else if (definition.kind === 'set' || definition.kind === 'list') {
    const { element } = definition
    const isFit = SCALARS.includes(element?.kind) || (definition.kind === 'list' && element?.kind === 'json')
    if (!isFit || element.isOptional || (element.kind === 'json' && element.isDeep)) {
      refuse(`: a ${definition.kind} cannot hold what f.${element?.kind ?? 'nothing'} makes`)
    }
    // What would be passed over in silence.
    const { strategy, isUnique, isSearchable, default: given } = element
    if (strategy !== undefined || isUnique || isSearchable || given !== undefined) {
      refuse(`: what a ${definition.kind} holds has no strategy, no default, is not unique and not searched`)
    }
    if (element.kind === 'ref' && element.onDelete !== 'keep') {
      refuse(`: a ${definition.kind} keeps its references, whatever becomes of what they name`)
    }
    checkKind(table, name, element, tables)
  }
}

const deepFreeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze)
  return value
}
