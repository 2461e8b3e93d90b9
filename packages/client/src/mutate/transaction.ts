/**
 * One mutation while its function runs. Nothing is written before the function has returned, so one that throws leaves
 * no trace; `get` sees what the mutation has asked for so far.
 */
import {
  addToCounter,
  type CellState,
  type CounterTotal,
  decodeField,
  deviceOfRef,
  DriftlogError,
  encodeField,
  type Hlc,
  hlcToMs,
  type InferInsert,
  type InferRow,
  type InferUpdate,
  isLive,
  Law,
  type NewChange,
  type Projector,
  type Row,
  type Schema,
  shownCell,
  type Value,
} from '@driftlog/core'
import type { FieldPlan, TablePlan } from './plan.ts'

/** The writes to one table of a mutation. */
export interface TableWriter<T extends Schema['tables'][string]> {
  /** Returns the row's id. With the id of a row that exists it is an upsert: the given fields are written. */
  insert(row: InferInsert<T>): string
  /** Throws ROW_NOT_FOUND where the row is not there or deleted. */
  update(id: string, changes: InferUpdate<T>): void
  /** Throws ROW_NOT_FOUND where the row is not there or deleted. */
  delete(id: string): void
  /** The row as this mutation leaves it so far. */
  get(id: string): InferRow<T> | undefined
}

export type Tx<S extends Schema> = { readonly [K in keyof S['tables'] & string]: TableWriter<S['tables'][K]> }

/** What the mutation does to one row. */
interface PendingRow {
  readonly plan: TablePlan
  readonly id: string
  /** The row as it was; undefined where it is not known here. */
  readonly row: Row | undefined
  readonly wasLive: boolean
  inserted: boolean
  deleted: boolean
  readonly values: Map<string, Value>
}

export interface TransactionContext {
  readonly plans: ReadonlyMap<string, TablePlan>
  readonly cells: CellState
  readonly projector: Projector
  readonly device: string
  /** The stamp that the mutation will have. */
  readonly hlc: Hlc
  newId(): string
}

export class Transaction {
  readonly #context: TransactionContext
  readonly #pending = new Map<TablePlan, Map<string, PendingRow>>()
  #done = false

  constructor(context: TransactionContext) {
    this.#context = context
  }

  /** The object that the mutation's function gets: a writer a table. */
  tables(): Record<string, TableWriter<Schema['tables'][string]>> {
    const tables: Record<string, TableWriter<Schema['tables'][string]>> = {}
    for (const [name, plan] of this.#context.plans) {
      tables[name] = {
        insert: (row) => this.#insert(plan, row as Record<string, unknown>),
        update: (id, changes) => this.#update(plan, id, changes as Record<string, unknown>),
        delete: (id) => this.#delete(plan, id),
        get: (id) => this.#get(plan, id) as InferRow<Schema['tables'][string]> | undefined,
      }
    }
    return tables
  }

  /** The mutation's function is over: nothing more can be asked for. */
  end(): void {
    this.#done = true
  }

  /** What is to be written, in the order in which rows were first touched. */
  changes(): NewChange[] {
    const changes: NewChange[] = []
    for (const rows of this.#pending.values()) for (const pending of rows.values()) this.#emit(pending, changes)
    return changes
  }

  #emit(pending: PendingRow, changes: NewChange[]): void {
    const { plan, id, row } = pending
    const handle = row === undefined ? undefined : this.#context.projector.handleOf(row)
    if (pending.deleted) {
      if (pending.wasLive) changes.push({ shape: plan.delete, rowId: id, handle, value: null })
      return
    }
    if (pending.inserted) changes.push({ shape: plan.insert, rowId: id, handle, value: null })
    for (const [name, value] of pending.values) {
      changes.push({ shape: plan.fields.get(name)!.shape, rowId: id, handle, value })
    }
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
      const wasLive = row !== undefined && isLive(row, plan.table.onDelete)
      pending = { plan, id, row, wasLive, inserted: false, deleted: false, values: new Map() }
      rows.set(id, pending)
    }
    return pending
  }

  #isLive(pending: PendingRow): boolean {
    return !pending.deleted && (pending.inserted || pending.wasLive)
  }

  #liveRow(plan: TablePlan, id: string): PendingRow {
    const pending = this.#rowOf(plan, id)
    if (!this.#isLive(pending)) {
      throw new DriftlogError('ROW_NOT_FOUND', `${plan.table.name} ${JSON.stringify(id)}`, {
        table: plan.table.name,
        id,
      })
    }
    return pending
  }

  #insert(plan: TablePlan, given: Record<string, unknown>): string {
    const { id: givenId, ...fields } = given
    if (givenId !== undefined && typeof givenId !== 'string') {
      throw new DriftlogError('VALUE_INVALID', `${plan.table.name}.id: a string is expected`, {
        table: plan.table.name,
      })
    }
    const encoded = this.#encode(plan, fields, 'insert')
    const pending = this.#rowOf(plan, givenId ?? this.#context.newId())
    if (!this.#isLive(pending)) {
      for (const [name, { field }] of plan.fields) {
        const isRequired = field.default === undefined && !field.isOptional && field.kind !== 'counter'
        if (isRequired && !encoded.has(name)) encodeField(field, undefined)
      }
      pending.values.clear()
      pending.inserted = true
      pending.deleted = false
    }
    this.#merge(pending, encoded)
    return pending.id
  }

  #update(plan: TablePlan, id: string, changes: Record<string, unknown>): void {
    const encoded = this.#encode(plan, changes, 'update')
    this.#merge(this.#liveRow(plan, id), encoded)
  }

  #delete(plan: TablePlan, id: string): void {
    const pending = this.#liveRow(plan, id)
    pending.deleted = true
    pending.inserted = false
    pending.values.clear()
  }

  #encode(plan: TablePlan, given: Record<string, unknown>, change: 'insert' | 'update'): Map<string, Value> {
    const encoded = new Map<string, Value>()
    for (const [name, value] of Object.entries(given)) {
      // A key that is there without a value says nothing, as in a spread of partial objects.
      if (value === undefined) continue
      const field = plan.fields.get(name)?.field
      if (field === undefined) {
        throw new DriftlogError('VALUE_INVALID', `${plan.table.name} has no field ${JSON.stringify(name)}`, {
          table: plan.table.name,
          field: name,
        })
      }
      encoded.set(name, encodeField(field, value, change))
    }
    return encoded
  }

  #merge(pending: PendingRow, encoded: Map<string, Value>): void {
    for (const [name, value] of encoded) {
      const { shape } = pending.plan.fields.get(name)!
      if (shape.law !== Law.increment) {
        pending.values.set(name, value)
        continue
      }
      const sum = addToCounter((pending.values.get(name) as number | undefined) ?? 0, value as number)
      if (typeof sum === 'bigint')
        throw new DriftlogError('VALUE_INVALID', `${pending.plan.table.name}.${name}: beyond 2^53`)
      pending.values.set(name, sum)
    }
  }

  #get(plan: TablePlan, id: string): Record<string, unknown> | undefined {
    const pending = this.#rowOf(plan, id)
    if (!this.#isLive(pending)) return undefined
    const { hlc, device, projector } = this.#context
    const now = new Date(hlcToMs(hlc))
    const { row } = pending
    const isWritten = pending.inserted || pending.values.size > 0
    const shown: Record<string, unknown> = {
      id,
      createdAt: row === undefined || row.created === 0 ? now : new Date(hlcToMs(projector.ops.stamp(row.created))),
      createdBy: row === undefined || row.created === 0 ? device : projector.ops.authorId(deviceOfRef(row.created)),
      updatedAt:
        row === undefined || row.updated === 0 || isWritten ? now : new Date(hlcToMs(projector.ops.stamp(row.updated))),
    }
    for (const [name, plan_] of plan.fields) shown[name] = decodeField(plan_.field, this.#cell(pending, name, plan_))
    return shown
  }

  #cell(pending: PendingRow, name: string, { shape }: FieldPlan): Value | CounterTotal | undefined {
    const stored = pending.row === undefined ? undefined : shownCell(pending.row, shape.law, shape.path)
    const written = pending.values.get(name)
    if (shape.law !== Law.increment) return written === undefined ? stored : written
    return written === undefined ? stored : addToCounter((stored as CounterTotal | undefined) ?? 0, written as number)
  }
}
