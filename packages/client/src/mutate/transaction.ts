/**
 * One mutation while its function runs. Nothing is written before the function has returned, so one that throws leaves
 * no trace; `get` sees what the mutation has asked for so far.
 */
import {
  addToCounter,
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
  isLive,
  type InferInsert,
  type InferRow,
  type InferUpdate,
  Law,
  lawOf,
  lifeSides,
  lifeVerdict,
  type List,
  listItem,
  type NewChange,
  type OpIndex,
  placedItems,
  type Projector,
  type Row,
  type Schema,
  type SchemaView,
  shownValue,
  type Table,
  type Value,
  type Write,
} from '@driftlog/core'
import type { DraftMemory } from './draft.ts'
import { type Edit, editJson, editList, editSet, fillList, type ItemSource, type PlacedItem } from './edits.ts'
import type { FieldPlan, TablePlan } from './plan.ts'
import type { Own } from './undo.ts'

export interface DraftOption {
  /** What the row was when a form was opened on it: what came in since is a conflict and is not overwritten. */
  readonly draft?: DraftMemory
}

/** The writes to one table of a mutation. */
export interface TableWriter<T extends Schema['tables'][string]> {
  /**
   * Returns the row's id. With the id of a row that exists it is an upsert: the given fields are written. One that is deleted comes
   * back so; sets and lists that are given are replaced, counters are added to, and what is not given is as it was. One that refers
   * (`cascade`) to a row that is deleted is written, and hidden until that one returns. Throws ROW_ERASED, and VALUE_TAKEN as `update`.
   */
  insert(row: InferInsert<T>): string
  /**
   * Throws ROW_NOT_FOUND where the row is not there or deleted, ITEM_NOT_FOUND for an item that its list (or the draft's) does not
   * have, and VALUE_TAKEN (when the function returns) where another row shows the value of a field that is to be unique.
   */
  update(id: string, changes: InferUpdate<T>, options?: DraftOption): void
  /** Throws ROW_NOT_FOUND where the row is not there or deleted, in this mutation too. */
  delete(id: string, options?: DraftOption): void
  /**
   * Brings a deleted row back, with all its fields. Throws ROW_NOT_FOUND where it never was, ROW_ERASED, and VALUE_TAKEN as `update`.
   * One that is hidden because of a row that it refers to comes back with that one, and so may a value that is to be unique and
   * that another row took meanwhile: that is not refused, it is an open conflict.
   */
  restore(id: string): void
  /**
   * For a person's right to be forgotten: the row is gone for good on every replica, with all that was and will be written to it
   * (SECURITY.md says what that cannot reach). It cannot be undone. Throws ROW_NOT_FOUND where it never was.
   */
  erase(id: string): void
  /**
   * The row as this mutation leaves it so far: what a query shows after it, if this were its end and nobody else wrote. Rows that
   * refer to one that it deletes or restores are hidden, or show null, or are there again, as their references say. undefined: it is
   * not there, and `update` and `delete` do not find it either.
   */
  get(id: string): InferRow<T> | undefined
}

export type Tx<S extends Schema> = { readonly [K in keyof S['tables'] & string]: TableWriter<S['tables'][K]> }

/** What the mutation does to one field: a value that it takes, or edits of what it holds. */
interface PendingField {
  readonly edits: readonly Edit[]
  /** What its cell shows after them; a counter's sum of increments. */
  readonly shown: Value
  /** Of a list. */
  readonly items?: readonly PlacedItem[]
  readonly draft: DraftMemory | undefined
  /** Of a set, a list and JSON under deep merge: what the form shows from then on. */
  readonly onForm?: Value
}

/** What the mutation does to one row. */
interface PendingRow {
  readonly plan: TablePlan
  readonly id: string
  /** The row as it was; undefined where it is not known here. */
  readonly row: Row | undefined
  /** By its own life. */
  readonly wasLive: boolean
  readonly wasShown: boolean
  inserted: boolean
  deleted: boolean
  erased: boolean
  deleteDraft: DraftMemory | undefined
  readonly fields: Map<string, PendingField>
}

export interface TransactionContext {
  readonly plans: ReadonlyMap<string, TablePlan>
  readonly cells: CellState
  readonly view: SchemaView
  readonly projector: Projector
  readonly device: DeviceId
  /** The stamp that the mutation will have. */
  readonly hlc: Hlc
  newId(): string
}

const dotsOf = (writes: readonly Write[], ops: OpIndex): Dot[] => writes.map(({ ref }) => ops.dotOf(ref))

export class Transaction {
  readonly #context: TransactionContext
  readonly #pending = new Map<TablePlan, Map<string, PendingRow>>()
  readonly #compare = (a: DotRef, b: DotRef): number => this.#context.cells.ops.compare(a, b)
  #items: ItemSource | undefined
  #done = false

  constructor(context: TransactionContext) {
    this.#context = context
    context.view.refresh()
  }

  /** The object that the mutation's function gets: a writer a table. */
  tables(): Record<string, TableWriter<Schema['tables'][string]>> {
    const tables: Record<string, TableWriter<Schema['tables'][string]>> = {}
    for (const [name, plan] of this.#context.plans) {
      tables[name] = {
        insert: (row) => this.#insert(plan, row as Record<string, unknown>),
        update: (id, changes, options) => this.#update(plan, id, changes as Record<string, unknown>, options?.draft),
        delete: (id, options) => this.#delete(plan, id, options?.draft),
        restore: (id) => this.#restore(plan, id),
        erase: (id) => this.#erase(plan, id),
        get: (id) => this.#get(plan, id) as InferRow<Schema['tables'][string]> | undefined,
      }
    }
    return tables
  }

  /** The mutation's function is over: nothing more can be asked for. */
  end(): void {
    this.#done = true
  }

  /** The drafts that are saved: call each once it is written. */
  draftsSaved(): ((view: SchemaView, own: Own) => void)[] {
    const saved: ReturnType<Transaction['draftsSaved']> = []
    for (const [{ table }, rows] of this.#pending) {
      for (const { id, row, fields } of rows.values()) {
        const drafts = new Map<DraftMemory, Map<string, Value | undefined>>()
        for (const [name, { draft, onForm }] of fields) {
          if (draft === undefined) continue
          const saves = drafts.get(draft) ?? new Map<string, Value | undefined>()
          drafts.set(draft, saves.set(name, onForm))
        }
        for (const [draft, saves] of drafts) {
          const knewAll = row !== undefined && draft.knowsLife(row, this.#context.cells.ops)
          saved.push((view, own) => {
            const now = view.cells.table(table.name).rows.get(id)
            if (now !== undefined) draft.saved(saves, now, view, { table: table.name, own, knewAll })
          })
        }
      }
    }
    return saved
  }

  /** What is to be written, in the order in which rows were first touched. Throws VALUE_TAKEN. */
  changes(): NewChange[] {
    const changes: NewChange[] = []
    for (const [plan, rows] of this.#pending) {
      for (const { field } of plan.fields.values()) if (field.isUnique) this.#checkUnique(plan, field, rows)
      for (const pending of rows.values()) if (isChanged(pending)) this.#emit(pending, changes)
    }
    return changes
  }

  #emit(pending: PendingRow, changes: NewChange[]): void {
    const { plan, id, row } = pending
    const handle = row === undefined ? undefined : this.#context.projector.handleOf(row)
    const push = (shape: NewChange['shape'], value: Value, over?: readonly Dot[]): void => {
      changes.push(over === undefined ? { shape, rowId: id, handle, value } : { shape, rowId: id, handle, value, over })
    }
    if (pending.erased) {
      push(plan.erase, null)
      return
    }
    const { ops } = this.#context.cells
    if (pending.deleted && !pending.wasLive) return
    // Who knows of both sides decides between them, and says so: that settles it wherever the op comes (CONF3).
    const sides = row === undefined || pending.deleteDraft !== undefined ? [] : lifeSides(row, ops)
    const verdict = lifeVerdict(sides, ops, '', pending.deleted)
    if (verdict !== undefined) push(plan.resolve, verdict.value, verdict.over)
    if (pending.deleted) {
      push(plan.delete, null, row && pending.deleteDraft?.overLife(row, ops))
      return
    }
    if (pending.inserted) push(plan.insert, null)
    for (const [name, { edits, draft }] of pending.fields) {
      const field = plan.fields.get(name)!
      for (const { law, keys, value } of edits) {
        if (law !== Law.set || row === undefined) push(field.shape(law, keys), value)
        else this.#emitWrite(row, field, value, draft, push)
      }
    }
  }

  #emitWrite(
    row: Row,
    plan: FieldPlan,
    value: Value,
    draft: DraftMemory | undefined,
    push: (shape: NewChange['shape'], value: Value, over?: readonly Dot[]) => void,
  ): void {
    const { field } = plan
    const { view, cells } = this.#context
    const writes = view.field(field.table, field.name)!.writes(row)
    const over = this.#over(row, field, writes, draft)
    const replaced = over ?? writes
    // Who writes over several values says so: that settles their conflict wherever the op comes (CONF3).
    if (isContest(replaced)) push(plan.shape(Law.resolve), '', dotsOf(replaced, cells.ops))
    push(plan.shape(Law.set), value, over && dotsOf(over, cells.ops))
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
    if (field.strategy.kind !== 'manual' || !isContest(writes)) return undefined
    // Only what was shown is replaced, and of a conflict that was opened again nothing: the rest waits for a person.
    const ref = view.field(field.table, field.name)!.shownRef(row)
    return writes.filter((write) => write.ref === ref && write.isReopened !== true)
  }

  #checkUnique(plan: TablePlan, field: Field, rows: ReadonlyMap<string, PendingRow>): void {
    const { view } = this.#context
    const byValue = new Map<unknown, PendingRow[]>()
    for (const pending of rows.values()) {
      const value = this.#isShown(pending) ? this.#shownOf(pending, field) : null
      if (value !== null) byValue.set(value, [...(byValue.get(value) ?? []), pending])
    }
    for (const [value, holders] of byValue) {
      // Who shows it already makes nothing worse.
      const wasShown = ({ row, wasShown: was }: PendingRow): boolean =>
        was && shownValue(field, view.value(row!, field)) === value
      const taker = holders.find((pending) => !wasShown(pending))
      if (taker === undefined) continue
      const other = holders.find((pending) => pending !== taker)
      if (other !== undefined) throw taken(field, other.id)
      // One that this mutation makes show something else has left it.
      for (const { id } of view.rowsWith(field, value as Value))
        if (!rows.has(id) && !this.#isGone(plan.table.name, id)) throw taken(field, id)
    }
  }

  #shownOf(pending: PendingRow, field: Field): unknown {
    return shownValue(field, this.#cell(pending, field, lawOf(field)))
  }

  #rowOf(plan: TablePlan, id: string): PendingRow {
    if (this.#done) throw new DriftlogError('CLOSED', 'the mutation is over: do not keep or await inside its function')
    let rows = this.#pending.get(plan)
    if (rows === undefined) {
      rows = new Map()
      this.#pending.set(plan, rows)
    }
    let pending = rows.get(id)
    if (pending === undefined) {
      const row = this.#context.cells.table(plan.table.name).rows.get(id)
      pending = {
        plan,
        id,
        row,
        wasLive: row !== undefined && isLive(row, plan.table.onDelete),
        wasShown: row !== undefined && this.#context.view.isShown(row, plan.table),
        inserted: false,
        deleted: false,
        erased: false,
        deleteDraft: undefined,
        fields: new Map(),
      }
      rows.set(id, pending)
    }
    return pending
  }

  /** Whether a query shows the row after this mutation, as it is so far. */
  #isShown(pending: PendingRow): boolean {
    return isAlive(pending, this.#context.cells.ops) && !this.#isGone(pending.plan.table.name, pending.id)
  }

  /** REF1, after this mutation: it is dead, or a reference that cascades leads to a row that is. What is not known may come. */
  #isGone(table: string, id: string): boolean {
    const { plans, cells } = this.#context
    const reached = new Set([`${table}/${id}`])
    const places = [{ table, id }]
    for (const { table: name, id: rowId } of places) {
      const plan = plans.get(name)!
      const pending = this.#pending.get(plan)?.get(rowId)
      const row = cells.table(name).rows.get(rowId)
      if (isDead(pending, row, plan.table, cells.ops)) return true
      if (pending === undefined && row === undefined) continue
      for (const { field } of plan.fields.values()) {
        if (field.kind !== 'ref' || field.onDelete !== 'cascade') continue
        const written = pending?.fields.get(field.name)
        const target = shownValue(field, written === undefined ? this.#stored(row, field) : written.shown)
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

  #insert(plan: TablePlan, given: Record<string, unknown>): string {
    const { id: givenId, ...fields } = given
    if (givenId !== undefined && typeof givenId !== 'string') {
      throw new DriftlogError('VALUE_INVALID', `${plan.table.name}.id: a string is expected`, {
        table: plan.table.name,
      })
    }
    const pending = this.#rowOf(plan, givenId ?? this.#context.newId())
    expectNotErased(pending)
    if (!pending.deleted && this.#isShown(pending)) {
      this.#merge(pending, fields, 'insert', undefined)
      return pending.id
    }
    const before = { ...pending, fields: new Map(pending.fields) }
    pending.fields.clear()
    comeBack(pending)
    try {
      this.#merge(pending, fields, 'insert', undefined)
      for (const [name, { field }] of plan.fields) {
        if (isRequired(field) && !pending.fields.has(name)) encodeField(field, undefined)
      }
    } catch (error) {
      // The function may go on without it.
      Object.assign(pending, before)
      throw error
    }
    return pending.id
  }

  #update(plan: TablePlan, id: string, changes: Record<string, unknown>, draft: DraftMemory | undefined): void {
    this.#merge(this.#shownRow(plan, id), changes, 'update', draft)
  }

  #delete(plan: TablePlan, id: string, draft: DraftMemory | undefined): void {
    draft?.expectOf(plan.table.name, id)
    const pending = this.#shownRow(plan, id)
    pending.deleted = true
    pending.deleteDraft = draft
    pending.inserted = false
    pending.fields.clear()
  }

  #restore(plan: TablePlan, id: string): void {
    const pending = this.#rowOf(plan, id)
    expectNotErased(pending)
    if (isAlive(pending, this.#context.cells.ops) && !pending.deleted) return
    if (!hasLived(pending)) throw notFound(plan, id)
    comeBack(pending)
  }

  #erase(plan: TablePlan, id: string): void {
    const pending = this.#rowOf(plan, id)
    expectNotErased(pending)
    if (!hasLived(pending)) throw notFound(plan, id)
    pending.erased = true
    pending.fields.clear()
  }

  /** Takes in what fields are given, all of them or none. */
  #merge(
    pending: PendingRow,
    given: Record<string, unknown>,
    change: 'insert' | 'update',
    draft: DraftMemory | undefined,
  ): void {
    draft?.expectOf(pending.plan.table.name, pending.id)
    const merged: [string, PendingField][] = []
    for (const [name, value] of Object.entries(given)) {
      // A key that is there without a value says nothing, as in a spread of partial objects.
      if (value === undefined) continue
      const plan = pending.plan.fields.get(name)
      if (plan === undefined) {
        throw new DriftlogError('VALUE_INVALID', `${pending.plan.table.name} has no field ${JSON.stringify(name)}`, {
          table: pending.plan.table.name,
          field: name,
        })
      }
      merged.push([name, this.#pendingField(pending, plan, value, change, draft)])
    }
    for (const [name, field] of merged) pending.fields.set(name, field)
  }

  #pendingField(
    pending: PendingRow,
    { field, law }: FieldPlan,
    given: unknown,
    change: 'insert' | 'update',
    draft: DraftMemory | undefined,
  ): PendingField {
    const before = pending.fields.get(field.name)
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
        return { edits: [{ law, value: sum }], shown: sum, draft }
      }
      case Law.add: {
        const stored = shownValue(field, this.#stored(pending.row, field)) as readonly Value[]
        const now = (before?.shown ?? stored) as readonly Value[]
        const form = draft && this.#onForm(draft, field, before, NO_ELEMENTS)
        return { ...editSet(field, { stored, now, form }, given, earlier), draft }
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
        return { ...edited, edits: [...earlier, ...edited.edits], shown, draft }
      }
      case Law.put: {
        // What was written, not what is shown for want of it: a default that changes must not become a change of its own.
        const stored = this.#stored(pending.row, field) as Value | undefined
        const now = before === undefined ? stored : before.shown
        const form = draft && { shown: this.#onForm(draft, field, before, undefined) }
        return { ...editJson({ stored, now, form }, encodeField(field, given, change)), draft }
      }
      default: {
        const value = encodeField(field, given, change)
        return { edits: [{ law, value }], shown: this.#afterWrite(pending.row, field, value, draft), draft }
      }
    }
  }

  /** What a form shows of a field that is compared with it, after what this mutation saved of it so far. */
  #onForm<T>(draft: DraftMemory, field: Field, before: PendingField | undefined, none: T): Value | T {
    const shown = before?.draft === draft ? before.onForm : draft.shownOf(field)
    return shown === undefined ? none : shown
  }

  /** What a register shows after a write: the strategy may choose another of those that stay beside it. */
  #afterWrite(row: Row | undefined, field: Field, value: Value, draft: DraftMemory | undefined): Value {
    if (row === undefined) return value
    const { view, device, hlc } = this.#context
    const fieldView = view.field(field.table, field.name)!
    const writes = fieldView.writes(row)
    const over = this.#over(row, field, writes, draft)
    if (over === undefined) return value
    const beside = writes.filter((write) => !over.includes(write))
    return fieldView.valueBeside(beside, { value, author: device, stamp: hlc })
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

  #list(row: Row | undefined, field: Field): List | undefined {
    return row?.values[this.#context.view.field(field.table, field.name)!.column] as List | undefined
  }

  /** What the cell of a field holds; of a reference whatever became of what it names. */
  #stored(row: Row | undefined, field: Field): Value | CounterTotal | undefined {
    return row === undefined ? undefined : this.#context.view.field(field.table, field.name)!.value(row)
  }

  #get(plan: TablePlan, id: string): Record<string, unknown> | undefined {
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
    for (const [name, { field, law }] of plan.fields) shown[name] = decodeField(field, this.#cell(pending, field, law))
    return shown
  }

  /** What a field shows after this mutation, as `SchemaView.value` would. */
  #cell({ row, fields }: PendingRow, field: Field, law: Law): Value | CounterTotal | undefined {
    const written = fields.get(field.name)?.shown
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

/** It writes something. */
const isChanged = ({ inserted, deleted, erased, fields }: PendingRow): boolean =>
  inserted || deleted || erased || [...fields.values()].some(({ edits }) => edits.length > 0)

/** By its own life after this mutation: a drafted deletion leaves a row there that was changed meanwhile. */
const isAlive = (pending: PendingRow, ops: OpIndex): boolean => {
  const { plan, row, wasLive, inserted, deleted, erased, deleteDraft } = pending
  if (erased) return false
  if (!deleted) return inserted || wasLive
  const { onDelete } = plan.table
  return wasLive && onDelete !== 'delete-wins' && deleteDraft !== undefined && !deleteDraft.knowsLife(row!, ops)
}

/** It is known, and not alive. An op without effect may have named it, and no more. */
const isDead = (pending: PendingRow | undefined, row: Row | undefined, table: Table, ops: OpIndex): boolean => {
  if (pending === undefined ? row !== undefined && isLive(row, table.onDelete) : isAlive(pending, ops)) return false
  return row !== undefined && (row.touches.length > 0 || row.deletes.length > 0 || row.erased !== 0)
}

const hasLived = ({ row }: PendingRow): boolean => row !== undefined && row.created !== 0

const comeBack = (pending: PendingRow): void => {
  pending.inserted = true
  pending.deleted = false
  pending.deleteDraft = undefined
}

const isRequired = ({ kind, isOptional, default: given }: Field): boolean =>
  given === undefined && !isOptional && kind !== 'counter' && kind !== 'set' && kind !== 'list'

const notFound = ({ table }: TablePlan, id: string): DriftlogError =>
  new DriftlogError('ROW_NOT_FOUND', `${table.name} ${JSON.stringify(id)}`, { table: table.name, id })

const taken = (field: Field, rowId: string): DriftlogError =>
  new DriftlogError('VALUE_TAKEN', `${field.table}.${field.name}, by ${JSON.stringify(rowId)}`, {
    table: field.table,
    field: field.name,
    rowId,
  })

const expectNotErased = ({ plan, id, row, erased }: PendingRow): void => {
  if (erased || (row !== undefined && row.erased !== 0))
    throw new DriftlogError('ROW_ERASED', `${plan.table.name} ${JSON.stringify(id)}`, { table: plan.table.name, id })
}
