import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { endOfHistory } from '../data/history.ts'
import { makeTasks } from '../data/tasks.ts'
import { byteSamples, startWatch, timeSamples } from '../harness/measure.ts'
import type { Sample } from '../harness/rows.ts'
import { need } from '../subjects/facts.ts'
import { checkRows } from './check.ts'
import type { Workload, WorkloadContext } from './workload.ts'

const HISTORY = { tasks: 20_000, ops: 100_000 }
const BEHIND = 1_000
const SEED = 5
/** After as many devices that did the same, what is run is compiled. */
const WARM_UPS = 2

const prepare = async ({ subject, folder, size }: WorkloadContext): Promise<void> => {
  const history = { tasks: size(HISTORY.tasks), ops: size(HISTORY.ops), seed: SEED }
  await need(subject, 'late').prepare(folder, history, size(BEHIND))
}

const catchUp = async ({ subject, folder, size }: WorkloadContext): Promise<readonly Sample[]> => {
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
}

/** A device may write where it starts from. */
const onCopy = async (context: WorkloadContext, name: string): Promise<WorkloadContext> => {
  const folder = join(`${context.folder}-copies`, name)
  await cp(context.folder, folder, { recursive: true })
  return { ...context, folder }
}

const MEASURES =
  'a device that lacks the last 1,000 of 100,000 ops (20,000 rows) takes them in, up to a query answered; it was open and had answered one before'

export const catchUpWorkloads: readonly Workload[] = [
  { name: 'W5', family: 'records', needs: 'late', measures: MEASURES, ops: BEHIND, prepare, run: catchUp },
  {
    name: 'W5-warm',
    startsAs: 'W5',
    family: 'records',
    needs: 'late',
    measures: `W5 in a process in which ${WARM_UPS} devices have done the same before`,
    prepare,
    async run(context) {
      for (let count = 0; count < WARM_UPS; count++) await catchUp(await onCopy(context, `copy-${count}`))
      return (await catchUp(context)).filter(({ metric }) => !metric.startsWith('bytes'))
    },
  },
]
