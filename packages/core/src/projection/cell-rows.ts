/** From the cells to the tables: which cell a field shows, and what of a row comes from its stamps. */
import { type CellState, latestValue } from '../cells/cell-state.ts'
import { type OpIndex } from '../cells/ops.ts'
import { deviceOfRef } from '../op/dot-ref.ts'
import { columnIndex, type Row, type TableCells } from '../cells/row.ts'
import { hlcToMs } from '../clock/hlc.ts'
import { isLive } from '../laws/life.ts'
import { lawOf } from '../schema/encode.ts'
import type { Schema, Table } from '../schema/schema.ts'
import type { RowReader } from './tables/row-reader.ts'
import type { DirtyRows } from './tables/tables.ts'

const cellReader = (ops: OpIndex, cells: TableCells, table: Table): RowReader<Row> => {
  const columns = Object.values(table.fields).map((field) => columnIndex(cells, lawOf(field), [field.name]))
  return {
    number: (row) => row.number,
    id: (row) => row.id,
    isLive: (row) => isLive(row, table.onDelete),
    value: (row, field) => latestValue(row, columns[field]),
    createdAtMs: (row) => hlcToMs(ops.stamp(row.created)),
    createdBy: (row) => ops.authorId(deviceOfRef(row.created)),
    updatedAtMs: (row) => hlcToMs(ops.stamp(row.updated)),
  }
}

/** What `flush` takes, from the cells: their rows that changed since this was last called. Tells them once. */
export const takeDirtyRows = (cells: CellState, schema: Schema): DirtyRows<Row>[] => {
  const dirty: DirtyRows<Row>[] = []
  for (const [table, rows] of cells.takeDirty()) {
    if (!Object.hasOwn(schema.tables, table.name)) continue
    dirty.push({ table: table.name, rows, reader: cellReader(cells.ops, table, schema.tables[table.name]) })
  }
  return dirty
}
