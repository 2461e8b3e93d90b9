import type { Shown } from '../../schema/kinds/kind.ts'

/**
 * How the tables read the rows of one table of the cells: functions of a row, so that nothing is allocated per row.
 */
export interface RowReader<R> {
  /** A positive safe integer; stable, and no other row of the table has it. */
  number(row: R): number
  id(row: R): string
  /** Whether the row is shown, under the table's delete law. */
  isLive(row: R): boolean
  /**
   * What the cell of a field holds under the law that the field shows: a register's chosen value, a counter's total;
   * undefined where nothing was written. `field` is an index into `Object.values(table.fields)`.
   */
  value(row: R, field: number): Shown | undefined
  /** Milliseconds since the Unix epoch. Asked for live rows only, as all below. */
  createdAtMs(row: R): number
  createdBy(row: R): string
  updatedAtMs(row: R): number
}

/** Rows of one table that changed since they were last flushed. */
export interface DirtyRows<R> {
  readonly table: string
  readonly rows: readonly R[]
  readonly reader: RowReader<R>
}
