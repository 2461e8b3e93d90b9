import { endOfHistory } from '../data/history.ts'
import { makeTasks } from '../data/tasks.ts'
import { byteSamples, startWatch, timeSamples } from '../harness/measure.ts'
import { need } from '../subjects/facts.ts'
import { checkRows } from './check.ts'
import type { Workload } from './workload.ts'

const HISTORY = { tasks: 20_000, ops: 100_000 }
const BEHIND = 1_000
const SEED = 5

export const catchUpWorkload: Workload = {
  name: 'W5',
  family: 'records',
  needs: 'late',
  measures:
    'a device that lacks the last 1,000 of 100,000 ops (20,000 rows) takes them in, up to a query answered; it was open and had answered one before',
  ops: BEHIND,
  async prepare({ subject, folder, size }) {
    const history = { tasks: size(HISTORY.tasks), ops: size(HISTORY.ops), seed: SEED }
    await need(subject, 'late').prepare(folder, history, size(BEHIND))
  },
  async run({ subject, folder, size }) {
    const behind = await need(subject, 'late').open(folder)
    const [task] = makeTasks(1, SEED)
    await behind.device.count()
    await behind.device.read(task.id)
    const watch = startWatch()
    await behind.catchUp()
    const count = await behind.device.count()
    const spent = watch()
    if (count !== size(HISTORY.tasks)) throw new Error(`${count} rows`)
    const end = endOfHistory({ tasks: size(HISTORY.tasks), ops: size(HISTORY.ops), seed: SEED })
    checkRows(await behind.device.readAll(), end)
    await behind.close()
    return [...timeSamples(spent), ...byteSamples(behind.travelled())]
  },
}
