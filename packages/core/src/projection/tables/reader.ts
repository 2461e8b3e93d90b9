/**
 * Runs selects and gives their rows the types of the schema (Q1–Q5). SQL knows text and numbers only, and sql.js does
 * not say which column a result came from; the query's own syntax tree does.
 */
import type { Database, SqlValue, Statement } from 'sql.js'
import type { CompiledQuery } from 'kysely'
import { DriftlogError } from '../../errors.ts'
import type { TableLayout } from './layout.ts'
import { outputColumns } from './output-columns.ts'
import { bindParameters } from './parameters.ts'
import { createStatementCache } from './statement-cache.ts'

/** Statements kept prepared: more than the queries that an app watches at once. */
const STATEMENT_CACHE_SIZE = 200

const invalid = (why: string, query: CompiledQuery<unknown>, cause?: unknown): DriftlogError =>
  new DriftlogError('QUERY_INVALID', why, { sql: query.sql }, { cause })

export interface Reader {
  readonly run: <O>(query: CompiledQuery<O>) => O[]
}

export const createReader = (database: Database, layouts: ReadonlyMap<string, TableLayout>): Reader => {
  const statements = createStatementCache(STATEMENT_CACHE_SIZE, (sql) => database.prepare(sql))

  const readAll = (statement: Statement, parameters: SqlValue[], query: CompiledQuery<unknown>): unknown[] => {
    statement.bind(parameters)
    const rows: unknown[] = []
    if (!statement.step()) return rows
    const names = statement.getColumnNames()
    const columns = outputColumns(query.query, layouts, names.length)
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
        const statement = statements.take(query.sql)
        try {
          return readAll(statement, parameters, query) as O[]
        } finally {
          statement.reset()
        }
      } catch (error) {
        statements.drop(query.sql)
        throw invalid(error instanceof Error ? error.message : String(error), query, error)
      }
    },
  }
}
