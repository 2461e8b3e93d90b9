/** What a query is given, as SQL takes it (Q4). */
import type {
  CompiledQuery,
  BinaryOperationNode,
  ColumnNode,
  OperationNode,
  ParensNode,
  PrimitiveValueListNode,
  ReferenceNode,
  ValueListNode,
  ValueNode,
} from 'kysely'
import type { SqlValue } from 'sql.js'
import { DriftlogError } from '../../errors.ts'
import { canonicalJson, encodeJson } from '../../schema/kinds/json.ts'
import { describe, Refusal } from '../../schema/kinds/kind.ts'
import type { TableLayout } from './layout.ts'
import { walk } from './walk.ts'

const refuse = (why: string, query: CompiledQuery<unknown>): DriftlogError =>
  new DriftlogError('QUERY_INVALID', why, { sql: query.sql })

/** Throws QUERY_INVALID for what no column can be compared with. */
export const bindParameters = (
  query: CompiledQuery<unknown>,
  layouts: ReadonlyMap<string, TableLayout>,
): SqlValue[] => {
  let jsonOperands: ReadonlySet<unknown> | undefined
  return query.parameters.map((parameter, index) => {
    if (typeof parameter === 'string' || parameter === null) return parameter
    if (typeof parameter === 'boolean') return parameter ? 1 : 0
    if (typeof parameter === 'number') {
      if (Number.isNaN(parameter)) throw refuse(`parameter ${index + 1} is NaN, which equals nothing`, query)
      return parameter
    }
    if (parameter instanceof Uint8Array) return parameter
    if (parameter instanceof Date) {
      const ms = parameter.getTime()
      if (Number.isNaN(ms)) throw refuse(`parameter ${index + 1} is an invalid Date`, query)
      return ms
    }
    if (typeof parameter === 'object') {
      jsonOperands ??= jsonOperandsOf(query.query, layouts)
      if (jsonOperands.has(parameter)) return jsonText(parameter, index, query)
    }
    throw refuse(`parameter ${index + 1} is ${describe(parameter)}, with which nothing can be compared`, query)
  })
}

const jsonText = (value: unknown, index: number, query: CompiledQuery<unknown>): string => {
  try {
    return canonicalJson(encodeJson(value))
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    throw refuse(`parameter ${index + 1} is ${error.message}`, query)
  }
}

/** The values that the query compares with a JSON column, told by the column's name. */
const jsonOperandsOf = (root: OperationNode, layouts: ReadonlyMap<string, TableLayout>): ReadonlySet<unknown> => {
  const jsonColumns = new Set<string>()
  for (const { fields } of layouts.values())
    for (const field of fields) if (field.kind === 'json') jsonColumns.add(field.name)
  const operands = new Set<unknown>()
  walk(root, (node) => {
    if (node.kind !== 'BinaryOperationNode') return
    const { leftOperand, rightOperand } = node as BinaryOperationNode
    if (leftOperand.kind !== 'ReferenceNode') return
    const { column } = leftOperand as ReferenceNode
    if (column.kind === 'ColumnNode' && jsonColumns.has((column as ColumnNode).column.name))
      collect(rightOperand, operands)
  })
  return operands
}

const collect = (node: OperationNode, into: Set<unknown>): void => {
  if (node.kind === 'ValueNode') into.add((node as ValueNode).value)
  else if (node.kind === 'ParensNode') collect((node as ParensNode).node, into)
  else if (node.kind === 'ValueListNode') for (const value of (node as ValueListNode).values) collect(value, into)
  else if (node.kind === 'PrimitiveValueListNode') {
    for (const value of (node as PrimitiveValueListNode).values) into.add(value)
  }
}
