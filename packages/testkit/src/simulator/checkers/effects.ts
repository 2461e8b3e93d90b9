/** Faults 3: every op takes effect once. The cells are compared with a model that knows nothing of logs and heads. */
import { isLive, SchemaView } from '@driftlog/core'
import { expectedState } from '../model.ts'
import { schemas } from '../workload.ts'
import type { CheckerFactory } from './checker.ts'
import { mayFork } from './identity-faults.ts'

const text = (value: unknown): string =>
  typeof value === 'bigint' ? value.toString() : (JSON.stringify(value) ?? 'nothing')

const same = (a: unknown, b: unknown): boolean => text(a ?? 0) === text(b ?? 0)

export const effects: CheckerFactory = (report, options) => ({
  name: 'effects',
  atHealed({ log, mutations, replicas, gone, healedInMs }) {
    if (log.voidCount > 0) report(`${log.voidCount} ops are void, though all were written in good faith`)
    // What saw something that nobody has any more waits for ever.
    const ops = gone.batches.length === 0 ? log.ops : log.ops.filter(({ isShown }) => isShown)
    const view = SchemaView.beside(schemas[2], log.cells)
    for (const [key, expected] of expectedState(mutations, ops)) {
      const [table, id] = key.split('/')
      const row = log.cells.table(table).rows.get(id)
      if (row === undefined) {
        report(`row ${key} is missing`)
        continue
      }
      for (const [field, value] of expected.registers) {
        const shown = view.field(table, field)!.value(row)
        if (!same(shown, value)) report(`${key}.${field} is ${text(shown)}; its last write was ${text(value)}`)
      }
      for (const [field, total] of expected.counters) {
        const shown = view.field(table, field)!.value(row)
        if (!same(shown, total)) report(`${key}.${field} counts ${text(shown)}; the increments sum up to ${total}`)
      }
      if (mayFork(options)) continue
      const law = table === 'notes' ? 'delete-wins' : 'update-wins'
      if (isLive(row, law) !== expected.isLive) {
        report(`${key} is ${expected.isLive ? 'dead, but should live' : 'alive, but should be dead'} (${law})`)
      }
      if (healedInMs === undefined) continue
      for (const replica of replicas) {
        if (replica.version === 1 && table === 'labels') continue
        const shown = replica.row(table, id)
        if ((shown !== undefined) !== isLive(row, law))
          report(`${replica.name} shows ${key} as ${shown ? '' : 'not '}there`)
        if (shown === undefined) continue
        for (const [field, total] of expected.counters) {
          if (!same(shown[field], total))
            report(`${replica.name}: ${key}.${field} is ${text(shown[field])}, not ${total}`)
        }
      }
    }
  },
})
