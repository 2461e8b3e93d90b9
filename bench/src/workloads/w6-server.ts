/** W6: a server in a process of its own, devices in this one, over the loopback interface. */
import { setImmediate, setTimeout } from 'node:timers/promises'
import { makeTasks } from '../data/tasks.ts'
import { latencySamples, rateSamples, startWatch } from '../harness/measure.ts'
import { need } from '../subjects/facts.ts'
import type { Device } from '../subjects/subject.ts'
import type { Workload, WorkloadContext } from './workload.ts'
import type { Sample } from '../harness/rows.ts'

const WRITERS = 8
const OPS_A_WRITER = 1_000
const PROPAGATED = 500
const PAUSE_MS = 2
const SEEN_WITHIN_MS = 10_000
const COUNTED_WITHIN_MS = 120_000
const LOOK_EVERY_MS = 20
const SEED = 6

/** Not every subject can say when it has all that others wrote. */
const untilCounted = async (device: Device, expected: number): Promise<void> => {
  const end = performance.now() + COUNTED_WITHIN_MS
  for (;;) {
    const count = await device.count()
    if (count === expected) return
    if (performance.now() > end) throw new Error(`${count} of ${expected} rows`)
    await setTimeout(LOOK_EVERY_MS)
  }
}

const ingestWorkload = async ({ subject, size, folder }: WorkloadContext): Promise<readonly Sample[]> => {
  const server = await need(subject, 'startServer')(folder)
  const writers = await Promise.all(Array.from({ length: WRITERS }, () => server.connect()))
  await Promise.all(writers.map((writer) => writer.inSync()))
  const tasks = writers.map((_, index) => makeTasks(size(OPS_A_WRITER), SEED + index))
  const watch = startWatch()
  await Promise.all(
    writers.map(async (writer, index) => {
      for (const task of tasks[index]) {
        await writer.insert(task)
        await setImmediate()
      }
      await writer.acknowledged()
    }),
  )
  await Promise.all(writers.map((writer) => writer.inSync()))
  const expected = WRITERS * size(OPS_A_WRITER)
  for (const writer of writers) await untilCounted(writer, expected)
  const spent = watch()
  for (const writer of writers) await writer.close()
  await server.close()
  return rateSamples(expected, spent)
}

const propagationWorkload = async ({ subject, size, folder }: WorkloadContext): Promise<readonly Sample[]> => {
  const server = await need(subject, 'startServer')(folder)
  const [from, to] = await Promise.all([server.connect(), server.connect()])
  const [task] = makeTasks(1, SEED)
  await from.insert(task)
  await from.acknowledged()
  await to.inSync()
  await untilCounted(to, 1)
  let wanted = ''
  let seen = (): void => {}
  const stop = await to.watchTitle(task.id, (title) => {
    if (title === wanted) seen()
  })
  const latenciesMs: number[] = []
  for (let count = 0; count < size(PROPAGATED); count++) {
    wanted = `title ${count}`
    const isSeen = new Promise<true>((resolve) => {
      seen = () => resolve(true)
    })
    const started = performance.now()
    await from.update(task.id, { title: wanted })
    const limit = new AbortController()
    const inTime = await Promise.race([isSeen, setTimeout(SEEN_WITHIN_MS, false, { signal: limit.signal })])
    latenciesMs.push(performance.now() - started)
    limit.abort()
    if (!inTime) throw new Error(`update ${count} was not seen within ${SEEN_WITHIN_MS} ms`)
    await setTimeout(PAUSE_MS)
  }
  stop()
  for (const device of [from, to]) await device.close()
  await server.close()
  return latencySamples(latenciesMs)
}

export const serverWorkloads: readonly Workload[] = [
  {
    name: 'W6',
    family: 'server',
    needs: 'startServer',
    measures:
      'one update at a time at A, until a live query at B shows it: both connected to a server over loopback, 500 times',
    run: propagationWorkload,
  },
  {
    name: 'W6-ingest',
    family: 'server',
    needs: 'startServer',
    measures:
      '8 connected devices of one space, all in one process, insert 1,000 rows each, one transaction each, until the server has confirmed all and each device counts the rows of all',
    run: ingestWorkload,
  },
]
