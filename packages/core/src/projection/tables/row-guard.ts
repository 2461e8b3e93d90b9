/**
 * Whether a change of one row can make a difference to a query (Q6). It cannot where the query reads one table, and the row is not
 * among what its `where` lets through, neither as it was nor as it is. SQLite itself is asked, so whatever the condition says counts.
 */
import {
  AliasNode,
  AndNode,
  BinaryOperationNode,
  ColumnNode,
  type CompiledQuery,
  type OperationNode,
  OperatorNode,
  ParensNode,
  type RawNode,
  ReferenceNode,
  SelectionNode,
  SelectQueryNode,
  SqliteQueryCompiler,
  TableNode,
  ValueNode,
  WhereNode,
} from 'kysely'
import { ROW_NUMBER } from './layout.ts'
import { walk } from './walk.ts'

/** A query that has a row in its result where the one that is guarded reads the row of that number. */
export type RowGuard = (rowNumber: number) => CompiledQuery<unknown>

/** undefined where a query may read what its `where` does not tell: another table, all of its table, raw SQL, what time it is. */
export const rowGuard = (query: CompiledQuery<unknown>): RowGuard | undefined => {
  const { query: root } = query
  if (!SelectQueryNode.is(root) || root.from?.froms.length !== 1 || root.where === undefined) return undefined
  const [from] = root.from.froms
  if (!TableNode.is(AliasNode.is(from) ? from.node : from) || !isTelling(root)) return undefined
  const number = ReferenceNode.create(ColumnNode.create(ROW_NUMBER))
  const isRow = BinaryOperationNode.create(number, OperatorNode.create('='), ValueNode.create(0))
  const guard: SelectQueryNode = {
    ...SelectQueryNode.createFrom(root.from.froms),
    selections: [SelectionNode.create(number)],
    where: WhereNode.create(AndNode.create(ParensNode.create(root.where.where), isRow)),
  }
  const compiled = new SqliteQueryCompiler().compileQuery(guard, query.queryId)
  // The last one is the number.
  const parameters = compiled.parameters.slice(0, -1)
  return (rowNumber) => ({ ...compiled, parameters: [...parameters, rowNumber] })
}

// `FunctionNode`: `random()`, `date('now')`; aggregates are of another kind.
const UNTOLD: ReadonlySet<string> = new Set(['JoinNode', 'WithNode', 'SetOperationNode', 'FunctionNode'])

/** Whether the `where` of a select of one table tells all that its result depends on. */
const isTelling = (root: SelectQueryNode): boolean => {
  let isTold = true
  walk(root, (node: OperationNode) => {
    if (node.kind === 'SelectQueryNode') isTold &&= node === root
    // The direction of an order is one too.
    else if (node.kind === 'RawNode')
      isTold &&= (node as RawNode).sqlFragments.every((text) => /^\s*(asc|desc)?\s*$/i.test(text))
    else isTold &&= !UNTOLD.has(node.kind)
  })
  return isTold
}
