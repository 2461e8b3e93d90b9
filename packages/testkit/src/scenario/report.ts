/** Who wrote what, and who won: per row and field, as data and as text. */
import {
  type CellState,
  decodeField,
  type DeleteLaw,
  type Field,
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
  /** Of a counter, by device; empty for other fields. */
  readonly contributions: readonly Contribution[]
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
  const view = SchemaView.beside(schema, history.cells)
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
    isConflict: survivors.length > 0 || reports.some(({ others }) => others.length > 0),
    fields: reports,
  }
}

const fieldReport = (history: History, view: SchemaView, row: Row, field: Field): FieldReport => {
  const value = decodeField(field, view.value(row, field))
  const fieldView = view.field(field.table, field.name)!
  const shown = fieldView.shownRef(row)
  const writes = fieldView.writes(row)
  // The one that is shown is the last here, whatever the strategy.
  const [winner, ...others] = [
    ...writes.filter(({ ref }) => ref !== shown),
    ...writes.filter(({ ref }) => ref === shown),
  ]
    .map((write) => ({ value: decodeField(field, write.value), by: history.authorOf(write.ref) }))
    .toReversed()
  const contributions = field.kind === 'counter' ? contributionsTo(history, row, field.name) : []
  return { field: field.name, value, winner: winner?.by, others, contributions }
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
