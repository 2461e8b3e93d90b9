/** Every statement of the store, prepared once. */
import type { DeviceId, HeldBranch, StoredRow } from '@driftlog/core'
import type Database from 'better-sqlite3'

type Statement<Bound extends unknown[], Row> = Database.Statement<Bound, Row>

/** A batch in the arrival order over all spaces: see `id` in the schema. */
export interface ArrivalRow {
  readonly branch: DeviceId
  readonly toSeq: number
  readonly position: number
}

export interface BranchRow extends HeldBranch {
  readonly device: DeviceId
}

type TipRow = Pick<HeldBranch, 'branch' | 'seq' | 'tag'>

export interface Statements {
  readonly branches: Statement<[string, string], HeldBranch>
  readonly branchesOf: Statement<[string], BranchRow>
  readonly tips: Statement<[string], TipRow>
  readonly highestSeq: Statement<[string, string], number>
  readonly addBranch: Statement<[string, string, string, number, Uint8Array, number, Uint8Array], unknown>
  readonly moveTip: Statement<[number, Uint8Array, string, string, string], unknown>
  readonly setFloor: Statement<[number, Uint8Array, string, string, string], unknown>
  readonly removeBranch: Statement<[string, string, string], unknown>
  readonly renameAbove: Statement<[string, string, string, number], unknown>
  readonly certificate: Statement<[string, string], Uint8Array>
  readonly addCertificate: Statement<[string, string, Uint8Array], unknown>
  readonly boundaryTag: Statement<[string, string, number], Uint8Array>
  readonly addBatch: Statement<
    [string, string, number, number, number, Uint8Array, Uint8Array, number, Uint8Array],
    unknown
  >
  readonly upTo: Statement<[string, string, number], { batches: number; bytes: number }>
  readonly positionOf: Statement<[string, string, number], number>
  readonly deleteUpTo: Statement<[string, string, number], unknown>
  readonly plantBranch: Statement<
    [string, string, string, number, Uint8Array, number, Uint8Array, number, Uint8Array],
    unknown
  >
  readonly deleteBatches: Statement<[string], unknown>
  readonly deleteBranches: Statement<[string], unknown>
  readonly deleteCertificates: Statement<[string], unknown>
  readonly setPruned: Statement<[string, number, Uint8Array], unknown>
  readonly replaceBytes: Statement<[Uint8Array, number, string, string, number, number], unknown>
  readonly countReplacing: Statement<[string], unknown>
  readonly replacings: Statement<[string], string>
  readonly firstTag: Statement<[string, string, number, number], Uint8Array>
  readonly end: Statement<[string, string], { position: number; tag: Uint8Array }>
  readonly endPosition: Statement<[string, string], number>
  readonly tagAt: Statement<[string, number, string, number], Uint8Array>
  readonly nextOfBranch: Statement<[string, string, number], ArrivalRow>
  readonly batchById: Statement<[number], StoredRow>
  readonly batchesAfter: Statement<[string, number], StoredRow>
  readonly recordsFrom: Statement<[string, string], { key: string; value: Uint8Array }>
  readonly hasRecord: Statement<[string, string], number>
  readonly putRecord: Statement<[string, string, Uint8Array], unknown>
  readonly deleteRecord: Statement<[string, string], unknown>
  readonly savepoint: Statement<[], unknown>
  readonly release: Statement<[], unknown>
  readonly rollback: Statement<[], unknown>
  readonly dataVersion: Statement<[], number>
}

export const NEXT_OF_BRANCH = `SELECT branch, to_seq AS toSeq, id AS position FROM batch
  WHERE space = ? AND branch = ? AND to_seq > ? ORDER BY to_seq LIMIT 1`

export const RENAME_ABOVE = 'UPDATE batch SET branch = ? WHERE space = ? AND branch = ? AND to_seq > ?'

const BRANCH = 'branch, base, base_tag AS baseTag, seq, tag, floor, floor_tag AS floorTag'

const BATCH = `SELECT space, branch, from_seq AS fromSeq, to_seq AS toSeq, position, tag_after AS tagAfter,
  checksum, bytes
  FROM batch`

const prepare = <Bound extends unknown[], Row>(
  database: Database.Database,
  sql: string,
  isValueOnly = false,
): Statement<Bound, Row> => {
  const statement = database.prepare<unknown[], Row>(sql)
  // A statement that returns nothing has no `pluck`, not even with false.
  return (isValueOnly ? statement.pluck() : statement) as Statement<Bound, Row>
}

export const prepareStatements = (database: Database.Database): Statements => ({
  branches: prepare(database, `SELECT ${BRANCH} FROM branch WHERE space = ? AND device = ?`),
  branchesOf: prepare(database, `SELECT device, ${BRANCH} FROM branch WHERE space = ?`),
  tips: prepare(database, 'SELECT branch, seq, tag FROM branch WHERE space = ?'),
  highestSeq: prepare(database, 'SELECT ifnull(max(seq), 0) FROM branch WHERE space = ? AND device = ?', true),
  addBranch: prepare(
    database,
    'INSERT INTO branch (space, device, branch, base, base_tag, seq, tag) VALUES (?, ?, ?, ?, ?, ?, ?)',
  ),
  moveTip: prepare(database, 'UPDATE branch SET seq = ?, tag = ? WHERE space = ? AND device = ? AND branch = ?'),
  setFloor: prepare(
    database,
    'UPDATE branch SET floor = ?, floor_tag = ? WHERE space = ? AND device = ? AND branch = ?',
  ),
  removeBranch: prepare(database, 'DELETE FROM branch WHERE space = ? AND device = ? AND branch = ?'),
  renameAbove: prepare(database, RENAME_ABOVE),
  certificate: prepare(database, 'SELECT bytes FROM certificate WHERE space = ? AND device = ?', true),
  addCertificate: prepare(database, 'INSERT INTO certificate VALUES (?, ?, ?)'),
  boundaryTag: prepare(database, 'SELECT tag_after FROM batch WHERE space = ? AND branch = ? AND to_seq = ?', true),
  addBatch: prepare(
    database,
    `INSERT INTO batch (space, branch, from_seq, to_seq, position, first_tag, tag_after, checksum, bytes)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ),
  upTo: prepare(
    database,
    `SELECT count(*) AS batches, ifnull(sum(length(bytes)), 0) AS bytes FROM batch
     WHERE space = ? AND branch = ? AND to_seq <= ?`,
  ),
  positionOf: prepare(database, 'SELECT position FROM batch WHERE space = ? AND branch = ? AND to_seq = ?', true),
  deleteUpTo: prepare(database, 'DELETE FROM batch WHERE space = ? AND branch = ? AND to_seq <= ?'),
  plantBranch: prepare(
    database,
    `INSERT INTO branch (space, device, branch, base, base_tag, seq, tag, floor, floor_tag)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ),
  deleteBatches: prepare(database, 'DELETE FROM batch WHERE space = ?'),
  deleteBranches: prepare(database, 'DELETE FROM branch WHERE space = ?'),
  deleteCertificates: prepare(database, 'DELETE FROM certificate WHERE space = ?'),
  setPruned: prepare(
    database,
    `INSERT INTO pruned VALUES (?, ?, ?)
     ON CONFLICT (space) DO UPDATE SET position = excluded.position, tag = excluded.tag
     WHERE excluded.position > position`,
  ),
  replaceBytes: prepare(
    database,
    'UPDATE batch SET bytes = ?, checksum = ? WHERE space = ? AND branch = ? AND to_seq = ? AND from_seq = ?',
  ),
  // Of another process nothing else tells that bytes were replaced. Files of before have no such count: none.
  countReplacing: prepare(
    database,
    "INSERT INTO meta VALUES (?, '1') ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1",
  ),
  replacings: prepare(database, 'SELECT value FROM meta WHERE key = ?', true),
  firstTag: prepare(
    database,
    `SELECT first_tag FROM batch WHERE space = ? AND branch = ? AND to_seq > ? AND from_seq = ?
     ORDER BY to_seq LIMIT 1`,
    true,
  ),
  // The last batch may have been pruned.
  end: prepare(
    database,
    `SELECT * FROM (SELECT position, tag_after AS tag FROM batch WHERE space = ? ORDER BY position DESC LIMIT 1)
     UNION ALL SELECT position, tag FROM pruned WHERE space = ? ORDER BY position DESC LIMIT 1`,
  ),
  endPosition: prepare(
    database,
    `SELECT max(ifnull((SELECT max(position) FROM batch WHERE space = ?), 0),
       ifnull((SELECT position FROM pruned WHERE space = ?), 0))`,
    true,
  ),
  tagAt: prepare(
    database,
    `SELECT tag_after FROM batch WHERE space = ? AND position = ?
     UNION ALL SELECT tag FROM pruned WHERE space = ? AND position = ?`,
    true,
  ),
  nextOfBranch: prepare(database, NEXT_OF_BRANCH),
  batchById: prepare(database, `${BATCH} WHERE id = ?`),
  batchesAfter: prepare(database, `${BATCH} WHERE space = ? AND position > ? ORDER BY position`),
  recordsFrom: prepare(database, 'SELECT key, value FROM record WHERE space = ? AND key >= ? ORDER BY key'),
  hasRecord: prepare(database, 'SELECT 1 FROM record WHERE space = ? AND key = ?', true),
  putRecord: prepare(database, 'INSERT OR REPLACE INTO record VALUES (?, ?, ?)'),
  deleteRecord: prepare(database, 'DELETE FROM record WHERE space = ? AND key = ?'),
  savepoint: prepare(database, 'SAVEPOINT call'),
  release: prepare(database, 'RELEASE call'),
  rollback: prepare(database, 'ROLLBACK TO call'),
  dataVersion: prepare(database, 'PRAGMA data_version', true),
})
