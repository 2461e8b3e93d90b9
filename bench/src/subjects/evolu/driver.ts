/** SQLite for Evolu: what its package for Node does, over the version of better-sqlite3 that this workspace has anyway. */
import Database, { type Statement } from 'better-sqlite3'
import { type CreateSqliteDriver, createPreparedStatementsCache, ok, type SqliteRow } from '@evolu/common'

/** In memory unless there is a path; a file as durable as that of Driftlog. */
export const sqliteDriver =
  (path?: string): CreateSqliteDriver =>
  () =>
  () => {
    const db = new Database(path ?? ':memory:')
    if (path !== undefined) db.exec('pragma journal_mode = wal; pragma synchronous = full')
    const statements = createPreparedStatementsCache<Statement>(
      (sql) => db.prepare(sql),
      () => {},
    )
    return ok({
      exec(query) {
        const statement = statements.get(query, true)
        if (statement.reader) return { rows: statement.all(query.parameters) as SqliteRow[], changes: 0 }
        return { rows: [], changes: statement.run(query.parameters).changes }
      },
      export: () => new Uint8Array(db.serialize()),
      deleteDatabase: () => {
        throw new Error('nobody deletes it')
      },
      [Symbol.dispose]: () => void db.close(),
    })
  }
