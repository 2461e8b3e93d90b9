/** What a schema's tables are to a mutation: the shapes of their changes, made once, because they are told by identity. */
import { type Field, Law, lawOf, type Schema, type Shape, type Table } from '@driftlog/core'

export interface FieldPlan {
  readonly field: Field
  readonly shape: Shape
}

export interface TablePlan {
  readonly table: Table
  readonly insert: Shape
  readonly delete: Shape
  readonly fields: ReadonlyMap<string, FieldPlan>
}

export const planTables = (schema: Schema): ReadonlyMap<string, TablePlan> =>
  new Map(Object.entries(schema.tables as Record<string, Table>).map(([name, table]) => [name, planTable(name, table)]))

const planTable = (name: string, table: Table): TablePlan => ({
  table,
  insert: { law: Law.insert, table: name, path: [] },
  delete: { law: Law.delete, table: name, path: [] },
  fields: new Map(
    Object.entries(table.fields).map(([key, field]) => [
      key,
      { field, shape: { law: lawOf(field), table: name, path: [key] } },
    ]),
  ),
})
