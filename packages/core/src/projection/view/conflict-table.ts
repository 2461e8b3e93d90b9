/**
 * The table `_conflicts` (SPEC CONF5): conflicts that are there now and the newest that were settled, for the query builder. It is
 * brought up to date when a query reads it.
 */
import { f, type Json } from '../../schema/f.ts'
import type { InferRow, TypedTable } from '../../schema/infer.ts'
import { canonicalJson, encodeJson } from '../../schema/kinds/json.ts'
import type { Shown } from '../../schema/kinds/kind.ts'
import { type Schema, systemTable } from '../../schema/schema.ts'
import type { RowReader } from '../tables/row-reader.ts'
import type { DirtyRows } from '../tables/tables.ts'
import type { Conflict } from './conflict.ts'
import type { SchemaView } from './schema-view.ts'

export const CONFLICTS = '_conflicts'

/** A candidate as JSON has it: dates as ISO text. */
export interface CandidateJson {
  readonly value: Json
  readonly author: string
  readonly at: string
  readonly seen: { readonly [device: string]: number }
}

const fields = {
  kind: f.enum('field', 'row', 'unique'),
  /** Named as in `Conflict`, but for the table: `table` is a word of SQL. */
  tableName: f.string(),
  rowId: f.string(),
  field: f.string().optional(),
  part: f.json().optional(),
  status: f.enum('open', 'by-rule', 'settled'),
  rule: f.string(),
  candidates: f.json<readonly CandidateJson[]>(),
  outcome: f.json(),
  /** See `Conflict.error`. */
  errorCode: f.string().optional(),
  error: f.string().optional(),
  settledBy: f.string().optional(),
  settledAt: f.date().optional(),
  reason: f.string().optional(),
}

const table = systemTable(CONFLICTS, fields, [['status'], ['tableName', 'rowId']])

/** A row of `_conflicts`. Its `createdAt` and `createdBy` are of the first candidate, its `updatedAt` of the last or of who settled it. */
export type ConflictRow = InferRow<TypedTable<typeof fields>>

/** The schema with the tables that every replica has. */
export const withSystemTables = (schema: Schema): Schema => ({
  ...schema,
  tables: { ...schema.tables, [CONFLICTS]: table },
})

const valuesOf = (conflict: Conflict): Record<string, unknown> => ({
  ...conflict,
  tableName: conflict.table,
  part: toJson(conflict.part),
  candidates: conflict.candidates.map(({ value, author, at, seen }) => ({
    value: toJson(value),
    author,
    at: at.toISOString(),
    seen: Object.fromEntries(seen),
  })),
  outcome: toJson(conflict.outcome),
  errorCode: conflict.error?.code,
  error: conflict.error?.message,
  settledAt: conflict.settledAt?.getTime(),
})

/** Dates become ISO text, and what is not there null. */
const toJson = (value: unknown): Json => (value === undefined ? null : (JSON.parse(JSON.stringify(value)) as Json))

const names = Object.keys(fields)

interface Filed {
  readonly conflict: Conflict
  /** Equal for equal records. */
  readonly text: string
  readonly isGone: boolean
}

export class ConflictTable {
  readonly #numbers = new Map<string, number>()
  #rows = new Map<string, Filed>()
  #version = -1

  /** What of the table is not as it was when this was last asked. */
  takeDirtyRows(view: SchemaView): DirtyRows<unknown>[] {
    view.refresh()
    if (view.version === this.#version) return []
    this.#version = view.version
    const dirty: Filed[] = []
    const rows = new Map<string, Filed>()
    for (const conflict of [...view.settled(), ...view.conflicts()]) {
      const text = canonicalJson(encodeJson(toJson(valuesOf(conflict))))
      const before = this.#rows.get(conflict.id)
      const row: Filed = before?.text === text ? before : { conflict, text, isGone: false }
      rows.set(conflict.id, row)
      if (row !== before) dirty.push(row)
    }
    for (const [id, row] of this.#rows) if (!rows.has(id)) dirty.push({ ...row, isGone: true })
    this.#rows = rows
    return dirty.length === 0 ? [] : [{ table: CONFLICTS, rows: dirty, reader: this.#reader as RowReader<unknown> }]
  }

  /** The table has to be made anew. */
  reset(): void {
    this.#version = -1
    this.#rows.clear()
  }

  readonly #reader: RowReader<Filed> = {
    number: ({ conflict: { id } }) => {
      const number = this.#numbers.get(id) ?? this.#numbers.size + 1
      this.#numbers.set(id, number)
      return number
    },
    id: ({ conflict }) => conflict.id,
    isLive: ({ isGone }) => !isGone,
    value: ({ conflict }, field) => valuesOf(conflict)[names[field]] as Shown | undefined,
    createdAtMs: ({ conflict: { candidates } }) => candidates[0].at.getTime(),
    createdBy: ({ conflict: { candidates } }) => candidates[0].author,
    updatedAtMs: ({ conflict: { candidates, settledAt } }) =>
      (settledAt ?? candidates[candidates.length - 1].at).getTime(),
  }
}
