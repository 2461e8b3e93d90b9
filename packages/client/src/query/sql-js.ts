import initSqlJs, { type Database } from 'sql.js'

/** How to find SQLite's WebAssembly where the bundler does not: see sql.js. */
export interface SqlJsOptions {
  readonly locateFile?: (file: string) => string
}

/** SQLite in memory, tuned for a database that can be rebuilt at will: no journal on disk, no locks, no syncs. */
export const openSqlJs = async (options: SqlJsOptions = {}): Promise<Database> => {
  const sql = await initSqlJs(options)
  return new sql.Database()
}
