/**
 * The schema-free state under all projections (SPEC CELL): rows and their cells, for unknown tables and fields too.
 *
 * Invariants:
 * - ops are applied in a causal order, each once; any such order ends in the same cells;
 * - `conflicts` counts the registers that hold more than one concurrent value now.
 */
import type { SeenVector } from '../clock/seen.ts'
import { addToCounter, type CounterTotal } from '../laws/counter.ts'
import * as life from '../laws/life.ts'
import { Law } from '../op/law.ts'
import type { Value } from '../op/value.ts'
import type { Dot } from '../clock/dot.ts'
import { CellDigest } from './digest.ts'
import { type OpIndex, sees } from './ops.ts'
import { type DotRef } from '../op/dot-ref.ts'
import { ABSENT, columnIndex, COUNTED, createTable, type Row, SIBLINGS, type TableCells, type Write } from './row.ts'

const NO_REFS: DotRef[] = []

/** The op whose changes are being applied. */
export interface Applied {
  readonly ref: DotRef
  readonly device: number
  readonly seq: number
  readonly seen: SeenVector
}

export class CellState {
  readonly ops: OpIndex
  readonly #tables = new Map<string, TableCells>()
  readonly #digest: CellDigest
  /** Shared with the state of which this one takes the place: no number stands for two rows. */
  readonly #rowNumbers: { last: number }
  #before: CellState | undefined
  /** Registers with more than one concurrent value. */
  conflicts = 0

  /** `before`: a state of which this one takes the place; rows keep their numbers. */
  constructor(ops: OpIndex, before?: CellState) {
    this.ops = ops
    this.#digest = new CellDigest(ops)
    this.#before = before
    this.#rowNumbers = before === undefined ? { last: 0 } : before.#rowNumbers
  }

  /**
   * Nothing more happens to the state of which this one takes the place: every row that it had is here too, under its number.
   * One that is nothing here shows as gone.
   */
  takeOver(before: CellState): void {
    this.#before = undefined
    for (const { name, rows } of before.tables()) {
      const table = this.table(name)
      for (const { id, number } of rows.values()) {
        const row = this.row(table, id)
        row.number = number
        if (row.dirty) continue
        row.dirty = true
        table.dirty.push(row)
      }
    }
  }

  table(name: string): TableCells {
    let table = this.#tables.get(name)
    if (table === undefined) {
      table = createTable(name)
      this.#tables.set(name, table)
    }
    return table
  }

  tables(): IterableIterator<TableCells> {
    return this.#tables.values()
  }

  /** The row of this id, made (without life or cells) where it is not known. */
  row(table: TableCells, id: string): Row {
    let row = table.rows.get(id)
    if (row === undefined) {
      row = {
        table,
        id,
        number: this.#before?.table(table.name).rows.get(id)?.number ?? ++this.#rowNumbers.last,
        values: [],
        refs: [],
        touches: NO_REFS,
        deletes: NO_REFS,
        created: ABSENT,
        updated: ABSENT,
        introducer: -1,
        ordinal: 0,
        dirty: false,
        undigested: false,
      }
      table.rows.set(id, row)
    }
    return row
  }

  /** Applies one change of an op that is not void. `over`: exactly what a `set` replaces, else all that the op saw. */
  apply(row: Row, law: number, column: number, value: Value, op: Applied, over: readonly Dot[] | undefined): void {
    this.#digest.beforeChange(row)
    if (!row.dirty) {
      row.dirty = true
      row.table.dirty.push(row)
    }
    const isSeen = (ref: DotRef): boolean => sees(op.seen, op.device, op.seq, ref)
    if (law === Law.delete) {
      life.remove(row, op.ref, isSeen)
      return
    }
    // Once an op: an insert brings a change for each field.
    if (row.updated !== op.ref) this.#mark(row, op.ref)
    if (law === Law.insert) {
      life.insert(row, op.ref, isSeen)
      return
    }
    life.touch(row, op.ref, isSeen)
    // Rows fill their columns in any order; entries before the first write of a later column are absent, never holes.
    while (row.refs.length <= column) {
      row.refs.push(ABSENT)
      row.values.push(undefined)
    }
    if (law === Law.increment) {
      row.values[column] = addToCounter((row.values[column] as CounterTotal | undefined) ?? 0, value as number)
      row.refs[column] = COUNTED
    } else {
      this.#write(row, column, value, op.ref, over === undefined ? isSeen : this.#named(over, op.ref))
    }
  }

  #mark(row: Row, ref: DotRef): void {
    if (row.created === ABSENT || this.ops.compare(ref, row.created) < 0) row.created = ref
    if (row.updated === ABSENT || this.ops.compare(ref, row.updated) > 0) row.updated = ref
  }

  #named(over: readonly Dot[], own: DotRef): (ref: DotRef) => boolean {
    const refs = new Set(over.map((dot) => this.ops.refOf(dot)))
    return (ref) => ref === own || refs.has(ref)
  }

  #write(row: Row, column: number, value: Value, ref: DotRef, replaces: (ref: DotRef) => boolean): void {
    const current = row.refs[column]
    if (current !== SIBLINGS) {
      if (current === ABSENT || replaces(current)) {
        row.refs[column] = ref
        row.values[column] = value
        return
      }
      this.#setSiblings(row, column, [{ ref: current, value: row.values[column] as Value }], { ref, value })
      return
    }
    const rest = (row.values[column] as Write[]).filter((write) => !replaces(write.ref))
    this.conflicts--
    if (rest.length === 0) {
      row.refs[column] = ref
      row.values[column] = value
    } else {
      this.#setSiblings(row, column, rest, { ref, value })
    }
  }

  /** `others`: by rising total order, and this register's alone. Thousands of devices may write one field: no sorting. */
  #setSiblings(row: Row, column: number, others: Write[], write: Write): void {
    let low = 0
    let high = others.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.ops.compare(others[middle].ref, write.ref) < 0) low = middle + 1
      else high = middle
    }
    others.splice(low, 0, write)
    this.conflicts++
    row.refs[column] = SIBLINGS
    row.values[column] = others
  }

  /** Rows changed since the last call, by table. They are told once. */
  takeDirty(): Map<TableCells, Row[]> {
    const dirty = new Map<TableCells, Row[]>()
    for (const table of this.#tables.values()) {
      if (table.dirty.length === 0) continue
      for (const row of table.dirty) row.dirty = false
      dirty.set(table, table.dirty)
      table.dirty = []
    }
    return dirty
  }

  /** For a projection that has to start again. */
  markAllDirty(): void {
    for (const table of this.#tables.values()) {
      table.dirty = [...table.rows.values()]
      for (const row of table.dirty) row.dirty = true
    }
  }

  /** The digest over all cells: 64 bytes, equal on every replica that has projected the same vector (CELL7). */
  digest(): Uint8Array {
    return this.#digest.current(this.#tables.values())
  }
}

/** The concurrent writes of a register, by rising total order; empty where it was never written. */
export const writesOf = (row: Row, law: number, path: readonly string[]): readonly Write[] => {
  const column = columnIndex(row.table, law, path)
  const ref = row.refs[column] ?? ABSENT
  if (ref === ABSENT || ref === COUNTED) return []
  return ref === SIBLINGS ? (row.values[column] as Write[]) : [{ ref, value: row.values[column] as Value }]
}

/** Last-writer-wins: the write that is last in total order; a counter's total. undefined where nothing was written. */
export const latestValue = (row: Row, column: number): Value | CounterTotal | undefined => {
  const ref = row.refs[column]
  if (ref === undefined || ref === ABSENT) return undefined
  if (ref === SIBLINGS) {
    const writes = row.values[column] as Write[]
    return writes[writes.length - 1].value
  }
  return row.values[column] as Value | CounterTotal
}

/** What a row's cell shows: see `latestValue`. */
export const shownCell = (row: Row, law: number, path: readonly string[]): Value | CounterTotal | undefined =>
  latestValue(row, columnIndex(row.table, law, path))
