/** What a schema's tables are to a mutation: the shapes of their changes, made once, because they are told by identity. */
import { type Field, Law, lawOf, type Schema, type Shape, type Table } from '@driftlog/core'

export interface FieldPlan {
  readonly field: Field
  readonly law: Law
  /** The field as a list, and the shape of a change under its own law as one: most mutations write one field. */
  readonly alone: readonly FieldPlan[]
  readonly whole: readonly Shape[]
  /** Of a change to the field under a law; `keys`: below it, in JSON. */
  shape(law: Law, keys?: readonly string[]): Shape
}

export interface TablePlan {
  readonly table: Table
  /** Fields that every insert has to give. */
  readonly required: readonly FieldPlan[]
  /** References by which the row goes with the one that it refers to. */
  readonly cascades: readonly FieldPlan[]
  readonly hasUniques: boolean
  /** The same fields in the same order: the list that was asked about before, where it is equal, so that rows share it. */
  readonly sameFields: (plans: readonly FieldPlan[]) => readonly FieldPlan[]
  /** Of changes that set these fields, after one that inserts where that is asked for: shared by rows, too. */
  readonly shapesOf: (plans: readonly FieldPlan[], isInserted: boolean) => readonly Shape[]
  readonly insert: Shape
  readonly delete: Shape
  readonly erase: Shape
  /** Says why the row's life was decided about. */
  readonly resolve: Shape
  readonly fields: ReadonlyMap<string, FieldPlan>
}

export const planTables = (schema: Schema): ReadonlyMap<string, TablePlan> =>
  new Map(Object.entries(schema.tables as Record<string, Table>).map(([name, table]) => [name, planTable(name, table)]))

const planTable = (name: string, table: Table): TablePlan => {
  const fields = Object.values(table.fields).map(planField)
  const insert: Shape = { law: Law.insert, table: name, path: [] }
  return {
    table,
    required: fields.filter(({ field }) => isRequired(field)),
    cascades: fields.filter(({ field }) => field.kind === 'ref' && field.onDelete === 'cascade'),
    hasUniques: fields.some(({ field }) => field.isUnique),
    sameFields: shareLast(),
    shapesOf: shapesOfLast(insert),
    insert,
    delete: { law: Law.delete, table: name, path: [] },
    erase: { law: Law.erase, table: name, path: [] },
    resolve: { law: Law.resolve, table: name, path: [''] },
    fields: new Map(fields.map((plan) => [plan.field.name, plan])),
  }
}

const isRequired = ({ kind, isOptional, default: given }: Field): boolean =>
  given === undefined && !isOptional && kind !== 'counter' && kind !== 'set' && kind !== 'list'

const shareLast = (): TablePlan['sameFields'] => {
  let last: readonly FieldPlan[] = []
  return (plans) => {
    if (plans.length === 1) return plans[0].alone
    const isSame = plans.length === last.length && plans.every((plan, index) => plan === last[index])
    if (!isSame) last = plans
    return last
  }
}

const shapesOfLast = (insert: Shape): TablePlan['shapesOf'] => {
  let last: readonly FieldPlan[] | undefined
  let sets: readonly Shape[] = []
  let inserts: readonly Shape[] = []
  return (plans, isInserted) => {
    if (plans.length === 1 && !isInserted) return plans[0].whole
    if (plans !== last) {
      last = plans
      sets = plans.map(({ whole: [shape] }) => shape)
      inserts = [insert, ...sets]
    }
    return isInserted ? inserts : sets
  }
}

const NO_KEYS: readonly string[] = []

const planField = (field: Field): FieldPlan => {
  const shapes = new Map<string, Shape>()
  const own = lawOf(field)
  const whole: Shape = { law: own, table: field.table, path: [field.name] }
  const alone: FieldPlan[] = []
  const plan: FieldPlan = {
    field,
    law: own,
    alone,
    whole: [whole],
    shape: (law, keys = NO_KEYS) => {
      if (law === own && keys.length === 0) return whole
      const key = JSON.stringify([law, keys])
      let shape = shapes.get(key)
      if (shape === undefined) {
        shape = { law, table: field.table, path: [field.name, ...keys] }
        shapes.set(key, shape)
      }
      return shape
    },
  }
  alone.push(plan)
  return plan
}
