import { makeTasks, makeUpdates, TASK_FIELDS, type Task } from '../data/tasks.ts'
import { byteSamples, startWatch, timeSamples } from '../harness/measure.ts'
import type { Workload } from './workload.ts'

const DEVICES = 4
const ROWS = 5_000
const UPDATES = 10_000
const SEED = 3

/** Cells in which a replica differs from the first one; a row that is missing counts all of its cells. */
export const differingCells = (replicas: readonly (readonly Task[])[]): number => {
  const [first, ...others] = replicas.map((tasks) => new Map(tasks.map((task) => [task.id, task])))
  let differing = 0
  for (const other of others) {
    for (const id of new Set([...first.keys(), ...other.keys()])) {
      const [a, b] = [first.get(id), other.get(id)]
      differing += TASK_FIELDS.filter((field) => a === undefined || b === undefined || a[field] !== b[field]).length
    }
  }
  return differing
}

export const mergeWorkload: Workload = {
  name: 'W3',
  family: 'records',
  measures:
    '4 replicas, 10,000 concurrent updates each over the same 5,000 rows, from the last update made to a query answered on each',
  ops: DEVICES * UPDATES,
  async run({ subject, size }) {
    const tasks = makeTasks(size(ROWS), SEED)
    const group = await subject.openGroup(DEVICES, tasks)
    for (const [index, device] of group.devices.entries()) {
      for (const { id, change } of makeUpdates(tasks, size(UPDATES), SEED + 1 + index)) {
        const done = device.update(id, change)
        if (done !== undefined) await done
      }
    }
    const watch = startWatch()
    const sent = await group.converge()
    for (const device of group.devices) await device.count()
    const spent = watch()
    const replicas = await Promise.all(group.devices.map((device) => device.readAll()))
    if (replicas.some((replica) => replica.length !== tasks.length)) throw new Error('rows are missing')
    await group.close()
    return [...timeSamples(spent), ...byteSamples(sent), { metric: 'lost', value: differingCells(replicas) }]
  },
}
