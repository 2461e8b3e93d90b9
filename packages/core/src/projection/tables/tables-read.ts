import type { CompiledQuery, IdentifierNode, OperationNode, RawNode, TableNode } from 'kysely'
import type { TypedSchema } from '../../schema/infer.ts'
import { CONFLICTS } from '../view/conflict-table.ts'
import { searchTableOf } from './layout.ts'
import { walk } from './walk.ts'

/**
 * The tables of the schema that a query reads: through joins, subqueries, CTEs, searches and raw SQL too (Q6). Never
 * one too few; one too many where an alias or a raw fragment has a table's name in it.
 */
export const tablesRead = (schema: TypedSchema, query: CompiledQuery<unknown>): ReadonlySet<string> => {
  const byName = new Map<string, string>()
  for (const table of [...Object.keys(schema.tables), CONFLICTS]) {
    byName.set(table.toLowerCase(), table)
    byName.set(searchTableOf(table).toLowerCase(), table)
  }
  const read = new Set<string>()
  const add = (identifier: IdentifierNode): void => {
    const table = byName.get(identifier.name.toLowerCase())
    if (table !== undefined) read.add(table)
  }
  let hasRaw = false
  walk(query.query, (node: OperationNode) => {
    if (node.kind === 'TableNode') add((node as TableNode).table.identifier)
    // The empty fragments around sql.ref and sql.val say nothing.
    else if (node.kind === 'RawNode') hasRaw ||= (node as RawNode).sqlFragments.some((text) => text.trim() !== '')
  })
  if (hasRaw) {
    // Raw SQL reads a table only by spelling its name somewhere in the text.
    const text = query.sql.toLowerCase()
    for (const [name, table] of byName) if (text.includes(name)) read.add(table)
  }
  return read
}
