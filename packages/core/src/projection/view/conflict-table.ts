/**
 * The table `_conflicts` (SPEC CONF5): conflicts that are there now and the newest that were settled, for the query builder. It is
 * brought up to date when a query reads it.
 */
import { f, type Json } from '../../schema/f.ts'
import type { InferRow, TypedTable } from '../../schema/infer.ts'
import type { Shown } from '../../schema/kinds/kind.ts'
import { type Schema, systemTable } from '../../schema/schema.ts'
import type { DirtyRows, RowReader } from '../tables/row-reader.ts'
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

/** Dates become ISO text, and what is not there null. Total: a record may be larger and nest deeper than what can be written. */
const toJson = (value: unknown): Json => (value === undefined ? null : (JSON.parse(JSON.stringify(value)) as Json))

const names = Object.keys(fields)

interface Filed {
  readonly conflict: Conflict
  readonly isGone: boolean
}

/**
 * Invariant: `#rows` is what was last told, of the version `#version` of the view `#view`; a record of the view that did not change
 * is the same object.
 */
export class ConflictTable {
  readonly #numbers = new Map<string, number>()
  #rows = new Map<string, Filed>()
  #view: SchemaView | undefined
  #version = -1
  /** A row is read field by field. */
  #read: { readonly conflict: Conflict; readonly values: Record<string, unknown> } | undefined

  /** What of the table is not as it was when this was last asked. */
  takeDirtyRows(view: SchemaView): DirtyRows<unknown>[] {
    view.refresh()
    const { version } = view
    if (view === this.#view && version === this.#version) return []
    // Of a row that is erased nothing is to be kept.
    this.#read = undefined
    const dirty: Filed[] = []
    const rows = new Map<string, Filed>()
    for (const conflicts of [view.settled(), view.conflicts()]) {
      for (const conflict of conflicts) {
        // One op may settle a thing twice, if its author is odd.
        if (rows.has(conflict.id)) continue
        const before = this.#rows.get(conflict.id)
        const row = before?.conflict === conflict ? before : { conflict, isGone: false }
        rows.set(conflict.id, row)
        if (row !== before) dirty.push(row)
      }
    }
    for (const [id, row] of this.#rows) if (!rows.has(id)) dirty.push({ ...row, isGone: true })
    this.#rows = rows
    this.#view = view
    this.#version = version
    return dirty.length === 0 ? [] : [{ table: CONFLICTS, rows: dirty, reader: this.#reader as RowReader<unknown> }]
  }

  #valuesOf(conflict: Conflict): Record<string, unknown> {
    if (this.#read?.conflict !== conflict) this.#read = { conflict, values: valuesOf(conflict) }
    return this.#read.values
  }

  /** The table has to be made anew. */
  reset(): void {
    this.#view = undefined
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
    value: ({ conflict }, field) => this.#valuesOf(conflict)[names[field]] as Shown | undefined,
    createdAtMs: ({ conflict: { candidates } }) => candidates[0].at.getTime(),
    createdBy: ({ conflict: { candidates } }) => candidates[0].author,
    updatedAtMs: ({ conflict: { candidates, settledAt } }) =>
      (settledAt ?? candidates[candidates.length - 1].at).getTime(),
  }
}
