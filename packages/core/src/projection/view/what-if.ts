/** What another schema would show of the same cells (SPEC VIEW3). Nothing is changed. */
import { decodeField } from '../../schema/encode.ts'
import type { Schema } from '../../schema/schema.ts'
import { isEqual } from '../tables/reconcile.ts'
import { SchemaView } from './schema-view.ts'

/** A row or a field that would show something else. */
export interface Difference {
  readonly table: string
  readonly rowId: string
  /** undefined: the row as a whole, which is `true` where it is there. */
  readonly field: string | undefined
  readonly now: unknown
  /** What would be shown. */
  readonly would: unknown
}

/** Tables and fields that both schemas have are compared, row by row. */
export const whatIf = (view: SchemaView, policy: Schema): Difference[] => {
  view.refresh()
  const other = SchemaView.beside(policy, view.cells)
  const differences: Difference[] = []
  for (const table of Object.values(view.schema.tables)) {
    const otherTable = Object.hasOwn(policy.tables, table.name) ? policy.tables[table.name] : undefined
    if (otherTable === undefined) continue
    const fields = Object.values(table.fields).filter((field) => Object.hasOwn(otherTable.fields, field.name))
    for (const row of view.rows(table.name)) {
      const at = { table: table.name, rowId: row.id }
      const now = view.isShown(row, table)
      const would = other.isShown(row, otherTable)
      if (now !== would) differences.push({ ...at, field: undefined, now, would })
      if (!now || !would) continue
      for (const field of fields) {
        const otherField = otherTable.fields[field.name]
        const shown = decodeField(field, view.value(row, field))
        const otherShown = decodeField(otherField, other.value(row, otherField))
        if (!isEqual(shown, otherShown)) differences.push({ ...at, field: field.name, now: shown, would: otherShown })
      }
    }
  }
  return differences
}
