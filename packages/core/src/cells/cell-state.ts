/**
 * The schema-free state under all projections (SPEC CELL): rows and their cells, for unknown tables and fields too.
 *
 * Invariants:
 * - ops are applied in a causal order, each once; any such order ends in the same cells;
 * - a row in which anything concurrent survives is among the `contested`; others may be too, until somebody looked;
 * - cells of a local snapshot are asleep until something asks for them: then they are read, all at once, before anything else.
 */
import type { SeenVector } from '../clock/seen.ts'
import { cellLawOf, composedLaw, isOfLife } from '../laws/cell-laws.ts'
import { addToCounter, type CounterTotal } from '../laws/counter.ts'
import * as life from '../laws/life.ts'
import { reopenedValues } from '../laws/reopened.ts'
import { Law } from '../op/law.ts'
import type { Shape } from '../op/run.ts'
import { equalValues, type Value } from '../op/value.ts'
import type { Dot } from '../clock/dot.ts'
import { CellDigest } from './digest.ts'
import { type OpIndex, sees } from './ops.ts'
import { type DotRef } from '../op/dot-ref.ts'
import {
  ABSENT,
  columnIndex,
  COMPOSED,
  COUNTED,
  createTable,
  type Row,
  SIBLINGS,
  type TableCells,
  type Write,
} from './row.ts'
import { SettledConflicts, type SettledWrite } from './settled.ts'

const NO_REFS: DotRef[] = []

/** The op whose changes are being applied. */
export interface Applied {
  readonly ref: DotRef
  readonly device: number
  readonly seq: number
  readonly seen: SeenVector
}

/** A change of an op that is not void. */
export interface CellChange {
  readonly shape: Shape
  /** See `columnOf`. */
  readonly column: number
  readonly value: Value
  /** Exactly what a write or a delete replaces, else all that the op saw; of `resolve`, what is settled. */
  readonly over: readonly Dot[] | undefined
}

/** The column that a shape goes to in its table's rows; -1 where it concerns the row itself. */
export const columnOf = (table: TableCells, { law, path }: Shape): number =>
  path.length === 0 || isOfLife(law, path) ? -1 : columnIndex(table, cellLawOf(law), path.slice(0, 1))

/** What the next change of an op is to settle: announced by `resolve`. */
interface Announced {
  readonly row: Row
  readonly column: number
  readonly by: DotRef
  readonly reason: string
  readonly named: ReadonlySet<DotRef>
  readonly candidates: readonly SettledWrite[]
}

export class CellState {
  readonly ops: OpIndex
  readonly #tables = new Map<string, TableCells>()
  readonly #digest: CellDigest
  /** Shared with the state of which this one takes the place: no number stands for two rows. */
  readonly #rowNumbers: { last: number }
  #before: CellState | undefined
  readonly #contested = new Set<Row>()
  readonly #settled: SettledConflicts
  #wake: (() => void) | undefined
  /** Where the tables have what sleeps already: called when it is awake, before anything changes. Otherwise it is all dirty then. */
  onAwake: (() => void) | undefined
  #announced: Announced | undefined
  #isDirty = false

  /** `before`: a state of which this one takes the place; rows keep their numbers. */
  constructor(ops: OpIndex, before?: CellState) {
    this.ops = ops
    this.#digest = new CellDigest(ops)
    this.#settled = new SettledConflicts(ops)
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
        this.#markDirty(row)
      }
    }
  }

  /** Cells that `wake` fills in when they are needed; they are empty until then. */
  sleep(wake: () => void): void {
    this.#wake = wake
  }

  get isAsleep(): boolean {
    return this.#wake !== undefined
  }

  awaken(): void {
    const wake = this.#wake
    if (wake === undefined) return
    this.#wake = undefined
    wake()
    if (this.onAwake === undefined) this.markAllDirty()
    else this.onAwake()
  }

  /** Rows in which concurrent changes may have survived beside each other. */
  get contested(): Set<Row> {
    this.awaken()
    return this.#contested
  }

  get settled(): SettledConflicts {
    this.awaken()
    return this.#settled
  }

  /** The number of the row that was made last. */
  get lastRowNumber(): number {
    return this.#rowNumbers.last
  }

  set lastRowNumber(last: number) {
    this.#rowNumbers.last = last
  }

  table(name: string): TableCells {
    this.awaken()
    let table = this.#tables.get(name)
    if (table === undefined) {
      table = createTable(name)
      this.#tables.set(name, table)
    }
    return table
  }

  tables(): IterableIterator<TableCells> {
    this.awaken()
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
        erased: ABSENT,
        dirty: false,
        untold: false,
        undigested: false,
      }
      table.rows.set(id, row)
    }
    return row
  }

  /** Applies one change of an op that is not void. */
  apply(row: Row, { shape, column, value, over }: CellChange, op: Applied): void {
    const { law } = shape
    if (law === Law.resolve) {
      this.#announce(row, column, value, over ?? [], op)
      return
    }
    this.#digest.beforeChange(row)
    this.#markDirty(row)
    if (law === Law.erase) this.#erase(row, op.ref)
    if (row.erased !== ABSENT) return
    const isSeen = (ref: DotRef): boolean => sees(op.seen, op.device, op.seq, ref)
    if (law === Law.delete) {
      life.remove(row, op.ref, isSeen, over === undefined ? isSeen : this.#named(over, op.ref))
      if (row.touches.length > 0) this.#contested.add(row)
      return
    }
    // Once an op: an insert brings a change for each field.
    if (row.updated !== op.ref) this.#mark(row, op.ref)
    if (law === Law.insert) life.insert(row, op.ref, isSeen)
    else life.touch(row, op.ref, isSeen)
    // Two changes that had not seen each other are two touches, so nothing concurrent in the row is missed.
    if (row.touches.length > 1 || row.deletes.length > 0) this.#contested.add(row)
    if (law === Law.insert) return
    makeRoom(row, column)
    if (law === Law.set) {
      this.#write(row, column, { ref: op.ref, value }, isSeen, over)
    } else if (law === Law.increment || law === Law.grow) {
      row.values[column] = addToCounter((row.values[column] as CounterTotal | undefined) ?? 0, value as number)
      row.refs[column] = COUNTED
    } else if (law === Law.reopen) {
      this.#write(row, column, { ref: op.ref, value, isReopened: true }, isSeen, over)
    } else {
      const composed = composedLaw(cellLawOf(law))!
      row.refs[column] = COMPOSED
      const state = (row.values[column] ??= composed.create() as object)
      composed.enter(state, { law, keys: shape.path.slice(1), value }, { ref: op.ref, sees: isSeen })
    }
  }

  /**
   * What `apply` does to a row itself for nearly every change, an insert or a register that takes a value, and to rows that nobody
   * deleted. `takePlain` does the rest. Answers whether it can be done so: until something else is applied.
   */
  beginPlain(row: Row, { ref, device, seq, seen }: Applied): boolean {
    if (row.erased !== ABSENT || row.deletes.length > 0) return false
    if (this.#announced !== undefined || !this.#settled.isEmpty) return false
    this.#digest.beforeChange(row)
    this.#markDirty(row)
    if (row.updated !== ref) this.#mark(row, ref)
    const { touches } = row
    if (touches.length === 0) row.touches = [ref]
    else if (touches.length === 1 && sees(seen, device, seq, touches[0])) touches[0] = ref
    else {
      life.touch(row, ref, (other) => sees(seen, device, seq, other))
      if (row.touches.length > 1) this.#contested.add(row)
    }
    return true
  }

  /** A register takes a value, in the place of all that the op saw; after `beginPlain`. */
  takePlain(row: Row, column: number, value: Value, { ref, device, seq, seen }: Applied): void {
    makeRoom(row, column)
    const current = row.refs[column]
    if (current === ABSENT || (current > 0 && sees(seen, device, seq, current))) {
      row.refs[column] = ref
      row.values[column] = value
      return
    }
    const others: readonly Write[] =
      current === SIBLINGS
        ? (row.values[column] as Write[]).filter((other) => !sees(seen, device, seq, other.ref))
        : [{ ref: current, value: row.values[column] as Value }]
    this.#setSiblings(row, column, others as Write[], { ref, value })
  }

  /** CELL6: whatever the row held, and whatever is written to it from now on, is gone. */
  #erase(row: Row, ref: DotRef): void {
    if (row.erased === ABSENT || this.ops.compare(ref, row.erased) < 0) row.erased = ref
    row.touches = NO_REFS
    row.deletes = NO_REFS
    row.values = []
    row.refs = []
    row.created = ABSENT
    row.updated = ABSENT
    this.#contested.delete(row)
    this.#settled.forget(row)
  }

  /** An op says what a change of it settles. Values are looked up before that takes their place. */
  #announce(row: Row, column: number, value: Value, over: readonly Dot[], { ref: by }: Applied): void {
    if (row.erased !== ABSENT || over.length === 0) return
    const refs = over.map((dot) => this.ops.refOf(dot))
    if (column < 0) {
      const [reason, deletes, isDeleted] = value as readonly [string, number, boolean]
      // An op may stand on both sides: it deleted the row and changed it then.
      const sides = refs.map((ref, index) => ({ ref, isDelete: index < deletes }))
      sides.sort((a, b) => this.ops.compare(a.ref, b.ref))
      this.#settled.add({ row, column: undefined, by, reason, sides, isDeleted })
      return
    }
    const writes = writesOf(row, column)
    const named = new Set(refs)
    const candidates = [...named].map((ref): SettledWrite => {
      const known = writes.find((write) => write.ref === ref) ?? this.#settled.find(row, column, ref)
      return known === undefined ? { ref, value: undefined } : { ...known }
    })
    this.#announced = { row, column, by, reason: value as string, named, candidates }
  }

  #markDirty(row: Row): void {
    if (row.dirty) return
    row.dirty = true
    row.table.dirty.push(row)
    this.#isDirty = true
  }

  #mark(row: Row, ref: DotRef): void {
    if (row.updated === ABSENT) row.created = row.updated = ref
    else if (this.ops.compare(ref, row.updated) > 0) row.updated = ref
    else if (this.ops.compare(ref, row.created) < 0) row.created = ref
  }

  #named(over: readonly Dot[], own: DotRef): (ref: DotRef) => boolean {
    const refs = new Set(over.map((dot) => this.ops.refOf(dot)))
    return (ref) => ref === own || refs.has(ref)
  }

  #write(
    row: Row,
    column: number,
    write: Write,
    isSeen: (ref: DotRef) => boolean,
    over: readonly Dot[] | undefined,
  ): void {
    const current = row.refs[column]
    const replaces = over === undefined ? isSeen : this.#named(over, write.ref)
    if (this.#announced !== undefined || !this.#settled.isEmpty) this.#settle(row, column, write, isSeen, replaces)
    if (current !== SIBLINGS) {
      if (current === ABSENT || replaces(current)) this.#setSiblings(row, column, [], write)
      else this.#setSiblings(row, column, [{ ref: current, value: row.values[column] as Value }], write)
      return
    }
    const rest: Write[] = []
    for (const other of row.values[column] as Write[]) if (!replaces(other.ref)) rest.push(other)
    this.#setSiblings(row, column, rest, write)
  }

  /** What a write takes the place of is settled where its op says so; else its value may be gone on other replicas by now. */
  #settle(
    row: Row,
    column: number,
    { ref: by, value }: Write,
    isSeen: (ref: DotRef) => boolean,
    replaces: (ref: DotRef) => boolean,
  ): void {
    const said = this.#announced
    const isSaid = said !== undefined && said.by === by && said.row === row && said.column === column
    this.#settled.replaced(row, column, { replaces, sees: isSeen, names: (ref) => isSaid && said.named.has(ref) })
    if (!isSaid) return
    this.#announced = undefined
    const candidates = said.candidates.filter(({ ref }) => ref !== by && replaces(ref))
    if (candidates.length === 0) return
    candidates.sort((a, b) => this.ops.compare(a.ref, b.ref))
    this.#settled.add({ row, column, by, reason: said.reason, candidates, outcome: value })
  }

  /** `others`: by rising total order, and this register's alone. Thousands of devices may write one field: no sorting. */
  #setSiblings(row: Row, column: number, others: Write[], write: Write): void {
    if (others.length === 0 && write.isReopened !== true) {
      row.refs[column] = write.ref
      row.values[column] = write.value
      return
    }
    let low = 0
    let high = others.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.ops.compare(others[middle].ref, write.ref) < 0) low = middle + 1
      else high = middle
    }
    others.splice(low, 0, write)
    row.refs[column] = SIBLINGS
    row.values[column] = others
    this.#contested.add(row)
  }

  /** Whether rows have changed since `takeDirty` was last called. */
  get isDirty(): boolean {
    this.awaken()
    return this.#isDirty
  }

  /** Rows changed since the last call, by table. They are told once. */
  takeDirty(): Map<TableCells, Row[]> {
    this.#isDirty = false
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
    this.awaken()
    this.#isDirty = true
    for (const table of this.#tables.values()) {
      table.dirty = [...table.rows.values()]
      for (const row of table.dirty) row.dirty = true
    }
  }

  /** The digest over all cells: 64 bytes, equal on every replica that has projected the same vector (CELL7). */
  digest(): Uint8Array {
    return this.#digest.current(this.tables())
  }
}

/** Rows fill their columns in any order; entries before the first write of a later column are absent, never holes. */
const makeRoom = (row: Row, column: number): void => {
  if (row.refs.length === 0) {
    row.refs = row.table.absentRefs.slice()
    row.values = row.table.absentValues.slice()
  }
  while (row.refs.length <= column) {
    row.refs.push(ABSENT)
    row.values.push(undefined)
  }
}

/** Whether some register of the row holds more than one write, or one that stands for several. */
export const hasSiblings = (row: Row): boolean => row.refs.includes(SIBLINGS)

/** Whether a write stands for that value alone: one that stands for several candidates may do so, too. */
export const standsFor = (write: Write, value: Value): boolean =>
  write.isReopened === true
    ? reopenedValues(write.value).every((other) => equalValues(other, value))
    : equalValues(write.value, value)

/** Whether writes hold more than one value (CONF1). */
export const isContest = (writes: readonly Write[]): boolean => {
  if (writes.length === 0) return false
  const [first] = writes
  const value = first.isReopened === true ? reopenedValues(first.value)[0] : first.value
  return !writes.every((write) => standsFor(write, value))
}

/** The concurrent writes of a register, by rising total order; empty where it was never written. */
export const writesOf = (row: Row, column: number): readonly Write[] => {
  const ref = row.refs[column] ?? ABSENT
  if (ref === ABSENT || ref === COUNTED || ref === COMPOSED) return []
  return ref === SIBLINGS ? (row.values[column] as Write[]) : [{ ref, value: row.values[column] as Value }]
}
