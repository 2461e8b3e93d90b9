/** What grows: more ops, more authors, more live queries. Measured only when asked for. */
import { setTimeout } from 'node:timers/promises'
import { makeTasks, makeUpdates, type Task } from '../data/tasks.ts'
import { byteSamples, latencySamples, peakMemory, rateSamples, startWatch, timeSamples } from '../harness/measure.ts'
import type { Sample } from '../harness/rows.ts'
import { need } from '../subjects/facts.ts'
import type { Watchable } from '../subjects/subject.ts'
import { checkRows, lostCells } from './check.ts'
import { insertInBulk } from './w2-bulk.ts'
import { merge } from './w3-merge.ts'
import type { Workload, WorkloadContext } from './workload.ts'

const OPS = { '10k': 10_000, '100k': 100_000, '1m': 1_000_000 }
const DEVICES = [1, 10, 100, 1_000]
const QUERIES = [1, 50]
const MERGED_ROWS = 5_000
const REPLICAS = 4
const AUTHORS_ROWS = 1_000
const AUTHORS_OPS = 10_000
const VECTOR_DEVICES = 10_000
const VECTOR_ROWS = 100
const VECTOR_OPS = 1_000
const WATCHED_ROWS = 100_000
const TOUCHES = 100
const SEEN_WITHIN_MS = 30_000
const COUNTED_TOUCHES = 10
const SETTLED_AFTER_MS = 200
const TOLD_AFTER_MS = 5
const SEED = 7

const family = 'growth'

const bulkWorkloads = Object.entries(OPS).map(
  ([name, ops]): Workload => ({
    name: `G-rows-${name}`,
    family,
    needs: 'openInMemory',
    measures: `W2 with ${ops.toLocaleString('en-US')} rows`,
    ops,
    run: (context) => insertInBulk(context, ops),
  }),
)

const mergeWorkloads = Object.entries(OPS).map(
  ([name, ops]): Workload => ({
    name: `G-ops-${name}`,
    family,
    needs: 'openGroup',
    measures: `W3 with ${ops.toLocaleString('en-US')} updates in all, ${REPLICAS} replicas and ${MERGED_ROWS.toLocaleString('en-US')} rows`,
    ops,
    run: (context) => merge(context, { devices: REPLICAS, rows: MERGED_ROWS, updates: ops / REPLICAS }),
  }),
)

interface Authors {
  readonly count: number
  readonly rows: number
}

/** In a quick look there are fewer devices, not only fewer ops. */
const openAuthors = async ({ subject, size }: WorkloadContext, { count, rows }: Authors) => {
  const tasks = makeTasks(size(rows), SEED)
  const each = Math.max(1, Math.round(size(AUTHORS_OPS) / count))
  const authors = Array.from({ length: Math.min(count, size(AUTHORS_OPS)) }, (_, index) =>
    makeUpdates(tasks, each, SEED + 1 + index),
  )
  const reader = await need(subject, 'openReader')(tasks, authors)
  await reader.device.count()
  return { tasks, authors, reader }
}

const readAuthors = async (context: WorkloadContext, counts: Authors): Promise<readonly Sample[]> => {
  const { tasks, authors, reader } = await openAuthors(context, counts)
  const watch = startWatch()
  await reader.catchUp()
  const found = await reader.device.count()
  const spent = watch()
  if (found !== tasks.length) throw new Error(`${found} of ${tasks.length} rows`)
  const lost = lostCells(tasks, authors, [await reader.device.readAll()])
  const bytes = byteSamples(reader.travelled())
  await reader.close()
  return [...timeSamples(spent), ...bytes, { metric: 'lost', value: lost }]
}

const authorWorkloads = DEVICES.map(
  (count): Workload => ({
    name: `G-devices-${count}`,
    family,
    needs: 'openReader',
    measures: `a device takes in ${AUTHORS_OPS.toLocaleString('en-US')} updates of ${AUTHORS_ROWS.toLocaleString('en-US')} rows by ${count.toLocaleString('en-US')} devices that knew nothing of each other, up to a query answered`,
    ops: AUTHORS_OPS,
    run: (context) => readAuthors(context, { count, rows: AUTHORS_ROWS }),
  }),
)

/** What a vector of ten thousand costs whoever works on: each op, and what it is on the wire. */
const writeBesideAuthors = async (context: WorkloadContext): Promise<readonly Sample[]> => {
  const { tasks, reader } = await openAuthors(context, { count: VECTOR_DEVICES, rows: VECTOR_ROWS })
  const { device } = reader
  await reader.catchUp()
  await device.count()
  const updates = makeUpdates(tasks, context.size(VECTOR_OPS), SEED)
  const watch = startWatch()
  for (const { id, change } of updates) {
    await device.update(id, change)
    await device.read(id)
  }
  await device.stored()
  const spent = watch()
  await reader.close()
  return rateSamples(updates.length, spent)
}

const vectorWorkloads: readonly Workload[] = [
  {
    name: 'G-vectors-10000',
    family,
    needs: 'openReader',
    measures: `a device takes in an update by each of ${VECTOR_DEVICES.toLocaleString('en-US')} devices that knew nothing of each other, of ${VECTOR_ROWS} rows, up to a query answered`,
    ops: AUTHORS_OPS,
    run: (context) => readAuthors(context, { count: VECTOR_DEVICES, rows: VECTOR_ROWS }),
  },
  {
    name: 'G-vectors-10000-write',
    family,
    needs: 'openReader',
    measures: `${VECTOR_OPS.toLocaleString('en-US')} updates by the device of G-vectors-10000 afterwards, with a query of the row after each`,
    run: writeBesideAuthors,
  },
]

/** One update at a time of a row whose list is watched, until the query of that list tells. */
const touchWatched = async ({ subject, size }: WorkloadContext, queries: number): Promise<readonly Sample[]> => {
  const tasks = makeTasks(size(WATCHED_ROWS), SEED)
  const device = await need(subject, 'openWatchable')()
  await device.insertAll(tasks)
  await device.count()
  const counts = new Map<string, number>()
  let told = (): void => {}
  for (let list = 0; list < queries; list++) {
    const listId = `list-${list}`
    await device.watchOpen(listId, (count) => {
      counts.set(listId, count)
      told()
    })
  }
  const now = new Map(tasks.map((task) => [task.id, task]))
  const expected = openByList(tasks)
  const settled = (listId: string): boolean => counts.get(listId) === (expected.get(listId) ?? 0)
  const until = async (isReached: () => boolean): Promise<void> => {
    const limit = new AbortController()
    const reached = new Promise<true>((resolve) => {
      told = () => isReached() && resolve(true)
      told()
    })
    const inTime = await Promise.race([reached, setTimeout(SEEN_WITHIN_MS, false, { signal: limit.signal })])
    limit.abort()
    if (!inTime) throw new Error(`a live query did not tell within ${SEEN_WITHIN_MS} ms`)
  }
  const watched = Array.from({ length: queries }, (_, list) => `list-${list}`)
  await until(() => watched.every(settled))
  const touched = tasks.filter(({ listId }) => watched.includes(listId)).slice(0, size(TOUCHES))
  const latenciesMs: number[] = []
  const watch = startWatch()
  for (const { id, listId, done } of touched) {
    expected.set(listId, (expected.get(listId) ?? 0) + (done ? 1 : -1))
    now.set(id, { ...now.get(id)!, done: !done })
    const started = performance.now()
    await device.update(id, { done: !done })
    await until(() => settled(listId))
    latenciesMs.push(performance.now() - started)
  }
  const spent = watch()
  checkRows(await device.readAll(), [...now.values()])
  const peak = peakMemory()
  const reruns = await countRuns(device, watched, touched.slice(0, COUNTED_TOUCHES))
  await device.close()
  return [...latencySamples(latenciesMs), ...rateSamples(touched.length, spent), ...reruns, peak]
}

/** How many queries run again for an update that touches one, beside those that are timed. */
const countRuns = async (
  device: Watchable,
  watched: readonly string[],
  touched: readonly Task[],
): Promise<readonly Sample[]> => {
  if (device.watchRuns === undefined) return []
  let runs = 0
  for (const listId of watched) await device.watchRuns(listId, () => runs++)
  await device.count()
  await setTimeout(SETTLED_AFTER_MS)
  const before = runs
  // Back to what they were: each changes the answer of one query.
  for (const { id, done } of touched) {
    await device.update(id, { done })
    await device.stored()
    await device.count()
    await setTimeout(TOLD_AFTER_MS)
  }
  return [{ metric: 'reruns', value: (runs - before) / touched.length }]
}

const openByList = (tasks: readonly Task[]): Map<string, number> => {
  const open = new Map<string, number>()
  for (const { listId, done } of tasks) if (!done) open.set(listId, (open.get(listId) ?? 0) + 1)
  return open
}

const queryWorkloads = QUERIES.map(
  (count): Workload => ({
    name: `G-queries-${count}`,
    family,
    needs: 'openWatchable',
    measures: `${count} live ${count === 1 ? 'query' : 'queries'}, each counting the open tasks of one of 50 lists, over ${WATCHED_ROWS.toLocaleString('en-US')} rows; ${TOUCHES} updates, one at a time, each until the query that it touches tells; how many run again is counted over ${COUNTED_TOUCHES} more`,
    run: (context) => touchWatched(context, count),
  }),
)

export const growthWorkloads: readonly Workload[] = [
  ...bulkWorkloads,
  ...mergeWorkloads,
  ...authorWorkloads,
  ...vectorWorkloads,
  ...queryWorkloads,
]
