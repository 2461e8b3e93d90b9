import { endOfHistory } from '../data/history.ts'
import { startWatch, timeSamples } from '../harness/measure.ts'
import { need } from '../subjects/facts.ts'
import { checkRows } from './check.ts'
import type { Workload } from './workload.ts'

const HISTORY = { tasks: 20_000, ops: 100_000 }
const SEED = 4

export const coldStartWorkload: Workload = {
  name: 'W4',
  family: 'records',
  needs: 'cold',
  measures:
    'a fresh process opens a stored log of 100,000 ops over 20,000 rows, up to the first query answered; loading the modules is not counted',
  async prepare({ subject, folder, size }) {
    await need(subject, 'cold').prepare(folder, { tasks: size(HISTORY.tasks), ops: size(HISTORY.ops), seed: SEED })
  },
  async run({ subject, folder, size }) {
    const watch = startWatch()
    const device = await need(subject, 'cold').open(folder)
    const count = await device.count()
    const spent = watch()
    if (count !== size(HISTORY.tasks)) throw new Error(`${count} rows`)
    checkRows(await device.readAll(), endOfHistory({ tasks: size(HISTORY.tasks), ops: size(HISTORY.ops), seed: SEED }))
    await device.close()
    return timeSamples(spent)
  },
}
