/** What a schema's tables are to a mutation: the shapes of their changes, made once, because they are told by identity. */
import { type Field, Law, lawOf, type Schema, type Shape, type Table } from '@driftlog/core'

export interface FieldPlan {
  readonly field: Field
  readonly law: Law
  /** Of a change to the field under a law; `keys`: below it, in JSON. */
  shape(law: Law, keys?: readonly string[]): Shape
}

export interface TablePlan {
  readonly table: Table
  readonly insert: Shape
  readonly delete: Shape
  readonly erase: Shape
  /** Says why the row's life was decided about. */
  readonly resolve: Shape
  readonly fields: ReadonlyMap<string, FieldPlan>
}

export const planTables = (schema: Schema): ReadonlyMap<string, TablePlan> =>
  new Map(Object.entries(schema.tables as Record<string, Table>).map(([name, table]) => [name, planTable(name, table)]))

const planTable = (name: string, table: Table): TablePlan => ({
  table,
  insert: { law: Law.insert, table: name, path: [] },
  delete: { law: Law.delete, table: name, path: [] },
  erase: { law: Law.erase, table: name, path: [] },
  resolve: { law: Law.resolve, table: name, path: [''] },
  fields: new Map(Object.values(table.fields).map((field) => [field.name, planField(field)])),
})

const planField = (field: Field): FieldPlan => {
  const shapes = new Map<string, Shape>()
  return {
    field,
    law: lawOf(field),
    shape: (law, keys = []) => {
      const key = keys.length === 0 ? String(law) : JSON.stringify([law, keys])
      let shape = shapes.get(key)
      if (shape === undefined) {
        shape = { law, table: field.table, path: [field.name, ...keys] }
        shapes.set(key, shape)
      }
      return shape
    },
  }
}
