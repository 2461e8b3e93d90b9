/** Prepared things by their SQL; the one not used for longest is freed where there are too many. */
export interface StatementCache<T> {
  take(sql: string): T
  drop(sql: string): void
}

export const createStatementCache = <T>(
  limit: number,
  prepare: (sql: string) => T,
  free: (prepared: T) => void,
): StatementCache<T> => {
  // A Map lists its keys in the order of insertion: taking one moves it to the end.
  const statements = new Map<string, T>()
  let newest: T | undefined
  const drop = (sql: string): void => {
    const prepared = statements.get(sql)
    if (prepared === undefined) return
    free(prepared)
    statements.delete(sql)
    if (newest === prepared) newest = undefined
  }
  return {
    take: (sql) => {
      const known = statements.get(sql)
      if (known !== undefined && known === newest) return known
      newest = known ?? prepare(sql)
      if (known !== undefined) statements.delete(sql)
      statements.set(sql, newest)
      if (statements.size > limit) drop(statements.keys().next().value as string)
      return newest
    },
    drop,
  }
}
