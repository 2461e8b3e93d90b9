import type { Statement } from 'sql.js'

/** Prepared statements by their SQL; the one not used for longest is freed where there are too many. */
export interface StatementCache {
  take(sql: string): Statement
  drop(sql: string): void
}

export const createStatementCache = (limit: number, prepare: (sql: string) => Statement): StatementCache => {
  // A Map lists its keys in the order of insertion: taking one moves it to the end.
  const statements = new Map<string, Statement>()
  const drop = (sql: string): void => {
    statements.get(sql)?.free()
    statements.delete(sql)
  }
  return {
    take: (sql) => {
      const statement = statements.get(sql) ?? prepare(sql)
      statements.delete(sql)
      statements.set(sql, statement)
      if (statements.size > limit) drop(statements.keys().next().value as string)
      return statement
    },
    drop,
  }
}
