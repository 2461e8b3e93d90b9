import { makeTasks, makeUpdates } from '../data/tasks.ts'
import { byteSamples, startWatch, timeSamples } from '../harness/measure.ts'
import { need } from '../subjects/facts.ts'
import { lostCells } from './check.ts'
import type { Sample } from '../harness/rows.ts'
import type { Workload, WorkloadContext } from './workload.ts'

const DEVICES = 4
const ROWS = 5_000
const UPDATES = 10_000
const SEED = 3

interface Merge {
  readonly devices: number
  readonly rows: number
  /** Of each device. */
  readonly updates: number
}

export const merge = async (
  { subject, size }: WorkloadContext,
  { devices, rows, updates: each }: Merge,
): Promise<readonly Sample[]> => {
  const tasks = makeTasks(size(rows), SEED)
  const group = await need(subject, 'openGroup')(devices, tasks)
  const updates = group.devices.map((_, index) => makeUpdates(tasks, size(each), SEED + 1 + index))
  for (const [index, device] of group.devices.entries()) {
    for (const { id, change } of updates[index]) {
      const done = device.update(id, change)
      if (done !== undefined) await done
    }
  }
  const watch = startWatch()
  const sent = await group.converge()
  for (const device of group.devices) await device.count()
  const spent = watch()
  const replicas = await Promise.all(group.devices.map((device) => device.readAll()))
  await group.close()
  return [...timeSamples(spent), ...byteSamples(sent), { metric: 'lost', value: lostCells(tasks, updates, replicas) }]
}

export const mergeWorkload: Workload = {
  name: 'W3',
  family: 'records',
  needs: 'openGroup',
  measures:
    '4 replicas, 10,000 concurrent updates each over the same 5,000 rows, from the last update made to a query answered on each',
  ops: DEVICES * UPDATES,
  run: (context) => merge(context, { devices: DEVICES, rows: ROWS, updates: UPDATES }),
}
