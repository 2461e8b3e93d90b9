/**
 * The oracle: the state that follows from what users did, computed in the plainest way. Only the order of the mutations is
 * taken from the log (their stamps); what each had seen was written down when it was made.
 */
import type { LoggedOp } from './final-log.ts'
import type { AskedChange, Mutation } from './ledger.ts'

export interface ExpectedRow {
  readonly registers: Map<string, unknown>
  readonly counters: Map<string, number>
  isLive: boolean
}

interface Made {
  readonly mutation: Mutation
  readonly op: LoggedOp
}

/** By `table/id`. */
export const expectedState = (mutations: readonly Mutation[], ops: readonly LoggedOp[]): Map<string, ExpectedRow> => {
  const made: Made[] = []
  for (const op of ops) {
    const mutation = op.marker === undefined ? undefined : mutations[op.marker - 1]
    if (mutation !== undefined) made.push({ mutation, op })
  }
  // CELL10. Whoever saw a write is stamped above it, so the last one in this order is the one that is shown.
  made.sort((a, b) => a.op.stamp - b.op.stamp || compareText(a.op.branch, b.op.branch) || a.op.seq - b.op.seq)
  const rows = new Map<string, ExpectedRow>()
  const touched = new Map<string, { readonly by: Mutation; readonly act: AskedChange['act'] }[]>()
  for (const { mutation } of made) {
    for (const { table, row, act, set, add } of mutation.changes) {
      const key = `${table}/${row}`
      const expected = rows.get(key) ?? { registers: new Map(), counters: new Map(), isLive: false }
      rows.set(key, expected)
      for (const [field, value] of Object.entries(set)) expected.registers.set(field, value)
      for (const [field, by] of Object.entries(add)) {
        expected.counters.set(field, (expected.counters.get(field) ?? 0) + by)
      }
      const acts = touched.get(key) ?? []
      touched.set(key, acts)
      acts.push({ by: mutation, act })
    }
  }
  for (const [key, acts] of touched) rows.get(key)!.isLive = livesOn(acts, key.startsWith('notes/'))
  return rows
}

/** CELL5, word by word. */
const livesOn = (
  acts: readonly { readonly by: Mutation; readonly act: AskedChange['act'] }[],
  deleteWins: boolean,
): boolean => {
  const deletes = acts.filter(({ act }) => act === 'delete')
  if (deletes.length === 0) return true
  const isKept = acts.some(({ by, act }) => act !== 'delete' && !deletes.some((one) => saw(one.by, by)))
  if (!deleteWins) return isKept
  const inserts = acts.filter(({ act }) => act === 'insert')
  return isKept && deletes.every(({ by }) => inserts.some((one) => saw(one.by, by)))
}

const saw = (later: Mutation, earlier: Mutation): boolean =>
  (later.seen.get(earlier.device as never) ?? 0) >= earlier.seq

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
