/** What a mutation is to do, row by row, while its function runs. */
import { DriftlogError, hasSiblings, isLive, type OpIndex, type Row, type Table, type Value } from '@driftlog/core'
import type { DraftMemory } from './draft.ts'
import type { Edit, Edited, PlacedItem } from './edits.ts'
import type { FieldPlan, TablePlan } from './plan.ts'

/** What the mutation does to a field that does not just take a value. */
export class FieldEdit {
  readonly edits: readonly Edit[]
  /** What its cell shows after them; a counter's sum of increments. */
  readonly shown: Value
  readonly draft: DraftMemory | undefined
  /** Of a list. */
  readonly items: readonly PlacedItem[] | undefined
  /** Of a set, a list and JSON under deep merge: what the form shows from then on. */
  readonly onForm: Value | undefined

  constructor(
    edited: Edited & { readonly items?: readonly PlacedItem[]; readonly onForm?: Value },
    draft: DraftMemory | undefined,
  ) {
    this.edits = edited.edits
    this.shown = edited.shown
    this.draft = draft
    this.items = edited.items
    this.onForm = edited.onForm
  }
}

/** A register that takes a value, and shows it after that, is written as that value: most are, and there are many. */
export type PendingField = Value | FieldEdit

export const shownOf = (pending: PendingField): Value => (pending instanceof FieldEdit ? pending.shown : pending)
export const editOf = (pending: PendingField | undefined): FieldEdit | undefined =>
  pending instanceof FieldEdit ? pending : undefined

const NO_PLANS: readonly FieldPlan[] = []
const NO_WRITES: readonly PendingField[] = []

/** What the mutation does to one row. */
export class PendingRow {
  readonly plan: TablePlan
  readonly id: string
  /** The row as it was; undefined where it is not known here. */
  readonly row: Row | undefined
  /** By its own life. */
  readonly wasLive: boolean
  inserted = false
  deleted = false
  erased = false
  deleteDraft: DraftMemory | undefined = undefined
  /** What is written, and to which fields, in the order in which they were first given. Replaced, never changed. */
  plans = NO_PLANS
  writes = NO_WRITES

  constructor(plan: TablePlan, id: string, row: Row | undefined) {
    this.plan = plan
    this.id = id
    this.row = row
    this.wasLive = row !== undefined && isLive(row, plan.table.onDelete)
  }

  of(plan: FieldPlan): PendingField | undefined {
    const index = this.plans.indexOf(plan)
    return index < 0 ? undefined : this.writes[index]
  }

  set(plans: readonly FieldPlan[], writes: readonly PendingField[]): void {
    if (this.plans.length === 0) {
      this.plans = plans
      this.writes = writes
      return
    }
    const [allPlans, allWrites] = [[...this.plans], [...this.writes]]
    plans.forEach((plan, index) => {
      const at = allPlans.indexOf(plan)
      allWrites[at < 0 ? allPlans.push(plan) - 1 : at] = writes[index]
    })
    this.plans = allPlans
    this.writes = allWrites
  }

  clear(): void {
    this.plans = NO_PLANS
    this.writes = NO_WRITES
  }
}

/** So few rows are looked through faster than a map of them is made. */
const FEW_ROWS = 8

/** The rows of one table that the mutation touches, in the order in which they were first touched. */
export class PendingTable {
  readonly plan: TablePlan
  readonly rows: PendingRow[] = []
  #byId: Map<string, PendingRow> | undefined

  constructor(plan: TablePlan) {
    this.plan = plan
  }

  find(id: string): PendingRow | undefined {
    return this.#byId === undefined ? this.rows.find((row) => row.id === id) : this.#byId.get(id)
  }

  clear(): void {
    this.rows.length = 0
    this.#byId = undefined
  }

  add(row: PendingRow): void {
    this.rows.push(row)
    if (this.#byId !== undefined) this.#byId.set(row.id, row)
    else if (this.rows.length > FEW_ROWS) this.#byId = new Map(this.rows.map((known) => [known.id, known]))
  }
}

/** It writes something. */
export const isChanged = ({ inserted, deleted, erased, writes }: PendingRow): boolean => {
  if (inserted || deleted || erased) return true
  for (const written of writes) if (!(written instanceof FieldEdit) || written.edits.length > 0) return true
  return false
}

/** It only gives values to registers of a row in which nothing is concurrent, and maybe brings the row: nothing is settled by that. */
export const isPlain = ({ deleted, erased, row, writes }: PendingRow): boolean => {
  if (deleted || erased || (row !== undefined && (row.deletes.length > 0 || hasSiblings(row)))) return false
  for (const written of writes) if (written instanceof FieldEdit) return false
  return true
}

/** By its own life after this mutation: a drafted deletion leaves a row there that was changed meanwhile. */
export const isAlive = (pending: PendingRow, ops: OpIndex): boolean => {
  const { plan, row, wasLive, inserted, deleted, erased, deleteDraft } = pending
  if (erased) return false
  if (!deleted) return inserted || wasLive
  const { onDelete } = plan.table
  return wasLive && onDelete !== 'delete-wins' && deleteDraft !== undefined && !deleteDraft.knowsLife(row!, ops)
}

/** It is known, and not alive. An op without effect may have named it, and no more. */
export const isDead = (pending: PendingRow | undefined, row: Row | undefined, table: Table, ops: OpIndex): boolean => {
  if (pending === undefined ? row !== undefined && isLive(row, table.onDelete) : isAlive(pending, ops)) return false
  return row !== undefined && (row.touches.length > 0 || row.deletes.length > 0 || row.erased !== 0)
}

export const hasLived = ({ row }: PendingRow): boolean => row !== undefined && row.created !== 0

export const comeBack = (pending: PendingRow): void => {
  pending.inserted = true
  pending.deleted = false
  pending.deleteDraft = undefined
}

export const notFound = ({ table }: TablePlan, id: string): DriftlogError =>
  new DriftlogError('ROW_NOT_FOUND', `${table.name} ${JSON.stringify(id)}`, { table: table.name, id })

export const expectNotErased = ({ plan, id, row, erased }: PendingRow): void => {
  if (erased || (row !== undefined && row.erased !== 0))
    throw new DriftlogError('ROW_ERASED', `${plan.table.name} ${JSON.stringify(id)}`, { table: plan.table.name, id })
}
