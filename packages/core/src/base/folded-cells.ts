/** The cells of a projection as a base has them: in an order that follows from ids and dots alone. */
import type { CellState } from '../cells/cell-state.ts'
import type { OpIndex } from '../cells/ops.ts'
import { ABSENT, type Column, type Row, type TableCells } from '../cells/row.ts'
import type { BaseRow, BaseSettled, BaseTable } from './base.ts'

type FoldedRow = BaseRow & { readonly row: Row }
export type FoldedTable = BaseTable & { readonly rows: readonly FoldedRow[] }

export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const compareColumns = (a: Column, b: Column): number => {
  if (a.law !== b.law) return a.law - b.law
  const at = a.path.findIndex((key, depth) => key !== b.path[depth])
  return at < 0 ? a.path.length - b.path.length : compareText(a.path[at], b.path[at] ?? '')
}

export const tablesOf = (rows: ReadonlySet<Row>, ops: OpIndex): FoldedTable[] => {
  const tables = [...Map.groupBy(rows, ({ table }) => table)]
  tables.sort(([{ name: a }], [{ name: b }]) => compareText(a, b))
  return tables.map(([table, own]) => tableOf(table, own, ops))
}

const tableOf = ({ name, columns }: TableCells, rows: readonly Row[], ops: OpIndex): FoldedTable => {
  const used = new Set<number>()
  for (const { refs } of rows) refs.forEach((ref, column) => ref !== ABSENT && used.add(column))
  const order = [...used].sort((a, b) => compareColumns(columns[a], columns[b]))
  const folded = rows
    .toSorted((a, b) => compareText(a.id, b.id))
    .map((row): FoldedRow => {
      const { id, erased, created, updated } = row
      const [touches, deletes] = [row.touches, row.deletes].map((refs) => refs.toSorted((a, b) => ops.compare(a, b)))
      const saw = touches.flatMap((touch) => deletes.map((removal) => ops.saw(touch, removal)))
      const refs = order.map((column) => row.refs[column] ?? ABSENT)
      const values = order.map((column) => row.values[column])
      return { row, id, erased, created, updated, touches, deletes, saw, refs, values }
    })
  return { name, columns: order.map((column) => columns[column]), rows: folded }
}

export const settledOf = (cells: CellState, rowPlaces: ReadonlyMap<Row, number>): BaseSettled[] =>
  cells.settled.newest().map(({ row, ...one }) => {
    const at = { row: rowPlaces.get(row)! }
    return one.column === undefined ? { ...one, ...at } : { ...one, ...at, column: row.table.columns[one.column] }
  })
