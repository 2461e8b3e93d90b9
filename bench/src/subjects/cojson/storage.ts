import Database, { type Statement } from 'better-sqlite3'
import { getSqliteStorage, type StorageAPI } from 'cojson'

/** Its storage for SQLite, as durable as Driftlog's unless nothing is timed that writes: it commits several times an op. */
export const openStorage = (path: string, { isDurable = true } = {}): StorageAPI => {
  const db = new Database(path)
  db.exec(`pragma journal_mode = wal; pragma synchronous = ${isDurable ? 'full' : 'off'}`)
  const statements = new Map<string, Statement>()
  const prepared = (sql: string): Statement => {
    const statement = statements.get(sql) ?? db.prepare(sql)
    statements.set(sql, statement)
    return statement
  }
  return getSqliteStorage({
    run: (sql, params) => void prepared(sql).run(params),
    get: <T>(sql: string, params: unknown[]) => prepared(sql).get(params) as T | undefined,
    query: <T>(sql: string, params: unknown[]) => prepared(sql).all(params) as T[],
    transaction: (work) => db.transaction(work)(),
    closeDb: () => db.close(),
  })
}
