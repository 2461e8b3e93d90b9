/** CELL, STRAT, REF: each replica shows by its schema what the laws say of all that was done, and nothing of what was erased. */
import { expectedLaws } from '../laws/expected.ts'
import { textOf } from '../laws/texts.ts'
import type { CheckerFactory, Evidence, HealedReplica } from './checker.ts'
import { mayFork } from './identity-faults.ts'

type Row = Readonly<Record<string, unknown>>

/** Sets show in an order of their own; it is looked at where they are edited. */
const fieldText = (value: unknown): string =>
  textOf(Array.isArray(value) && typeof value[0] === 'string' ? value.map(textOf).toSorted() : value)

const differences = (shown: Row, expected: Row): string[] =>
  Object.entries(expected).flatMap(([field, value]) => {
    const [is, should] = [fieldText(shown[field]), fieldText(value)]
    return is === should ? [] : [`.${field} is ${is}; by its law it is ${should}`]
  })

const checkErased = ({ name, conflicts }: HealedReplica, key: string, log: Evidence['log']): string[] => {
  const found: string[] = []
  const [table, id] = key.split('/')
  const cells = log.cells.table(table).rows.get(id)
  if (cells !== undefined && (cells.values.length > 0 || cells.touches.length > 0)) {
    found.push(`the log's cells still hold something of ${key}, which was erased`)
  }
  if (conflicts().some((conflict) => conflict.table === table && conflict.rowId === id)) {
    found.push(`${name} tells of a conflict in ${key}, which was erased`)
  }
  return found
}

export const laws: CheckerFactory = (report, options) => ({
  name: 'laws',
  atHealed({ log, mutations, replicas, healedInMs }) {
    // After a fork what an op had seen is told in names that are no more: convergence has the say.
    if (options.laws === 0 || mayFork(options) || healedInMs === undefined) return
    const expected = expectedLaws(mutations, log)
    for (const replica of replicas) {
      for (const { key, isErased, shown: should } of expected[replica.version].rows) {
        const [table, id] = key.split('/')
        const shown = replica.row(table, id)
        if (isErased) for (const message of checkErased(replica, key, log)) report(message)
        if (shown === undefined || should === undefined) {
          if (shown !== should) report(`${replica.name} shows ${key} as ${shown === undefined ? 'not ' : ''}there`)
          continue
        }
        for (const difference of differences(shown, should)) report(`${replica.name}: ${key}${difference}`)
      }
    }
  },
})
