/**
 * Runs selects and gives their rows the types of the schema (Q1–Q5). SQL knows text and numbers only, and sql.js does
 * not say which column a result came from; the query's own syntax tree does.
 */
import type { Database, SqlValue, Statement } from 'sql.js'
import type { CompiledQuery } from 'kysely'
import { DriftlogError } from '../../errors.ts'
import type { FromSql, TableLayout } from './layout.ts'
import { outputColumns } from './output-columns.ts'
import { bindParameters } from './parameters.ts'
import { isPlain } from './query-builder.ts'
import { createStatementCache } from './statement-cache.ts'

/** Statements kept prepared: more than the queries that an app watches at once. */
const STATEMENT_CACHE_SIZE = 200

const invalid = (why: string, query: CompiledQuery<unknown>, cause?: unknown): DriftlogError =>
  new DriftlogError('QUERY_INVALID', why, { sql: query.sql }, { cause })

export interface Reader {
  readonly run: <O>(query: CompiledQuery<O>) => O[]
}

interface Prepared {
  readonly statement: Statement
  readonly names: readonly string[]
  /** By the query's syntax tree; kept where that follows from the text. */
  columns: readonly (FromSql | undefined)[] | undefined
}

const SELECT = /^\s*(select|with|values)\b/i
/** What begins a write, or ends a transaction, in SQLite's bytecode; the second operand of `Transaction` tells whether it writes. */
const TRANSACTION = 'Transaction'

/**
 * Refuses what would write. Once a text, not once a run: with `PRAGMA query_only`, which tests the same, SQLite prepares every
 * statement anew whenever that is switched.
 */
const expectReadonly = (database: Database, sql: string): void => {
  if (!SELECT.test(sql)) throw new Error('readonly: only selects can run here')
  const program = database.prepare(`EXPLAIN ${sql}`)
  try {
    while (program.step()) {
      const [, opcode, , writes] = program.get()
      if (opcode === TRANSACTION && writes !== 0) throw new Error('readonly: only selects can run here')
    }
  } finally {
    program.free()
  }
}

export const createReader = (database: Database, layouts: ReadonlyMap<string, TableLayout>): Reader => {
  const prepare = (sql: string): Prepared => {
    expectReadonly(database, sql)
    const statement = database.prepare(sql)
    return { statement, names: statement.getColumnNames(), columns: undefined }
  }
  const statements = createStatementCache(STATEMENT_CACHE_SIZE, prepare, ({ statement }) => void statement.free())

  const columnsOf = (prepared: Prepared, query: CompiledQuery<unknown>): readonly (FromSql | undefined)[] => {
    if (prepared.columns !== undefined && isPlain(query)) return prepared.columns
    const columns = outputColumns(query.query, layouts, prepared.names.length)
    if (isPlain(query)) prepared.columns = columns
    return columns
  }

  const readAll = (prepared: Prepared, parameters: SqlValue[], query: CompiledQuery<unknown>): unknown[] => {
    const { statement, names } = prepared
    statement.bind(parameters)
    const rows: unknown[] = []
    if (!statement.step()) return rows
    const columns = columnsOf(prepared, query)
    do {
      const values = statement.get()
      const row: Record<string, unknown> = {}
      for (let index = 0; index < names.length; index++) {
        const value = values[index]
        const fromSql = columns[index]
        row[names[index]] = fromSql === undefined || value instanceof Uint8Array ? value : fromSql(value)
      }
      rows.push(row)
    } while (statement.step())
    return rows
  }

  return {
    run: <O>(query: CompiledQuery<O>): O[] => {
      if (query.query.kind !== 'SelectQueryNode') {
        throw invalid('only selects can run here; changes go through mutate', query)
      }
      const parameters = bindParameters(query, layouts)
      try {
        const prepared = statements.take(query.sql)
        try {
          return readAll(prepared, parameters, query) as O[]
        } finally {
          prepared.statement.reset()
        }
      } catch (error) {
        statements.drop(query.sql)
        throw invalid(error instanceof Error ? error.message : String(error), query, error)
      }
    },
  }
}
