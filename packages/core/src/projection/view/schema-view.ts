/**
 * The cells as a schema shows them (SPEC VIEW): which rows are there, what their fields show, what is in conflict. A local view:
 * another schema, or another version of it, shows the same cells in another way.
 *
 *     cells ─ rows that changed ─▶ refresh ─▶ references, uniques, conflicts ─ rows that show something else ─▶ tables
 *
 * Invariant: after `refresh`, what is derived is that of the cells as they are.
 */
import type { CellState } from '../../cells/cell-state.ts'
import { ABSENT, type Row, type TableCells } from '../../cells/row.ts'
import type { Settled } from '../../cells/settled.ts'
import { hlcToMs } from '../../clock/hlc.ts'
import { isLive } from '../../laws/life.ts'
import { deviceOfRef } from '../../op/dot-ref.ts'
import { shownValue } from '../../schema/encode.ts'
import type { Field } from '../../schema/field.ts'
import type { Shown } from '../../schema/kinds/kind.ts'
import type { Schema, Table } from '../../schema/schema.ts'
import { reconcileRows } from '../tables/reconcile.ts'
import type { DirtyRows, RowReader } from '../tables/row-reader.ts'
import { type Conflict, isOpen } from './conflict.ts'
import { FieldView } from './field-view.ts'
import { ConflictRecords } from './records.ts'
import { type Reference, References } from './references.ts'
import { UniqueField } from './uniques.ts'

interface TableView {
  readonly table: Table
  readonly cells: TableCells
  readonly fields: readonly FieldView[]
  readonly byName: ReadonlyMap<string, FieldView>
  readonly references: readonly Reference[]
  /** By index into `fields`; undefined where nothing is to be unique. */
  readonly uniques: readonly (UniqueField | undefined)[]
  readonly hasUniques: boolean
  /** Whether something in a row may ask for a person: how many do is told at any time. */
  readonly canBeOpen: boolean
  readonly reader: RowReader<Row>
  /** Changed since they were last taken; rows of the cells know that they are in it (`isUntold`). */
  dirty: Row[]
}

/** As they are at a version of what they are made of. */
interface Records {
  readonly version: number
  readonly conflicts: readonly Conflict[]
}

const NO_RECORDS: Records = { version: -1, conflicts: [] }

export interface SchemaViewOptions {
  /** Custom strategies are asked twice, to find those that are not pure. */
  readonly isChecked?: boolean
}

export class SchemaView {
  readonly schema: Schema
  readonly cells: CellState
  readonly #tables = new Map<string, TableView>()
  readonly #references: References | undefined
  readonly #records: ConflictRecords
  /** Of rows in which something is concurrent now. */
  readonly #conflicts = new Map<Row, readonly Conflict[]>()
  #sorted: Records = NO_RECORDS
  #settled: Records = NO_RECORDS
  readonly #settledRecords = new WeakMap<Settled, { readonly kept: number; readonly conflict: Conflict | undefined }>()
  /** Rows whose records are not made yet: nobody may ever read them. */
  readonly #unread = new Set<Row>()
  #openCount = 0
  #version = 0
  #erasures = 0

  constructor(schema: Schema, cells: CellState, { isChecked = false }: SchemaViewOptions = {}) {
    this.schema = schema
    this.cells = cells
    this.#records = new ConflictRecords(cells.ops)
    for (const table of Object.values(schema.tables)) this.#tables.set(table.name, this.#tableView(table, isChecked))
    const tables = [...this.#tables.values()]
    if (tables.some(({ references }) => references.length > 0)) {
      this.#references = new References({
        of: (name) => this.#tables.get(name)?.references,
        find: (name, id) => this.#tables.get(name)?.cells.rows.get(id),
        isDead: (row) => wasSeen(row) && !isLive(row, this.#tables.get(row.table.name)!.table.onDelete),
      })
    }
  }

  /** Another view of cells that have one: it takes nothing from them, and is as they are now. */
  static beside(schema: Schema, cells: CellState): SchemaView {
    const view = new SchemaView(schema, cells)
    const rows = Object.keys(schema.tables).flatMap((name) => [...cells.table(name).rows.values()])
    view.#references?.refresh(rows)
    return view
  }

  #tableView(table: Table, isChecked: boolean): TableView {
    const cells = this.cells.table(table.name)
    const fields = Object.values(table.fields).map((field) => new FieldView(field, cells, this.cells.ops, isChecked))
    const uniques = fields.map(({ field }) => (field.isUnique ? new UniqueField() : undefined))
    const references = fields.flatMap((view): Reference[] => {
      const { field } = view
      if (field.kind !== 'ref' || field.onDelete === 'keep') return []
      const id = (row: Row): string | undefined => textOf(shownValue(field, view.value(row)))
      return [{ target: field.target, onDelete: field.onDelete, id }]
    })
    const hasUniques = uniques.some((unique) => unique !== undefined)
    // Of the strategies of registers only this one can neither fail nor ask.
    const canBeOpen =
      table.onDelete === 'manual' || fields.some(({ field }) => field.strategy.kind !== 'last-writer-wins')
    const byName = new Map(fields.map((view) => [view.field.name, view]))
    const reader = this.#reader(table, fields)
    return { table, cells, fields, byName, references, uniques, hasUniques, canBeOpen, reader, dirty: [] }
  }

  #table(name: string): TableView {
    const view = this.#tables.get(name)
    if (view === undefined) throw new Error(`no table ${name}`)
    return view
  }

  /**
   * The tables have these cells already, as this view shows them: takes them in without telling of them. Before anything else
   * changes, and in the place of the first `refresh`.
   */
  adopt(): void {
    const views = [...this.#tables.values()]
    this.#references?.refresh(views.flatMap(({ cells }) => [...cells.rows.values()]))
    for (const view of views) for (const row of view.cells.rows.values()) this.#note(row, view)
  }

  /** Takes in what changed in the cells. Cheap where nothing did. */
  refresh(): void {
    if (!this.cells.isDirty) return
    const changed: Row[] = []
    for (const [cells, rows] of this.cells.takeDirty()) {
      const view = this.#tables.get(cells.name)
      if (view === undefined) continue
      for (const row of rows) {
        markUntold(row, view)
        if (row.erased !== ABSENT) this.#erasures++
        if (this.#references !== undefined) changed.push(row)
        // What is there or not is known once all references are followed.
        else this.#note(row, view)
      }
    }
    if (changed.length === 0) return
    const others = this.#references!.refresh(changed)
    for (const row of others) markUntold(row, this.#table(row.table.name))
    for (const rows of [changed, others]) for (const row of rows) this.#note(row, this.#table(row.table.name))
  }

  #note(row: Row, view: TableView): void {
    if (view.hasUniques) this.#noteUniques(row, view)
    const { contested } = this.cells
    if (!(contested.size > 0 && contested.has(row)) && !(this.#conflicts.size > 0 && this.#conflicts.has(row))) return
    if (view.canBeOpen) {
      if (this.#noteConflicts(row, view)) this.#version++
      return
    }
    // Without its records of before: they hold values that may be erased.
    this.#conflicts.delete(row)
    this.#unread.add(row)
    this.#version++
  }

  #noteUniques(row: Row, { table, fields, uniques }: TableView): void {
    const isShown = this.isShown(row, table)
    uniques.forEach((unique, index) => {
      if (unique === undefined) return
      const view = fields[index]
      const shown = isShown ? shownValue(view.field, this.#value(row, view)) : null
      const hasChanged = unique.set(row, isKey(shown) ? { value: shown, ref: view.takenBy(row) } : undefined)
      if (hasChanged) this.#version++
    })
  }

  /** Whether that made a difference. */
  #noteConflicts(row: Row, { table, fields }: TableView): boolean {
    const before = this.#conflicts.get(row) ?? []
    // Of what a row holds that is not there nobody is asked: an answer would bring it back.
    const isShown = this.isShown(row, table)
    const conflicts = reconcileRows(before, this.#records.ofRow(row, table, isShown ? fields : []))
    this.#openCount += conflicts.filter(isOpen).length - before.filter(isOpen).length
    if (conflicts.length > 0) {
      this.#conflicts.set(row, conflicts)
    } else {
      this.#conflicts.delete(row)
      if (isShown) this.cells.contested.delete(row)
    }
    return conflicts !== before
  }

  /** Whether a row is there: alive under its table's law, and not pulled along by one that it refers to. */
  isShown(row: Row, table: Table): boolean {
    return isLive(row, table.onDelete) && this.#references?.isHidden(row) !== true
  }

  /** What a field of a row shows; undefined where nothing was written. */
  value(row: Row, field: Field): Shown | undefined {
    const view = this.#table(field.table).byName.get(field.name)!
    return this.#value(row, view)
  }

  #value(row: Row, view: FieldView): Shown | undefined {
    const value = view.value(row)
    const { field } = view
    if (field.kind !== 'ref' || field.onDelete !== 'set-null' || typeof value !== 'string') return value
    return this.#references?.isGone(field.target, value) === true ? null : value
  }

  /** The view of one field. */
  field(table: string, name: string): FieldView | undefined {
    return this.#tables.get(table)?.byName.get(name)
  }

  /** The rows that show a value in a field that is to be unique. */
  rowsWith(field: Field, value: Shown): ReadonlySet<Row> {
    const { fields, uniques } = this.#table(field.table)
    const unique = uniques[fields.findIndex((view) => view.field.name === field.name)]
    return unique === undefined || !isKey(value) ? NOBODY : unique.rowsWith(value)
  }

  /** Moves when `conflicts` or `settled` may have. */
  get version(): number {
    return this.#version + this.cells.settled.version
  }

  /** Moves when a row was erased: who remembers values of rows lets go of those. */
  get erasures(): number {
    return this.#erasures
  }

  /** How many of the conflicts ask for a person. */
  get openCount(): number {
    let count = this.#openCount
    for (const { uniques } of this.#tables.values()) for (const unique of uniques) count += unique?.taken.size ?? 0
    return count
  }

  /** What is concurrent now, by id: in the same order on every replica. A record that did not change stays the same object. */
  conflicts(): readonly Conflict[] {
    for (const row of this.#unread) this.#noteConflicts(row, this.#table(row.table.name))
    this.#unread.clear()
    if (this.#sorted.version !== this.#version) {
      const conflicts = [...[...this.#conflicts.values()].flat(), ...this.#takenValues()]
      this.#sorted = { version: this.#version, conflicts: conflicts.sort((a, b) => (a.id < b.id ? -1 : 1)) }
    }
    return this.#sorted.conflicts
  }

  *#takenValues(): Generator<Conflict> {
    for (const { table, fields, uniques } of this.#tables.values()) {
      for (const [index, unique] of uniques.entries()) {
        if (unique === undefined) continue
        for (const [value, known] of unique.taken) {
          const rows = unique.rowsWith(value)
          const conflict = known ?? this.#records.unique(this.#byHold([...rows], fields[index]), table, fields[index])
          unique.taken.set(value, conflict)
          yield conflict
        }
      }
    }
  }

  /** UNIQ1: who took a value first, in total order of the writes that show it, holds it. */
  #byHold(rows: readonly Row[], view: FieldView): Row[] {
    const { ops } = this.cells
    return rows.toSorted((a, b) => ops.compare(view.takenBy(a), view.takenBy(b)) || (a.id < b.id ? -1 : 1))
  }

  /**
   * What was concurrent and is settled, in the order in which that happened. A record that did not change stays the same object.
   */
  settled(): readonly Conflict[] {
    const { settled } = this.cells
    if (this.#settled.version !== settled.version) {
      const conflicts = settled.newest().flatMap((one) => this.#settledRecord(one) ?? [])
      this.#settled = { version: settled.version, conflicts }
    }
    return this.#settled.conflicts
  }

  #settledRecord(settled: Settled): Conflict | undefined {
    const known = this.#settledRecords.get(settled)
    const kept = keptValues(settled)
    if (known?.kept === kept) return known.conflict
    const view = this.#tables.get(settled.row.table.name)
    const conflict = this.#records.settled(settled, view?.table, view?.fields ?? [])
    this.#settledRecords.set(settled, { kept, conflict })
    return conflict
  }

  /** The rows that changed since this was last called, or show something else. Tells them once. */
  takeDirtyRows(): DirtyRows<Row>[] {
    this.refresh()
    const dirty: DirtyRows<Row>[] = []
    for (const view of this.#tables.values()) {
      if (view.dirty.length === 0) continue
      for (const row of view.dirty) row.untold = false
      dirty.push({ table: view.table.name, rows: view.dirty, reader: view.reader })
      view.dirty = []
    }
    return dirty
  }

  /** All rows are told again, and what is derived of them anew: for tables that have to be made anew, whatever failed. */
  markAllDirty(): void {
    this.cells.markAllDirty()
  }

  #reader(table: Table, fields: readonly FieldView[]): RowReader<Row> {
    const { ops } = this.cells
    return {
      number: (row) => row.number,
      id: (row) => row.id,
      isLive: (row) => this.isShown(row, table),
      value: (row, field) => this.#value(row, fields[field]),
      createdAtMs: (row) => hlcToMs(ops.stamp(row.created)),
      createdBy: (row) => ops.authorId(deviceOfRef(row.created)),
      updatedAtMs: (row) => hlcToMs(ops.stamp(row.updated)),
    }
  }

  /** All rows of a table that the cells know, dead ones too. */
  rows(table: string): Iterable<Row> {
    return this.#table(table).cells.rows.values()
  }
}

const markUntold = (row: Row, { dirty }: TableView): void => {
  if (row.untold) return
  row.untold = true
  dirty.push(row)
}

/** An op without effect may have named it, and no more. */
const wasSeen = ({ touches, deletes, erased }: Row): boolean =>
  touches.length > 0 || deletes.length > 0 || erased !== ABSENT

const NOBODY: ReadonlySet<Row> = new Set()

/** How many of the candidates still have their value (CONF3): all that can change of a settlement. */
const keptValues = (settled: Settled): number =>
  settled.column === undefined ? 0 : settled.candidates.filter(({ value }) => value !== undefined).length

const textOf = (shown: Shown): string | undefined => (typeof shown === 'string' ? shown : undefined)

const isKey = (shown: Shown): shown is string | number | boolean =>
  typeof shown === 'string' || typeof shown === 'number' || typeof shown === 'boolean'
