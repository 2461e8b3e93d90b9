import { type Life } from '../laws/life.ts'
import type { CounterTotal } from '../laws/counter.ts'
import type { Value } from '../op/value.ts'
import type { DotRef } from '../op/dot-ref.ts'

/** One of several concurrent writes of a register. */
export interface Write {
  readonly ref: DotRef
  readonly value: Value
  /** The value stands for several candidates (see laws/reopened). */
  readonly isReopened?: boolean
}

/** A field of a table under one law: what a cell of each row is filed under. */
export interface Column {
  readonly law: number
  /** The field, or a path of keys in its JSON. */
  readonly path: readonly string[]
}

/**
 * A row and its cells. The cells lie in two arrays by column index: a register with one write has it in `values` and
 * `refs`; one with several, or with one that stands for several, has `SIBLINGS` in `refs` and its writes, sorted by total
 * order, in `values`; a counter has its total in `values` and `COUNTED` in `refs`; a cell of several registers (a set, a list,
 * JSON under deep merge) has its state in `values` and `COMPOSED` in `refs`.
 */
export interface Row extends Life {
  readonly table: TableCells
  readonly id: string
  /** Stable in this replica, from 1: the row's key in SQL. */
  number: number
  values: (Value | CounterTotal | Write[] | object | undefined)[]
  refs: DotRef[]
  /** The first and the last change to the row in total order; 0 where there is none. */
  created: DotRef
  updated: DotRef
  /** Who introduced the row first, as far as this replica projected: how a later op names it. -1: nobody yet. */
  introducer: number
  ordinal: number
  /** The first erasure in total order (CELL6); 0: none. An erased row has no life and no cells. */
  erased: DotRef
  /** Changed since the tables were last brought up to date. */
  dirty: boolean
  /** In the list of what the tables of SQL have to be told. */
  untold: boolean
  /** Not counted in the digest's sum at the moment. */
  undigested: boolean
}

export const SIBLINGS = -1
export const COUNTED = -2
export const COMPOSED = -3
export const ABSENT = 0

export interface TableCells {
  readonly name: string
  readonly columns: Column[]
  /** `columnKey` → index into `columns`. */
  readonly columnIndexes: Map<string, number>
  readonly rows: Map<string, Row>
  dirty: Row[]
  /** What the cells of a row begin as: an absent one for each column. */
  readonly absentValues: undefined[]
  readonly absentRefs: DotRef[]
}

/** Rows of tables with more columns begin with none: most may stay empty. */
const MAX_COLUMNS_AT_ONCE = 16

/** Injective for any names: a remote op may name a field as it likes, and two cells under one key would never come apart. */
export const columnKey = (law: number, path: readonly string[]): string =>
  path.length === 1 ? `${law}:${path[0]}` : `${law}/${JSON.stringify(path)}`

export const createTable = (name: string): TableCells => ({
  name,
  columns: [],
  columnIndexes: new Map(),
  rows: new Map(),
  dirty: [],
  absentValues: [],
  absentRefs: [],
})

export const columnIndex = (table: TableCells, law: number, path: readonly string[]): number => {
  const key = columnKey(law, path)
  let index = table.columnIndexes.get(key)
  if (index === undefined) {
    index = table.columns.push({ law, path }) - 1
    table.columnIndexes.set(key, index)
    if (index < MAX_COLUMNS_AT_ONCE) {
      table.absentValues.push(undefined)
      table.absentRefs.push(ABSENT)
    }
  }
  return index
}
