/**
 * The file: how it is opened, and what is in it.
 *
 * Invariants:
 * - a commit is on the disk when it returns: WAL with synchronous=FULL, which is asserted, because WAL connections may
 *   come with NORMAL, where acknowledged commits vanish with the power;
 * - nothing is changed in a file that is not ours or that a newer version wrote.
 */
import { DriftlogError } from '@driftlog/core'
import Database from 'better-sqlite3'
import { storageError } from './errors.ts'
import { prepareToGiveBack } from './give-back.ts'

export const SCHEMA_VERSION = 2

/** The last batch of each space that was pruned: with it the end is known when all are gone, and appends write nothing for that. */
const PRUNED = `CREATE TABLE pruned (
    space TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    tag BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;`

// `id` is the arrival order over all spaces. It never leaves the file (it would tell one space of the traffic in the
// others) but makes batch_boundary, which ends in it like every index, cover both a boundary and its place in the order.
// `first_tag` and `checksum` are beside the bytes so that nothing but reading a batch depends on these.
// A split changes `branch` alone, by a name of the same length: no batch is moved.
const SCHEMA = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    space TEXT NOT NULL,
    branch TEXT NOT NULL,
    from_seq INTEGER NOT NULL,
    to_seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    first_tag BLOB NOT NULL,
    tag_after BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    bytes BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX batch_boundary ON batch (space, branch, to_seq);
  CREATE UNIQUE INDEX batch_position ON batch (space, position);
  CREATE TABLE branch (
    space TEXT NOT NULL,
    device TEXT NOT NULL,
    branch TEXT NOT NULL,
    base INTEGER NOT NULL,
    base_tag BLOB NOT NULL,
    seq INTEGER NOT NULL,
    tag BLOB NOT NULL,
    floor INTEGER NOT NULL DEFAULT 0,
    floor_tag BLOB NOT NULL DEFAULT x'',
    PRIMARY KEY (space, device, branch)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE certificate (
    space TEXT NOT NULL,
    device TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (space, device)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE record (
    space TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (space, key)
  ) STRICT, WITHOUT ROWID;
  ${PRUNED}
  INSERT INTO meta VALUES ('schema', '${SCHEMA_VERSION}');
`

/** What brings a file from a version to the next one. */
const MIGRATIONS: readonly string[] = [
  `ALTER TABLE branch ADD COLUMN floor INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE branch ADD COLUMN floor_tag BLOB NOT NULL DEFAULT x'';
  ${PRUNED}`,
]

export interface OpenOptions {
  readonly busyMs: number
  readonly maxBytes: number | undefined
}

/** Throws STORAGE_FAILED, STORAGE_FULL, STORAGE_DAMAGED (not an SQLite file) or FORMAT_UNKNOWN (a newer version's). */
export const openDatabase = (path: string, options: OpenOptions): Database.Database => {
  let database: Database.Database
  try {
    database = new Database(path, { timeout: options.busyMs })
  } catch (error) {
    // better-sqlite3 itself refuses some paths, with a TypeError.
    const mapped = storageError(error, path)
    if (mapped instanceof DriftlogError) throw mapped
    throw new DriftlogError('STORAGE_FAILED', path, { path }, { cause: error })
  }
  try {
    if (readVersion(database, path) === undefined) prepareToGiveBack(database)
    setDurability(database, path, options.busyMs)
    database
      .transaction(() => {
        const version = readVersion(database, path)
        if (version === undefined) database.exec(SCHEMA)
        else migrate(database, version)
      })
      .immediate()
    if (options.maxBytes !== undefined) limitSize(database, options.maxBytes)
    return database
  } catch (error) {
    database.close()
    throw storageError(error, path)
  }
}

/** A process of an older version that has the file open fails from now on where a branch begins, rather than to miss what is pruned. */
const migrate = (database: Database.Database, version: number): void => {
  if (version === SCHEMA_VERSION) return
  for (const migration of MIGRATIONS.slice(version - 1)) database.exec(migration)
  database.prepare("UPDATE meta SET value = ? WHERE key = 'schema'").run(String(SCHEMA_VERSION))
}

/** The schema version of the file, undefined in an empty one. */
const readVersion = (database: Database.Database, path: string): number | undefined => {
  const tables = database.prepare<[], string>('SELECT name FROM sqlite_schema').pluck().all()
  if (tables.length === 0) return undefined
  if (!tables.includes('meta') || !tables.includes('batch')) {
    throw new DriftlogError('STORAGE_FAILED', `${path} is an SQLite file of something else`, { path })
  }
  const stored = database.prepare<[], string>("SELECT value FROM meta WHERE key = 'schema'").pluck().get()
  const version = Number(stored)
  if (version > SCHEMA_VERSION) {
    throw new DriftlogError('FORMAT_UNKNOWN', `${path} has schema ${version}, this version knows ${SCHEMA_VERSION}`, {
      path,
      schema: version,
      known: SCHEMA_VERSION,
    })
  }
  if (!Number.isInteger(version) || version < 1)
    throw new DriftlogError('STORAGE_DAMAGED', `schema of ${path}`, { path, schema: stored })
  return version
}

/** To make a file one with a WAL takes a lock for which SQLite does not wait: where several processes open a new file at once, one goes first. */
const setJournal = (database: Database.Database, busyMs: number): unknown => {
  for (let waitedMs = 0; ; waitedMs += STEP_MS) {
    try {
      return database.pragma('journal_mode = WAL', { simple: true })
    } catch (error) {
      const isBusy = error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')
      if (!isBusy || waitedMs >= busyMs) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STEP_MS)
    }
  }
}

const STEP_MS = 10

const setDurability = (database: Database.Database, path: string, busyMs: number): void => {
  const expected = database.memory ? 'memory' : 'wal'
  const journal = setJournal(database, busyMs)
  database.pragma('synchronous = FULL')
  // Only macOS heeds these two: there a plain fsync leaves the data in the drive's cache.
  database.pragma('fullfsync = ON')
  database.pragma('checkpoint_fullfsync = ON')
  assertDurable(path, expected, journal, database.pragma('synchronous', { simple: true }))
}

/** Throws STORAGE_FAILED where SQLite did not take the settings on which an acknowledgement rests. */
export const assertDurable = (path: string, expectedJournal: string, journal: unknown, synchronous: unknown): void => {
  if (journal === expectedJournal && synchronous === 2) return
  const details = { path, journal, synchronous }
  throw new DriftlogError('STORAGE_FAILED', `${path} cannot be written durably`, details)
}

const limitSize = (database: Database.Database, maxBytes: number): void => {
  const pageSize = Number(database.pragma('page_size', { simple: true }))
  database.pragma(`max_page_count = ${Math.max(1, Math.floor(maxBytes / pageSize))}`)
}
