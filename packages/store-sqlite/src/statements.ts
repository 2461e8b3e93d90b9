/** Every statement of the store, prepared once. */
import type { StoredRow } from '@driftlog/core'
import type Database from 'better-sqlite3'

type Statement<Bound extends unknown[], Row> = Database.Statement<Bound, Row>

export interface TipRow {
  readonly seq: number
  readonly tag: Uint8Array
  readonly certificate: Uint8Array
}

/** A batch in the arrival order over all spaces: see `id` in the schema. */
export interface ArrivalRow {
  readonly device: string
  readonly toSeq: number
  readonly position: number
}

export interface Statements {
  readonly tip: Statement<[string, string], TipRow>
  readonly tips: Statement<[string], { device: string; seq: number }>
  readonly addTip: Statement<[string, string, number, Uint8Array, Uint8Array], unknown>
  readonly moveTip: Statement<[number, Uint8Array, string, string], unknown>
  readonly boundaryTag: Statement<[string, string, number], Uint8Array>
  readonly addBatch: Statement<[string, string, number, number, number, Uint8Array, Uint8Array], unknown>
  readonly end: Statement<[string], { position: number; tag: Uint8Array }>
  readonly endPosition: Statement<[string], number>
  readonly tagAt: Statement<[string, number], Uint8Array>
  readonly nextOfDevice: Statement<[string, string, number], ArrivalRow>
  readonly batchById: Statement<[number], StoredRow>
  readonly batchesAfter: Statement<[string, number], StoredRow>
  readonly recordsFrom: Statement<[string, string], { key: string; value: Uint8Array }>
  readonly putRecord: Statement<[string, string, Uint8Array], unknown>
  readonly deleteRecord: Statement<[string, string], unknown>
  readonly savepoint: Statement<[], unknown>
  readonly release: Statement<[], unknown>
  readonly rollback: Statement<[], unknown>
  readonly dataVersion: Statement<[], number>
}

export const NEXT_OF_DEVICE = `SELECT device, to_seq AS toSeq, id AS position FROM batch
  WHERE space = ? AND device = ? AND to_seq > ? ORDER BY to_seq LIMIT 1`

const BATCH = `SELECT space, device, from_seq AS fromSeq, to_seq AS toSeq, position, tag_after AS tagAfter, bytes
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
  tip: prepare(database, 'SELECT seq, tag, certificate FROM tip WHERE space = ? AND device = ?'),
  tips: prepare(database, 'SELECT device, seq FROM tip WHERE space = ?'),
  addTip: prepare(database, 'INSERT INTO tip VALUES (?, ?, ?, ?, ?)'),
  moveTip: prepare(database, 'UPDATE tip SET seq = ?, tag = ? WHERE space = ? AND device = ?'),
  boundaryTag: prepare(database, 'SELECT tag_after FROM batch WHERE space = ? AND device = ? AND to_seq = ?', true),
  addBatch: prepare(
    database,
    'INSERT INTO batch (space, device, from_seq, to_seq, position, tag_after, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)',
  ),
  end: prepare(database, 'SELECT position, tag_after AS tag FROM batch WHERE space = ? ORDER BY position DESC LIMIT 1'),
  endPosition: prepare(database, 'SELECT ifnull(max(position), 0) FROM batch WHERE space = ?', true),
  tagAt: prepare(database, 'SELECT tag_after FROM batch WHERE space = ? AND position = ?', true),
  nextOfDevice: prepare(database, NEXT_OF_DEVICE),
  batchById: prepare(database, `${BATCH} WHERE id = ?`),
  batchesAfter: prepare(database, `${BATCH} WHERE space = ? AND position > ? ORDER BY position`),
  recordsFrom: prepare(database, 'SELECT key, value FROM record WHERE space = ? AND key >= ? ORDER BY key'),
  putRecord: prepare(database, 'INSERT OR REPLACE INTO record VALUES (?, ?, ?)'),
  deleteRecord: prepare(database, 'DELETE FROM record WHERE space = ? AND key = ?'),
  savepoint: prepare(database, 'SAVEPOINT call'),
  release: prepare(database, 'RELEASE call'),
  rollback: prepare(database, 'ROLLBACK TO call'),
  dataVersion: prepare(database, 'PRAGMA data_version', true),
})
