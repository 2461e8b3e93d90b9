import { DriftlogError } from '@driftlog/core'
import Database from 'better-sqlite3'

const codeOf = (error: unknown): string | undefined => (error instanceof Database.SqliteError ? error.code : undefined)

/** Another connection kept its lock for longer than we wait. */
export const isBusy = (error: unknown): boolean => codeOf(error)?.startsWith('SQLITE_BUSY') === true

/** What SQLite says, as the codes of the port. Anything that is not SQLite's is a bug and stays what it is. */
export const storageError = (error: unknown, path: string): unknown => {
  const sqliteCode = codeOf(error)
  if (sqliteCode === undefined) return error
  const details = { path, sqliteCode }
  if (sqliteCode.startsWith('SQLITE_FULL')) return new DriftlogError('STORAGE_FULL', path, details, { cause: error })
  if (sqliteCode.startsWith('SQLITE_CORRUPT') || sqliteCode === 'SQLITE_NOTADB') {
    return new DriftlogError('STORAGE_DAMAGED', path, details, { cause: error })
  }
  return new DriftlogError('STORAGE_FAILED', `${sqliteCode} in ${path}`, details, { cause: error })
}
