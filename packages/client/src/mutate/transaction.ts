/**
 * One mutation while its function runs. Nothing is written before the function has returned, so one that throws leaves
 * no trace; `get` sees what the mutation has asked for so far.
 */
import {
  addToCounter,
  byRow,
  type CellState,
  type CounterTotal,
  decodeField,
  type DeviceId,
  deviceOfRef,
  DriftlogError,
  type Dot,
  type DotRef,
  encodeField,
  type Field,
  type Hlc,
  hlcToMs,
  isContest,
  type InferRow,
  Law,
  lifeSides,
  lifeVerdict,
  type List,
  listItem,
  type NewChange,
  type OpIndex,
  placedItems,
  type Projector,
  type Role,
  type Row,
  type Schema,
  type SchemaView,
  shownValue,
  type Value,
  type Write,
} from '@driftlog/core'
import type { DraftMemory } from './draft.ts'
import { editJson, editList, editSet, fillList, type ItemSource, type PlacedItem } from './edits.ts'
import {
  comeBack,
  editOf,
  expectNotErased,
  FieldEdit,
  hasLived,
  isAlive,
  isChanged,
  isDead,
  isPlain,
  notFound,
  type PendingField,
  PendingRow,
  PendingTable,
  shownOf,
} from './pending.ts'
import type { FieldPlan, TablePlan } from './plan.ts'
import type { DraftOption, TableWriter } from './tx.ts'
import type { KnownRowChanges, Own } from './undo.ts'

export interface TransactionContext {
  readonly plans: ReadonlyMap<string, TablePlan>
  readonly cells: CellState
  readonly view: SchemaView
  readonly projector: Projector
  readonly device: DeviceId
  /** What it may do; undefined in a space without members. */
  readonly role: Role | undefined
  /** The stamp that the mutation will have. */
  readonly hlc: Hlc
  newId(): string
}

const dotsOf = (writes: readonly Write[], ops: OpIndex): Dot[] => writes.map(({ ref }) => ops.dotOf(ref))

/** Saves of drafts, to be noted once they are written. */
type DraftSaved = (view: SchemaView, own: Own) => void
const NONE_SAVED: readonly DraftSaved[] = []

type GivenRow = Record<string, unknown>

/** The writes to one table, as the mutation's function gets them. */
class PlannedWriter implements TableWriter<Schema['tables'][string]> {
  readonly #transaction: Transaction
  readonly #plan: TablePlan

  constructor(transaction: Transaction, plan: TablePlan) {
    this.#transaction = transaction
    this.#plan = plan
  }

  insert(row: object): string {
    return this.#transaction.insert(this.#plan, row as GivenRow)
  }

  update(id: string, changes: object, options?: DraftOption): void {
    this.#transaction.update(this.#plan, id, changes as GivenRow, options?.draft)
  }

  delete(id: string, options?: DraftOption): void {
    this.#transaction.delete(this.#plan, id, options?.draft)
  }

  restore(id: string): void {
    this.#transaction.restore(this.#plan, id)
  }

  erase(id: string): void {
    this.#transaction.erase(this.#plan, id)
  }

  get(id: string): InferRow<Schema['tables'][string]> | undefined {
    return this.#transaction.get(this.#plan, id) as InferRow<Schema['tables'][string]> | undefined
  }
}

export class Transaction {
  readonly #context: TransactionContext
  readonly #pending: PendingTable[] = []
  #items: ItemSource | undefined
  #hasDrafts = false
  #done = false

  constructor(context: TransactionContext) {
    this.#context = context
    context.view.refresh()
  }

  /** The object that the mutation's function gets: a writer a table. */
  tables(): Record<string, TableWriter<Schema['tables'][string]>> {
    const tables: Record<string, TableWriter<Schema['tables'][string]>> = {}
    for (const [name, plan] of this.#context.plans) tables[name] = new PlannedWriter(this, plan)
    return tables
  }

  /** The mutation's function is over: nothing more can be asked for. */
  end(): void {
    this.#done = true
  }

  /** The drafts that are saved: call each once it is written. */
  draftsSaved(): readonly DraftSaved[] {
    if (!this.#hasDrafts) return NONE_SAVED
    const saved: DraftSaved[] = []
    for (const { plan, rows } of this.#pending) {
      for (const { id, row, plans, writes } of rows) {
        const drafts = new Map<DraftMemory, Map<string, Value | undefined>>()
        writes.forEach((written, index) => {
          const draft = editOf(written)?.draft
          if (draft === undefined) return
          const saves = drafts.get(draft) ?? new Map<string, Value | undefined>()
          drafts.set(draft, saves.set(plans[index].field.name, editOf(written)?.onForm))
        })
        const table = plan.table.name
        for (const [draft, saves] of drafts) {
          const knewAll = row !== undefined && draft.knowsLife(row, this.#context.cells.ops)
          saved.push((view, own) => {
            const now = view.cells.table(table).rows.get(id)
            if (now !== undefined) draft.saved(saves, now, view, { table, own, knewAll })
          })
        }
      }
    }
    return saved
  }

  /** What is to be written, in the order in which rows were first touched. Throws VALUE_TAKEN. */
  changes(): KnownRowChanges[] {
    for (const table of this.#pending) {
      if (!table.plan.hasUniques) continue
      for (const { field } of table.plan.fields.values()) if (field.isUnique) this.#checkUnique(table, field)
    }
    const changes: KnownRowChanges[] = []
    for (const table of this.#pending) {
      for (const pending of table.rows) {
        if (!isChanged(pending)) continue
        if (isPlain(pending)) changes.push(this.#plainChanges(pending))
        else for (const ofRow of byRow(this.#changesOf(pending))) changes.push({ ...ofRow, row: pending.row })
      }
      // There may be many: they need not be kept while the changes are written.
      if (!this.#hasDrafts) table.clear()
    }
    return changes
  }

  #handleOf(row: Row | undefined): NewChange['handle'] {
    return row === undefined ? undefined : this.#context.projector.handleOf(row)
  }

  #plainChanges({ plan, id: rowId, row, inserted, plans, writes }: PendingRow): KnownRowChanges {
    const first = inserted ? 1 : 0
    const values = new Array<Value>(first + writes.length)
    if (inserted) values[0] = null
    for (let index = 0; index < writes.length; index++) values[first + index] = writes[index] as Value
    return { rowId, row, handle: this.#handleOf(row), shapes: plan.shapesOf(plans, inserted), values, over: undefined }
  }

  #changesOf(pending: PendingRow): NewChange[] {
    const changes: NewChange[] = []
    this.#emit(pending, changes)
    return changes
  }

  #emit(pending: PendingRow, changes: NewChange[]): void {
    const { plan, id: rowId, row, plans, writes } = pending
    const handle = this.#handleOf(row)
    if (pending.erased) {
      changes.push({ shape: plan.erase, rowId, handle, value: null, over: undefined })
      return
    }
    const { ops } = this.#context.cells
    if (pending.deleted && !pending.wasLive) return
    // Who knows of both sides decides between them, and says so: that settles it wherever the op comes (CONF3).
    const sides = row === undefined || pending.deleteDraft !== undefined ? [] : lifeSides(row, ops)
    const verdict = lifeVerdict(sides, ops, '', pending.deleted)
    if (verdict !== undefined) {
      changes.push({ shape: plan.resolve, rowId, handle, value: verdict.value, over: verdict.over })
    }
    if (pending.deleted) {
      const over = row && pending.deleteDraft?.overLife(row, ops)
      changes.push({ shape: plan.delete, rowId, handle, value: null, over })
      return
    }
    if (pending.inserted) changes.push({ shape: plan.insert, rowId, handle, value: null, over: undefined })
    for (let index = 0; index < plans.length; index++) {
      const fieldPlan = plans[index]
      const written = writes[index]
      if (!(written instanceof FieldEdit)) {
        this.#emitWrite(row, fieldPlan, rowId, handle, written, undefined, changes)
        continue
      }
      for (const { law, keys, value } of written.edits) {
        if (law === Law.set) this.#emitWrite(row, fieldPlan, rowId, handle, value, written.draft, changes)
        else changes.push({ shape: fieldPlan.shape(law, keys), rowId, handle, value, over: undefined })
      }
    }
  }

  #emitWrite(
    row: Row | undefined,
    plan: FieldPlan,
    rowId: string,
    handle: NewChange['handle'],
    value: Value,
    draft: DraftMemory | undefined,
    changes: NewChange[],
  ): void {
    const { field } = plan
    const { view, cells } = this.#context
    const shape = plan.shape(Law.set)
    const fieldView = row === undefined ? undefined : view.field(field.table, field.name)!
    // Nothing stands beside what is there, so nothing is settled.
    if (row === undefined || (draft === undefined && !fieldView!.isContested(row))) {
      changes.push({ shape, rowId, handle, value, over: undefined })
      return
    }
    const writes = fieldView!.writes(row)
    const over = this.#over(row, field, writes, draft)
    const replaced = over ?? writes
    // Who writes over several values says so: that settles their conflict wherever the op comes (CONF3).
    if (isContest(replaced)) {
      changes.push({ shape: plan.shape(Law.resolve), rowId, handle, value: '', over: dotsOf(replaced, cells.ops) })
    }
    changes.push({ shape, rowId, handle, value, over: over && dotsOf(over, cells.ops) })
  }

  /** Exactly what a write replaces; undefined: all that is there. */
  #over(
    row: Row,
    field: Field,
    writes: readonly Write[],
    draft: DraftMemory | undefined,
  ): readonly Write[] | undefined {
    const { view, cells } = this.#context
    if (draft !== undefined) return draft.knownOf(field, writes, cells.ops)
    const shown = view.field(field.table, field.name)!.writesShown(row)
    return shown.length === writes.length ? undefined : shown
  }

  #checkUnique(table: PendingTable, field: Field): void {
    const { view } = this.#context
    const { plan, rows } = table
    const byValue = new Map<unknown, PendingRow[]>()
    for (const pending of rows) {
      const value = this.#isShown(pending) ? this.#shownOf(pending, field) : null
      if (value !== null) byValue.set(value, [...(byValue.get(value) ?? []), pending])
    }
    for (const [value, holders] of byValue) {
      // Who shows it already makes nothing worse.
      const wasShown = ({ row }: PendingRow): boolean =>
        row !== undefined && view.isShown(row, plan.table) && shownValue(field, view.value(row, field)) === value
      const taker = holders.find((pending) => !wasShown(pending))
      if (taker === undefined) continue
      const other = holders.find((pending) => pending !== taker)
      if (other !== undefined) throw taken(field, other.id)
      // One that this mutation makes show something else has left it.
      for (const { id } of view.rowsWith(field, value as Value))
        if (table.find(id) === undefined && !this.#isGone(plan.table.name, id)) throw taken(field, id)
    }
  }

  #shownOf(pending: PendingRow, field: Field): unknown {
    return shownValue(field, this.#cell(pending, pending.plan.fields.get(field.name)!))
  }

  #tableOf(plan: TablePlan): PendingTable | undefined {
    for (const table of this.#pending) if (table.plan === plan) return table
    return undefined
  }

  #rowOf(plan: TablePlan, id: string): PendingRow {
    if (this.#done) throw new DriftlogError('CLOSED', 'the mutation is over: do not keep or await inside its function')
    let table = this.#tableOf(plan)
    if (table === undefined) this.#pending.push((table = new PendingTable(plan)))
    let pending = table.find(id)
    if (pending === undefined) {
      pending = new PendingRow(plan, id, this.#context.cells.table(plan.table.name).rows.get(id))
      table.add(pending)
    }
    return pending
  }

  /** Whether a query shows the row after this mutation, as it is so far. */
  #isShown(pending: PendingRow): boolean {
    const { plan, id } = pending
    if (!isAlive(pending, this.#context.cells.ops)) return false
    return plan.cascades.length === 0 || !this.#isGone(plan.table.name, id)
  }

  /** REF1, after this mutation: it is dead, or a reference that cascades leads to a row that is. What is not known may come. */
  #isGone(table: string, id: string): boolean {
    const { plans, cells } = this.#context
    const reached = new Set([`${table}/${id}`])
    const places = [{ table, id }]
    for (const { table: name, id: rowId } of places) {
      const plan = plans.get(name)!
      const pending = this.#tableOf(plan)?.find(rowId)
      const row = cells.table(name).rows.get(rowId)
      if (isDead(pending, row, plan.table, cells.ops)) return true
      if (pending === undefined && row === undefined) continue
      for (const fieldPlan of plan.cascades) {
        const { field } = fieldPlan
        if (field.kind !== 'ref') continue
        const written = pending?.of(fieldPlan)
        const target = shownValue(field, written === undefined ? this.#stored(row, field) : shownOf(written))
        if (typeof target !== 'string' || reached.has(`${field.target}/${target}`)) continue
        reached.add(`${field.target}/${target}`)
        places.push({ table: field.target, id: target })
      }
    }
    return false
  }

  #shownRow(plan: TablePlan, id: string): PendingRow {
    const pending = this.#rowOf(plan, id)
    if (pending.deleted || !this.#isShown(pending)) throw notFound(plan, id)
    return pending
  }

  insert(plan: TablePlan, given: GivenRow): string {
    const { id: givenId } = given
    if (givenId !== undefined && typeof givenId !== 'string') {
      throw new DriftlogError('VALUE_INVALID', `${plan.table.name}.id: a string is expected`, {
        table: plan.table.name,
      })
    }
    const pending = this.#rowOf(plan, givenId ?? this.#context.newId())
    expectNotErased(pending)
    if (!pending.deleted && this.#isShown(pending)) {
      this.#merge(pending, given, 'insert', undefined)
      return pending.id
    }
    const { inserted, deleted, deleteDraft, plans, writes } = pending
    pending.clear()
    comeBack(pending)
    try {
      this.#merge(pending, given, 'insert', undefined)
      for (const required of plan.required) {
        if (!pending.plans.includes(required)) encodeField(required.field, undefined)
      }
    } catch (error) {
      // The function may go on without it.
      Object.assign(pending, { inserted, deleted, deleteDraft, plans, writes })
      throw error
    }
    return pending.id
  }

  update(plan: TablePlan, id: string, changes: GivenRow, draft: DraftMemory | undefined): void {
    this.#merge(this.#shownRow(plan, id), changes, 'update', draft)
  }

  delete(plan: TablePlan, id: string, draft: DraftMemory | undefined): void {
    draft?.expectOf(plan.table.name, id)
    const pending = this.#shownRow(plan, id)
    pending.deleted = true
    pending.deleteDraft = draft
    pending.inserted = false
    pending.clear()
  }

  restore(plan: TablePlan, id: string): void {
    const pending = this.#rowOf(plan, id)
    expectNotErased(pending)
    if (isAlive(pending, this.#context.cells.ops) && !pending.deleted) return
    if (!hasLived(pending)) throw notFound(plan, id)
    comeBack(pending)
  }

  erase(plan: TablePlan, id: string): void {
    const pending = this.#rowOf(plan, id)
    expectNotErased(pending)
    if (!hasLived(pending)) throw notFound(plan, id)
    pending.erased = true
    pending.clear()
  }

  /** Takes in what fields are given, all of them or none. */
  #merge(pending: PendingRow, given: GivenRow, change: 'insert' | 'update', draft: DraftMemory | undefined): void {
    const { table, fields } = pending.plan
    if (draft !== undefined) {
      draft.expectOf(table.name, pending.id)
      this.#hasDrafts = true
    }
    const names = Object.keys(given)
    const plans = new Array<FieldPlan>(names.length)
    const writes = new Array<PendingField>(names.length)
    let count = 0
    for (const name of names) {
      const value = given[name]
      // A key that is there without a value says nothing, as in a spread of partial objects.
      if (value === undefined || (change === 'insert' && name === 'id')) continue
      const plan = fields.get(name)
      if (plan === undefined) {
        throw new DriftlogError('VALUE_INVALID', `${table.name} has no field ${JSON.stringify(name)}`, {
          table: table.name,
          field: name,
        })
      }
      plans[count] = plan
      writes[count++] = this.#pendingField(pending, plan, value, change, draft)
    }
    plans.length = count
    writes.length = count
    pending.set(pending.plan.sameFields(plans), writes)
  }

  #pendingField(
    pending: PendingRow,
    plan: FieldPlan,
    given: unknown,
    change: 'insert' | 'update',
    draft: DraftMemory | undefined,
  ): PendingField {
    const { field, law } = plan
    if (law === Law.set && draft === undefined) {
      const value = encodeField(field, given, change)
      const { row } = pending
      if (row === undefined || field.strategy.kind !== 'manual') return value
      return new FieldEdit({ edits: [{ law, value }], shown: this.#afterWrite(row, field, value, draft) }, draft)
    }
    const written = pending.of(plan)
    const before = editOf(written)
    const earlier = before?.edits ?? []
    switch (law) {
      case Law.increment:
      case Law.grow: {
        const sum = addToCounter(
          (before?.shown as number | undefined) ?? 0,
          encodeField(field, given, change) as number,
        )
        if (typeof sum === 'bigint')
          throw new DriftlogError('VALUE_INVALID', `${field.table}.${field.name}: beyond 2^53`)
        return new FieldEdit({ edits: [{ law, value: sum }], shown: sum }, draft)
      }
      case Law.add: {
        const stored = shownValue(field, this.#stored(pending.row, field)) as readonly Value[]
        const now = (before?.shown ?? stored) as readonly Value[]
        const form = draft && this.#onForm(draft, field, before, NO_ELEMENTS)
        return new FieldEdit(editSet(field, { stored, now, form }, given, earlier), draft)
      }
      case Law.item: {
        const now = before?.items ?? this.#itemsOf(pending.row, field)
        const form = draft && (this.#onForm(draft, field, before, NO_ELEMENTS) as readonly PlacedItem[])
        const gone = (id: string): PlacedItem | undefined => this.#goneItem(pending.row, field, id)
        const edited =
          change === 'insert'
            ? { ...fillList(field, now, given, this.#itemSource), onForm: undefined }
            : editList(field, { now, form, gone }, given, this.#itemSource)
        const shown = edited.items.map(({ id, value }) => ({ id, value }))
        return new FieldEdit({ ...edited, edits: [...earlier, ...edited.edits], shown }, draft)
      }
      case Law.put: {
        // What was written, not what is shown for want of it: a default that changes must not become a change of its own.
        const stored = this.#stored(pending.row, field) as Value | undefined
        const now = before === undefined ? stored : before.shown
        const form = draft && { shown: this.#onForm(draft, field, before, undefined) }
        return new FieldEdit(editJson({ stored, now, form }, encodeField(field, given, change)), draft)
      }
      default: {
        const value = encodeField(field, given, change)
        const shown = this.#afterWrite(pending.row, field, value, draft)
        return new FieldEdit({ edits: [{ law, value }], shown }, draft)
      }
    }
  }

  /** What a form shows of a field that is compared with it, after what this mutation saved of it so far. */
  #onForm<T>(draft: DraftMemory, field: Field, before: FieldEdit | undefined, none: T): Value | T {
    const shown = before?.draft === draft ? before.onForm : draft.shownOf(field)
    return shown === undefined ? none : shown
  }

  /** What a register shows after a write: the strategy may choose another of those that stay beside it. */
  #afterWrite(row: Row | undefined, field: Field, value: Value, draft: DraftMemory | undefined): Value {
    if (row === undefined) return value
    const { view, device, hlc, role } = this.#context
    const fieldView = view.field(field.table, field.name)!
    const writes = fieldView.writes(row)
    const over = this.#over(row, field, writes, draft)
    if (over === undefined) return value
    const beside = writes.filter((write) => !over.includes(write))
    return fieldView.valueBeside(beside, { value, author: device, stamp: hlc, role })
  }

  get #itemSource(): ItemSource {
    const { device, newId } = this.#context
    this.#items ??= { author: device.slice(0, 6), unique: newId().slice(0, 6), newId }
    return this.#items
  }

  #itemsOf(row: Row | undefined, field: Field): readonly PlacedItem[] {
    const list = this.#list(row, field)
    return list === undefined ? [] : placedItems(list, this.#compare)
  }

  /** An item that somebody has removed, as it was. */
  #goneItem(row: Row | undefined, field: Field, id: string): PlacedItem | undefined {
    const list = this.#list(row, field)
    const item = list && listItem(list, id, this.#compare)
    return item && { id, position: item.position, value: item.value }
  }

  get #compare(): (a: DotRef, b: DotRef) => number {
    const { ops } = this.#context.cells
    return (a, b) => ops.compare(a, b)
  }

  #list(row: Row | undefined, field: Field): List | undefined {
    return row?.values[this.#context.view.field(field.table, field.name)!.column] as List | undefined
  }

  /** What the cell of a field holds; of a reference whatever became of what it names. */
  #stored(row: Row | undefined, field: Field): Value | CounterTotal | undefined {
    return row === undefined ? undefined : this.#context.view.field(field.table, field.name)!.value(row)
  }

  get(plan: TablePlan, id: string): Record<string, unknown> | undefined {
    const pending = this.#rowOf(plan, id)
    if (!this.#isShown(pending)) return undefined
    const { hlc, device, projector } = this.#context
    const now = new Date(hlcToMs(hlc))
    const { row } = pending
    const isWritten = !pending.deleted && isChanged(pending)
    const shown: Record<string, unknown> = {
      id,
      createdAt: row === undefined || row.created === 0 ? now : new Date(hlcToMs(projector.ops.stamp(row.created))),
      createdBy: row === undefined || row.created === 0 ? device : projector.ops.authorId(deviceOfRef(row.created)),
      updatedAt:
        row === undefined || row.updated === 0 || isWritten ? now : new Date(hlcToMs(projector.ops.stamp(row.updated))),
    }
    for (const [name, fieldPlan] of plan.fields) {
      shown[name] = decodeField(fieldPlan.field, this.#cell(pending, fieldPlan))
    }
    return shown
  }

  /** What a field shows after this mutation, as `SchemaView.value` would. */
  #cell(pending: PendingRow, plan: FieldPlan): Value | CounterTotal | undefined {
    const { field, law } = plan
    const { row } = pending
    const change = pending.of(plan)
    const written = change === undefined ? undefined : shownOf(change)
    if (law === Law.increment || law === Law.grow) {
      const stored = this.#stored(row, field) as CounterTotal | undefined
      return written === undefined ? stored : addToCounter(stored ?? 0, written as number)
    }
    const value = written === undefined ? this.#stored(row, field) : written
    if (field.kind !== 'ref' || field.onDelete !== 'set-null' || typeof value !== 'string') return value
    return this.#isGone(field.target, value) ? null : value
  }
}

const NO_ELEMENTS: readonly Value[] = []

const taken = (field: Field, rowId: string): DriftlogError =>
  new DriftlogError('VALUE_TAKEN', `${field.table}.${field.name}, by ${JSON.stringify(rowId)}`, {
    table: field.table,
    field: field.name,
    rowId,
  })
