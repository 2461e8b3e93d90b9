import { makeTasks } from '../data/tasks.ts'
import { byteSamples, peakMemory, rateSamples, startWatch } from '../harness/measure.ts'
import { need } from '../subjects/facts.ts'
import type { Sample } from '../harness/rows.ts'
import type { Workload, WorkloadContext } from './workload.ts'

const ROWS = 100_000
const SEED = 2

export const insertInBulk = async ({ subject, size }: WorkloadContext, rows: number): Promise<readonly Sample[]> => {
  const tasks = makeTasks(size(rows), SEED)
  const device = await need(subject, 'openInMemory')()
  const watch = startWatch()
  await device.insertAll(tasks)
  const count = await device.count()
  await device.stored()
  const spent = watch()
  const peak = peakMemory()
  if (count !== tasks.length) throw new Error(`${count} of ${tasks.length} rows`)
  const bytes = byteSamples(await device.log?.())
  await device.close()
  return [...rateSamples(tasks.length, spent), ...bytes, peak]
}

export const bulkWorkload: Workload = {
  name: 'W2',
  family: 'records',
  needs: 'openInMemory',
  measures: '100,000 rows inserted at once, in memory, up to the first query answered and all stored',
  ops: ROWS,
  run: (context) => insertInBulk(context, ROWS),
}
