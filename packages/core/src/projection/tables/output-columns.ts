/**
 * Which column of which table each column of a result is, read off the query's syntax tree (Q2).
 *
 * Followed: columns by name, `select *`, aliases, joins, subqueries, CTEs (recursive ones by their first select), the
 * first select of a union, scalar subqueries, and what returns one of its arguments as it is (min, max, coalesce, case).
 * Any other expression is shown as SQL returns it.
 */
import type {
  AggregateFunctionNode,
  AliasNode,
  CaseNode,
  ColumnNode,
  CommonTableExpressionNode,
  FunctionNode,
  IdentifierNode,
  OperationNode,
  ParensNode,
  RawNode,
  ReferenceNode,
  SelectionNode,
  SelectQueryNode,
  TableNode,
} from 'kysely'
import type { FromSql, TableLayout } from './layout.ts'

interface OutputColumn {
  /** undefined: SQLite makes up a name, to which no query can refer. */
  readonly name: string | undefined
  /** undefined: shown as SQL returns it. */
  readonly fromSql: FromSql | undefined
}

/** undefined: raw SQL decides how many columns there are. */
type Columns = readonly OutputColumn[] | undefined

interface Source {
  readonly name: string | undefined
  readonly columns: Columns
}

interface Scope {
  readonly sources: readonly Source[]
  /** CTEs in sight. */
  readonly ctes: ReadonlyMap<string, Columns>
  readonly outer: Scope | undefined
  readonly layouts: ReadonlyMap<string, TableLayout>
}

/** One conversion for each of `count` columns; undefined: as SQL returns it. */
export const outputColumns = (
  root: OperationNode,
  layouts: ReadonlyMap<string, TableLayout>,
  count: number,
): readonly (FromSql | undefined)[] => {
  const columns = selectColumns(root as SelectQueryNode, { sources: [], ctes: new Map(), outer: undefined, layouts })
  // A wrong guess would be worse than none.
  return columns?.length === count ? columns.map(({ fromSql }) => fromSql) : []
}

const selectColumns = (node: SelectQueryNode, outer: Scope): Columns => {
  const ctes = new Map(outer.ctes)
  const base: Scope = { sources: [], ctes, outer, layouts: outer.layouts }
  for (const cte of node.with?.expressions ?? []) defineCte(cte, ctes, base)
  const tables = [...(node.from?.froms ?? []), ...(node.joins ?? []).map(({ table }) => table)]
  const scope: Scope = { ...base, sources: tables.map((table) => sourceOf(table, base)) }
  const columns: OutputColumn[] = []
  for (const { selection } of node.selections ?? []) {
    const selected = selectionColumns(selection, scope)
    if (selected === undefined) return undefined
    columns.push(...selected)
  }
  return columns
}

const defineCte = (cte: CommonTableExpressionNode, ctes: Map<string, Columns>, scope: Scope): void => {
  const name = cte.name.table.table.identifier.name
  // In sight of itself, for recursion; its first select does not read it.
  ctes.set(name, undefined)
  const columns = queryColumns(cte.expression, scope)
  const names = cte.name.columns
  ctes.set(
    name,
    names === undefined ? columns : columns?.map((column, index) => ({ ...column, name: names[index]?.column.name })),
  )
}

/** The columns of something that returns rows. */
const queryColumns = (node: OperationNode, scope: Scope): Columns => {
  if (node.kind === 'SelectQueryNode') return selectColumns(node as SelectQueryNode, scope)
  if (node.kind === 'ParensNode') return queryColumns((node as ParensNode).node, scope)
  const inner = soleChild(node)
  return inner === undefined ? undefined : queryColumns(inner, scope)
}

const sourceOf = (node: OperationNode, scope: Scope): Source => {
  if (node.kind === 'AliasNode') {
    const { node: aliased, alias } = node as AliasNode
    const name = alias.kind === 'IdentifierNode' ? (alias as IdentifierNode).name : undefined
    return { name, columns: sourceOf(aliased, scope).columns }
  }
  if (node.kind === 'TableNode') {
    const { name } = (node as TableNode).table.identifier
    if (scope.ctes.has(name)) return { name, columns: scope.ctes.get(name) }
    return { name, columns: scope.layouts.get(name)?.columns }
  }
  return { name: undefined, columns: queryColumns(node, scope) }
}

const selectionColumns = (node: SelectionNode['selection'], scope: Scope): Columns => {
  if (node.kind === 'SelectAllNode') return concatenated(scope.sources)
  if (node.kind === 'AliasNode') {
    const { node: aliased, alias } = node
    const name = alias.kind === 'IdentifierNode' ? (alias as IdentifierNode).name : undefined
    return [{ name, fromSql: conversionOf(aliased, scope) }]
  }
  if (node.kind === 'ReferenceNode') {
    const { column, table } = node
    if (column.kind === 'SelectAllNode') {
      const name = table?.table.identifier.name
      return concatenated(name === undefined ? scope.sources : scope.sources.filter((source) => source.name === name))
    }
    return [{ name: column.column.name, fromSql: conversionOf(node, scope) }]
  }
  if (node.kind === 'ColumnNode') return [{ name: node.column.name, fromSql: conversionOf(node, scope) }]
  // A selection of raw SQL can be `*`, or more than one column.
  return (node as OperationNode).kind === 'RawNode'
    ? undefined
    : [{ name: undefined, fromSql: conversionOf(node, scope) }]
}

const concatenated = (sources: readonly Source[]): Columns => {
  const columns: OutputColumn[] = []
  for (const source of sources) {
    if (source.columns === undefined) return undefined
    columns.push(...source.columns)
  }
  return columns
}

const lookUp = (name: string, table: string | undefined, scope: Scope): FromSql | undefined => {
  for (let level: Scope | undefined = scope; level !== undefined; level = level.outer) {
    for (const source of level.sources) {
      if (table !== undefined && source.name !== table) continue
      const column = source.columns?.find((candidate) => candidate.name === name)
      if (column !== undefined) return column.fromSql
      if (table !== undefined) return undefined
    }
  }
  return undefined
}

/** Functions that return one of their arguments. */
const PASSING = new Set(['min', 'max', 'coalesce', 'ifnull', 'nullif', 'first_value', 'last_value', 'lag', 'lead'])

const conversionOf = (node: OperationNode, scope: Scope): FromSql | undefined => {
  switch (node.kind) {
    case 'ReferenceNode': {
      const { column, table } = node as ReferenceNode
      return column.kind === 'ColumnNode'
        ? lookUp((column as ColumnNode).column.name, table?.table.identifier.name, scope)
        : undefined
    }
    case 'ColumnNode':
      return lookUp((node as ColumnNode).column.name, undefined, scope)
    case 'ParensNode':
      return conversionOf((node as ParensNode).node, scope)
    case 'AggregateFunctionNode': {
      const { func, aggregated } = node as AggregateFunctionNode
      return PASSING.has(func.toLowerCase()) && aggregated.length > 0 ? conversionOf(aggregated[0], scope) : undefined
    }
    case 'FunctionNode': {
      const { func, arguments: given } = node as FunctionNode
      return PASSING.has(func.toLowerCase()) && given.length > 0 ? conversionOf(given[0], scope) : undefined
    }
    case 'CaseNode': {
      const { when } = node as CaseNode
      const result = when?.[0]?.result
      return result === undefined ? undefined : conversionOf(result, scope)
    }
    case 'SelectQueryNode':
      return selectColumns(node as SelectQueryNode, scope)?.[0]?.fromSql
    default: {
      const inner = soleChild(node)
      return inner === undefined ? undefined : conversionOf(inner, scope)
    }
  }
}

/** What `sql.ref`, `sql.table` and sql`${expression}` wrap. */
const soleChild = (node: OperationNode): OperationNode | undefined => {
  if (node.kind !== 'RawNode') return undefined
  const { parameters, sqlFragments } = node as RawNode
  return parameters.length === 1 && sqlFragments.every((text) => text.trim() === '') ? parameters[0] : undefined
}
