/** W1: one transaction a row, 20k inserts, then 20k updates of one field. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { makeTasks, makeUpdates, type Task, type Update } from '../data/tasks.ts'
import { byteSamples, rateSamples, startWatch } from '../harness/measure.ts'
import type { Sample } from '../harness/rows.ts'
import { need } from '../subjects/facts.ts'
import type { Device } from '../subjects/subject.ts'
import type { Workload, WorkloadContext } from './workload.ts'

const OPS = 20_000
const FSYNC_OPS = 1_000
/** Ops with an fsync each, between two measurements of the machine's own fsync. */
const FSYNC_ROUND = 50
const SEED = 1

const insertEach = async (device: Device, tasks: readonly Task[]): Promise<void> => {
  for (const task of tasks) {
    const done = device.insert(task)
    if (done !== undefined) await done
  }
}

const updateEach = async (device: Device, updates: readonly Update[]): Promise<void> => {
  for (const { id, change } of updates) {
    const done = device.update(id, change)
    if (done !== undefined) await done
  }
}

const insertWorkload = async ({ subject, size }: WorkloadContext): Promise<readonly Sample[]> => {
  const tasks = makeTasks(size(OPS), SEED)
  const device = await need(subject, 'openInMemory')()
  const watch = startWatch()
  await insertEach(device, tasks)
  await device.stored()
  const spent = watch()
  const bytes = byteSamples(await device.log?.())
  await device.close()
  return [...rateSamples(tasks.length, spent), ...bytes]
}

const updateWorkload = async ({ subject, facts, size }: WorkloadContext): Promise<readonly Sample[]> => {
  const tasks = makeTasks(size(OPS), SEED)
  const updates = makeUpdates(tasks, size(OPS), SEED + 1)
  const device = await need(subject, 'openInMemory')()
  await insertEach(device, tasks)
  await device.stored()
  const before = byteSamples(await device.log?.())
  const watch = startWatch()
  await updateEach(device, updates)
  await device.stored()
  const spent = watch()
  const after = byteSamples(await device.log?.())
  await device.close()
  const bytes = !facts.keepsOps
    ? []
    : after.map(({ metric, value }, index) => ({ metric, value: value - before[index].value }))
  return [...rateSamples(updates.length, spent), ...bytes]
}

const insertReadWorkload = async ({ subject, size }: WorkloadContext): Promise<readonly Sample[]> => {
  const tasks = makeTasks(size(OPS), SEED)
  const device = await need(subject, 'openInMemory')()
  await device.count()
  const watch = startWatch()
  for (const task of tasks) {
    await device.insert(task)
    await device.read(task.id)
  }
  await device.stored()
  const spent = watch()
  await device.close()
  return rateSamples(tasks.length, spent)
}

const updateReadWorkload = async ({ subject, size }: WorkloadContext): Promise<readonly Sample[]> => {
  const tasks = makeTasks(size(OPS), SEED)
  const updates = makeUpdates(tasks, size(OPS), SEED + 1)
  const device = await need(subject, 'openInMemory')()
  await insertEach(device, tasks)
  await device.stored()
  await device.count()
  const watch = startWatch()
  for (const { id, change } of updates) {
    await device.update(id, change)
    await device.read(id)
  }
  await device.stored()
  const spent = watch()
  await device.close()
  return rateSamples(updates.length, spent)
}

const durableWorkload = async ({ subject, size, folder }: WorkloadContext): Promise<readonly Sample[]> => {
  const tasks = makeTasks(size(OPS), SEED)
  const device = await need(subject, 'openFile')(join(folder, 'device.db'))
  const watch = startWatch()
  await insertEach(device, tasks)
  await device.stored()
  const spent = watch()
  await device.close()
  return rateSamples(tasks.length, spent)
}

const fsyncWorkload = async ({ subject, size, folder }: WorkloadContext): Promise<readonly Sample[]> => {
  const tasks = makeTasks(size(FSYNC_OPS), SEED)
  const device = await need(subject, 'openFile')(join(folder, 'device.db'))
  const raw = openSync(join(folder, 'raw'), 'w')
  const page = Buffer.alloc(4096, 1)
  let wallMs = 0
  let cpuMs = 0
  let rawMs = 0
  for (let from = 0; from < tasks.length; from += FSYNC_ROUND) {
    const round = tasks.slice(from, from + FSYNC_ROUND)
    const rawWatch = startWatch()
    for (let count = 0; count < round.length; count++) {
      writeSync(raw, page)
      fdatasyncSync(raw)
    }
    rawMs += rawWatch().wallMs
    const watch = startWatch()
    for (const task of round) {
      await device.insert(task)
      await device.stored()
    }
    const spent = watch()
    wallMs += spent.wallMs
    cpuMs += spent.cpuMs
  }
  closeSync(raw)
  await device.close()
  return [
    ...rateSamples(tasks.length, { wallMs, cpuMs }),
    { floor: 'fdatasync', metric: 'per_s', value: (tasks.length / rawMs) * 1000 },
  ]
}

const family = 'records'

export const mutationWorkloads: readonly Workload[] = [
  {
    name: 'W1-insert',
    family,
    needs: 'openInMemory',
    measures: '20,000 inserts, one transaction each, in memory, up to the last one stored; nothing is read',
    ops: OPS,
    run: insertWorkload,
  },
  {
    name: 'W1-update',
    family,
    needs: 'openInMemory',
    measures: '20,000 updates of one field of 20,000 rows, one transaction each, otherwise as W1-insert',
    ops: OPS,
    run: updateWorkload,
  },
  {
    name: 'W1-insert-read',
    family,
    needs: 'openInMemory',
    measures: 'W1-insert with a query of the new row after every insert',
    run: insertReadWorkload,
  },
  {
    name: 'W1-update-read',
    family,
    needs: 'openInMemory',
    measures: 'W1-update with a query of the changed row after every update',
    run: updateReadWorkload,
  },
  {
    name: 'W1-durable',
    family,
    needs: 'openFile',
    measures: 'W1-insert into a file, up to the last insert durable; commits are shared',
    run: durableWorkload,
  },
  {
    name: 'W1-fsync',
    family,
    needs: 'openFile',
    measures:
      '1,000 inserts into a file, each awaited until it is durable; beside it 4 kB writes with an fdatasync each',
    run: fsyncWorkload,
  },
]
