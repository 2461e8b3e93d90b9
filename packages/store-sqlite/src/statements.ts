/** Every statement of the store, prepared once. */
import type { StoredRow } from '@driftlog/core'
import type Database from 'better-sqlite3'

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

export const NEXT_OF_DEVICE = `SELECT device, to_seq AS toSeq, id AS position FROM batch
  WHERE space = ? AND device = ? AND to_seq > ? ORDER BY to_seq LIMIT 1`

const BATCH = `SELECT space, device, from_seq AS fromSeq, to_seq AS toSeq, position, tag_after AS tagAfter, bytes
  FROM batch`

export const prepareStatements = (database: Database.Database) => ({
  tip: database.prepare<[string, string], TipRow>(
    'SELECT seq, tag, certificate FROM tip WHERE space = ? AND device = ?',
  ),
  tips: database.prepare<[string], { device: string; seq: number }>('SELECT device, seq FROM tip WHERE space = ?'),
  addTip: database.prepare<[string, string, number, Uint8Array, Uint8Array]>('INSERT INTO tip VALUES (?, ?, ?, ?, ?)'),
  moveTip: database.prepare<[number, Uint8Array, string, string]>(
    'UPDATE tip SET seq = ?, tag = ? WHERE space = ? AND device = ?',
  ),
  boundaryTag: database
    .prepare<[string, string, number], Uint8Array>(
      'SELECT tag_after FROM batch WHERE space = ? AND device = ? AND to_seq = ?',
    )
    .pluck(),
  addBatch: database.prepare<[string, string, number, number, number, Uint8Array, Uint8Array]>(
    'INSERT INTO batch (space, device, from_seq, to_seq, position, tag_after, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)',
  ),
  end: database.prepare<[string], { position: number; tag: Uint8Array }>(
    'SELECT position, tag_after AS tag FROM batch WHERE space = ? ORDER BY position DESC LIMIT 1',
  ),
  endPosition: database.prepare<[string], number>('SELECT ifnull(max(position), 0) FROM batch WHERE space = ?').pluck(),
  tagAt: database
    .prepare<[string, number], Uint8Array>('SELECT tag_after FROM batch WHERE space = ? AND position = ?')
    .pluck(),
  nextOfDevice: database.prepare<[string, string, number], ArrivalRow>(NEXT_OF_DEVICE),
  batchById: database.prepare<[number], StoredRow>(`${BATCH} WHERE id = ?`),
  batchesAfter: database.prepare<[string, number], StoredRow>(
    `${BATCH} WHERE space = ? AND position > ? ORDER BY position`,
  ),
  recordsFrom: database.prepare<[string, string], { key: string; value: Uint8Array }>(
    'SELECT key, value FROM record WHERE space = ? AND key >= ? ORDER BY key',
  ),
  putRecord: database.prepare<[string, string, Uint8Array]>('INSERT OR REPLACE INTO record VALUES (?, ?, ?)'),
  deleteRecord: database.prepare<[string, string]>('DELETE FROM record WHERE space = ? AND key = ?'),
  savepoint: database.prepare('SAVEPOINT call'),
  release: database.prepare('RELEASE call'),
  rollback: database.prepare('ROLLBACK TO call'),
  dataVersion: database.prepare<[], number>('PRAGMA data_version').pluck(),
})

export type Statements = ReturnType<typeof prepareStatements>
