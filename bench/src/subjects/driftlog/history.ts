import { makeTasks, makeUpdates } from '../../data/tasks.ts'
import type { History } from '../subject.ts'
import type { ReplicaDevice } from './device.ts'

/** A device that is used for hours writes few ops at a time; one that works through a queue writes thousands. */
const OPS_A_BATCH = 100

/** Writes ops `[from, to)` of a history, `OPS_A_BATCH` of them a batch. */
export const writeHistory = async (
  device: ReplicaDevice,
  history: History,
  from = 0,
  to = history.ops,
): Promise<void> => {
  const tasks = makeTasks(history.tasks, history.seed)
  const updates = makeUpdates(tasks, history.ops - history.tasks, history.seed + 1)
  for (let op = from; op < to; op++) {
    if (op < tasks.length) device.insert(tasks[op])
    else device.update(updates[op - tasks.length].id, updates[op - tasks.length].change)
    if (op % OPS_A_BATCH === OPS_A_BATCH - 1) await device.stored()
  }
  await device.stored()
}
