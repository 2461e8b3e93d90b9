/** Who wrote what, and who won: per row and field, as data and as text. */
import {
  type CellState,
  type Conflict,
  decodeField,
  type DeleteLaw,
  type Field,
  ruleOf,
  type Schema,
  SchemaView,
  type Table,
} from '@driftlog/core'
import type { Author, History, Row } from './history.ts'
import { textOfReport } from './report-text.ts'

export interface WrittenValue {
  readonly value: unknown
  readonly by: Author
}

/** What one device added to a counter, in all. */
export interface Contribution {
  readonly device: string
  readonly sum: number
  readonly times: number
}

export interface FieldReport {
  readonly field: string
  /** What is shown. */
  readonly value: unknown
  /** Who wrote the shown value; undefined for counters and where nobody did. */
  readonly winner: Author | undefined
  /** Concurrent values that are kept and not shown, the latest first. */
  readonly others: readonly WrittenValue[]
  /** What chose between several values; undefined where there was one. */
  readonly rule: string | undefined
  /** Who changed a field with a law of its own: a set, a list, JSON under deep merge; empty for other fields. */
  readonly writers: readonly string[]
  /** Of a counter, by device; empty for other fields. */
  readonly contributions: readonly Contribution[]
}

/** A conflict that waits for a person, or that one decided. */
export interface DecisionReport {
  /** undefined for the row as a whole. */
  readonly field: string | undefined
  readonly status: 'open' | 'settled'
  readonly rule: string
  readonly candidates: readonly { readonly value: unknown; readonly device: string }[]
  readonly outcome: unknown
  /** Who decided, and why; undefined where it is open. */
  readonly settledBy: string | undefined
  readonly reason: string | undefined
}

export interface RowChange {
  readonly by: Author
  /** What it changed; empty for an insert of defaults alone. */
  readonly fields: readonly string[]
}

export interface RowReport {
  readonly table: string
  readonly id: string
  readonly isLive: boolean
  /** What the table does where a deletion meets a change that it did not know of. */
  readonly onDelete: DeleteLaw
  /** Deletions that count, and the changes that they did not know of. */
  readonly deletions: readonly Author[]
  readonly survivors: readonly RowChange[]
  /** Whether devices disagreed: several values of a field, or a deletion against a change. */
  readonly isConflict: boolean
  /** Those settled first. */
  readonly decisions: readonly DecisionReport[]
  readonly fields: readonly FieldReport[]
}

export interface Report {
  /** In the order of the schema's tables; inside, in the order in which the rows were first written. */
  readonly rows: readonly RowReport[]
  /** Those of them about which devices disagree. */
  readonly conflicts: readonly RowReport[]
  /** Of all rows. Equal for equal scenarios. */
  readonly text: string
  toString(): string
}

export const reportOf = (schema: Schema, history: History): Report => {
  // Brought up to date from the start: it tells of conflicts too.
  const view = new SchemaView(schema, history.cells)
  view.refresh()
  const rows = Object.values(schema.tables).flatMap((table) =>
    rowsOf(history.cells, table.name).map((row) => rowReport(history, view, row, table)),
  )
  const text = textOfReport(rows)
  return { rows, conflicts: rows.filter(({ isConflict }) => isConflict), text, toString: () => text }
}

const rowsOf = (cells: CellState, table: string): Row[] =>
  [...cells.table(table).rows.values()].toSorted((a, b) =>
    a.created === 0 || b.created === 0 ? a.created - b.created : cells.ops.compare(a.created, b.created),
  )

const rowReport = (history: History, view: SchemaView, row: Row, table: Table): RowReport => {
  const { onDelete } = table
  const reports = Object.values(table.fields).map((field) => fieldReport(history, view, row, field))
  const deletions = latestFirst(
    row.deletes.map((ref) => history.authorOf(ref)),
    (by) => by,
  )
  const changes = row.touches.map((ref) => ({ by: history.authorOf(ref), fields: history.changed(row, ref) }))
  const survivors = deletions.length === 0 ? [] : latestFirst(changes, ({ by }) => by)
  return {
    table: row.table.name,
    id: row.id,
    isLive: view.isShown(row, table),
    onDelete,
    deletions,
    survivors,
    decisions: decisionsOf(history, view, row),
    isConflict: survivors.length > 0 || reports.some(({ others }) => others.length > 0),
    fields: reports,
  }
}

const fieldReport = (history: History, view: SchemaView, row: Row, field: Field): FieldReport => {
  const value = decodeField(field, view.value(row, field))
  const fieldView = view.field(field.table, field.name)!
  const writes = fieldView.writes(row)
  // A function of the app's may have made a value of its own: then none of them is shown.
  const choice = writes.length > 1 ? fieldView.choice(writes) : undefined
  const shown = choice === undefined ? writes[0]?.ref : choice.shown?.ref
  const written = (write: (typeof writes)[number]): WrittenValue => ({
    value: decodeField(field, write.value),
    by: history.authorOf(write.ref),
  })
  const winner = writes.find(({ ref }) => ref === shown)
  const others = writes
    .filter((write) => write !== winner)
    .map(written)
    .toReversed()
  const contributions = field.kind === 'counter' ? contributionsTo(history, row, field.name) : []
  const isComposed = writes.length === 0 && field.kind !== 'counter'
  return {
    field: field.name,
    value,
    winner: winner && written(winner).by,
    others,
    rule: choice && ruleOf(field.strategy),
    writers: isComposed ? history.writers(row, field.name) : [],
    contributions,
  }
}

const decisionsOf = (history: History, view: SchemaView, row: Row): DecisionReport[] => {
  // Which rule decided by itself stands with the field.
  const told = [
    ...view.settled().filter(({ reason }) => reason !== undefined),
    ...view.conflicts().filter(({ status }) => status === 'open'),
  ]
  return told
    .filter(({ table, rowId }) => table === row.table.name && rowId === row.id)
    .map(({ field, status, rule, candidates, outcome, settledBy, reason }: Conflict) => ({
      field,
      status: status === 'settled' ? 'settled' : 'open',
      rule,
      candidates: candidates.map(({ value, author }) => ({ value, device: history.nameOf(author) })),
      outcome,
      settledBy: settledBy && history.nameOf(settledBy),
      reason,
    }))
}

const contributionsTo = (history: History, row: Row, field: string): Contribution[] => {
  const byDevice = new Map<string, Contribution>()
  for (const { field: changed, by, author } of history.increments(row)) {
    if (changed !== field) continue
    const { device } = author
    const { sum, times } = byDevice.get(device) ?? { sum: 0, times: 0 }
    byDevice.set(device, { device, sum: sum + by, times: times + 1 })
  }
  return [...byDevice.values()].toSorted((a, b) => (a.device < b.device ? -1 : 1))
}

const latestFirst = <T>(items: readonly T[], by: (item: T) => Author): T[] =>
  items.toSorted((a, b) => by(b).clock.getTime() - by(a).clock.getTime() || (by(a).device < by(b).device ? -1 : 1))
