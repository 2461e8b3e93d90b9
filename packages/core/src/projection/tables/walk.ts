import type { OperationNode } from 'kysely'

const isNode = (thing: object): thing is OperationNode => 'kind' in thing && typeof thing.kind === 'string'

/** Visits every node of a query's syntax tree, parents first. */
export const walk = (root: OperationNode, visit: (node: OperationNode) => void): void => {
  const pending: object[] = [root]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    // What a value node carries is the app's, whatever it looks like.
    if (isNode(next)) {
      visit(next)
      if (next.kind === 'ValueNode' || next.kind === 'PrimitiveValueListNode') continue
    }
    for (const child of Object.values(next) as unknown[]) {
      if (typeof child === 'object' && child !== null) pending.push(child)
    }
  }
}
