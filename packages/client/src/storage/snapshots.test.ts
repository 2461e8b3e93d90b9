import {
  type BatchStore,
  defineSchema,
  f,
  damageBatch,
  DriftlogError,
  memoryMedium,
  memoryStore,
  Projector,
  type Ports,
  startCursor,
  systemPorts,
  table,
} from '@driftlog/core'
import { afterEach, expect, it, vi } from 'vitest'
import { newSpaceKey } from '../keys/space-key.ts'
import { openReplica, type ReplicaOptions } from '../open-replica.ts'
import type { Replica } from '../replica.ts'

const schema = defineSchema({
  version: 1,
  tables: { notes: table({ text: f.string(), votes: f.counter(), tags: f.set(f.string()) }) },
})
const key = newSpaceKey()

const opened: Replica<typeof schema>[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  for (const replica of opened.splice(0)) await replica.close().catch(() => undefined)
})

type Options = Partial<ReplicaOptions<typeof schema>>
const open = async (store: BatchStore, options: Options = {}): Promise<Replica<typeof schema>> => {
  const replica = await openReplica({ schema, space: 'home', key, store, snapshotAfterOps: 5, ...options })
  opened.push(replica)
  return replica
}

/** Counts the runs that are replayed from now on. */
const replayed = (): { readonly runs: number } => {
  const spy = vi.spyOn(Projector.prototype, 'project')
  return {
    get runs() {
      return spy.mock.calls.length
    },
  }
}

const write = (replica: Replica<typeof schema>, count: number): void => {
  for (let note = 0; note < count; note++) {
    replica.mutate((tx) => {
      const id = tx.notes.insert({ text: `note ${note}`, votes: note, tags: ['a', 'b'] })
      tx.notes.update(id, { votes: f.increment(2), tags: f.remove('a') })
    })
  }
}
const notes = (replica: Replica<typeof schema>) =>
  replica.query((db) => db.selectFrom('notes').selectAll().orderBy('id'))
const snapshotOf = async (store: BatchStore) => (await store.records('home', 'snapshot')).at(0)?.value

it('[SNAP4] closing leaves a snapshot, and opening reads it and the rest of the log alone', async () => {
  const store = memoryStore()
  for (const round of [1, 2, 3]) {
    const replica = await open(store)
    write(replica, 6)
    const [shown, digest, { device }] = [await notes(replica), replica.digest(), replica]
    await replica.close()
    expect(await snapshotOf(store)).toBeDefined()
    const count = replayed()
    const again = await open(store)
    expect(count.runs).toBe(0)
    expect(await notes(again)).toEqual(shown)
    expect(again.digest()).toBe(digest)
    expect(again.device).toBe(device)
    expect(shown).toHaveLength(round * 6)
    expect(shown[0].tags).toEqual(['b'])
    await again.close()
  }
})

it('[SNAP4] what came after it is read from the log; it is not made anew for a few ops', async () => {
  const store = memoryStore()
  const first = await open(store)
  write(first, 6)
  await first.close()
  const before = await snapshotOf(store)
  const second = await open(store)
  write(second, 3)
  const digest = second.digest()
  await second.close()
  expect(await snapshotOf(store)).toEqual(before)
  const third = await open(store)
  expect(third.digest()).toBe(digest)
  write(third, 2)
  const last = third.digest()
  await third.close()
  // Three of the last time and two of this.
  expect(await snapshotOf(store)).not.toEqual(before)
  expect((await open(store)).digest()).toBe(last)
})

it('[SNAP3 SNAP4] a damaged one, one of another key and one that does not fit its log are none: the log is read', async () => {
  const store = memoryStore()
  const replica = await open(store)
  write(replica, 6)
  const digest = replica.digest()
  await replica.close()
  const good = (await snapshotOf(store))!
  const other = memoryStore()
  const elsewhere = await open(other)
  write(elsewhere, 9)
  await elsewhere.close()
  for (const value of [
    good.slice(0, 40),
    good.map((byte, at) => (at === 90 ? byte ^ 1 : byte)),
    (await snapshotOf(other))!,
  ]) {
    await store.append('home', [], { records: [{ key: 'snapshot', value }] })
    const count = replayed()
    const again = await open(store, { snapshotAfterOps: 1_000 })
    expect(count.runs).toBeGreaterThan(0)
    expect(again.digest()).toBe(digest)
    await again.close()
  }
})

it('[SNAP4] a fork that came after it changes names: then the log is read whole', async () => {
  const store = memoryStore()
  const replica = await open(store)
  write(replica, 6)
  await replica.close()
  // A copy of the disk, and both go on.
  const copy = memoryStore()
  const { batches } = await store.readAfter('home', startCursor, { batches: 1e6, bytes: 1e9 })
  const records = await store.records('home', '')
  await copy.append(
    'home',
    batches.map(({ batch }) => batch),
    { records },
  )
  const [one, two] = [await open(store), await open(copy)]
  write(one, 2)
  write(two, 3)
  await one.close()
  const carried = await two.export()
  const again = await open(store, { snapshotAfterOps: 1_000 })
  expect(await again.import(carried)).toEqual([])
  await two.import(await again.export())
  const digest = again.digest()
  expect(two.digest()).toBe(digest)
  await again.close()
  expect((await open(store)).digest()).toBe(digest)
})

it('[SNAP4] one is made when nothing happened for a while, and what is written then is in the next', async () => {
  const waiting = new Map<() => void, number>()
  const ports: Ports = {
    ...systemPorts,
    timers: {
      schedule: (delayMs, run) => {
        if (delayMs < 1_000) return systemPorts.timers.schedule(delayMs, run)
        waiting.set(run, delayMs)
        return () => void waiting.delete(run)
      },
    },
  }
  const pass = (): void => {
    for (const [run] of Array.from(waiting)) {
      waiting.delete(run)
      run()
    }
  }
  const store = memoryStore()
  const replica = await open(store, { ports })
  write(replica, 6)
  await replica.mutate((tx) => tx.notes.insert({ text: 'last' })).stored
  pass()
  expect(await snapshotOf(store)).toBeUndefined()
  pass()
  await expect.poll(() => snapshotOf(store)).toBeDefined()
  expect(waiting.size).toBe(0)
})

it('[SNAP4 KEY5] a locked replica makes none, and reads none', async () => {
  const store = memoryStore()
  const replica = await open(store)
  write(replica, 6)
  await replica.close()
  const before = await snapshotOf(store)
  const locked = await open(store, { key: 'locked', snapshotAfterOps: 1 })
  expect(locked.status.locked).toBe(6)
  await locked.close()
  expect(await snapshotOf(store)).toEqual(before)
})

const family = defineSchema({
  version: 1,
  tables: {
    lists: table({ name: f.string() }, { onDelete: 'delete-wins' }),
    tasks: table({
      title: f.string(),
      list: f.ref('lists', { onDelete: 'cascade' }).optional(),
      code: f.string().optional().unique(),
      owner: f.string().optional().manual(),
    }),
  },
})
type Family = Replica<typeof family>
const openFamily = (store: BatchStore, schema = family): Promise<Family> =>
  openReplica({ schema, space: 'home', key, store, snapshotAfterOps: 5 })
const tasks = (replica: Family) => replica.query((db) => db.selectFrom('tasks').selectAll().orderBy('id'))
const fill = (replica: Family): string[] =>
  Array.from({ length: 4 }, (_, n) => {
    const list = replica.mutate((tx) => tx.lists.insert({ name: `list ${n}` })).value
    replica.mutate((tx) => tx.tasks.insert({ title: `task ${n}`, list, code: `code ${n}` }))
    return list
  })

it('[SNAP5] the tables come back as they were, before any cell is read; and go on as if they had been written', async () => {
  const store = memoryStore()
  const first = await openFamily(store)
  const lists = fill(first)
  const shown = await tasks(first)
  await first.close()
  const second = await openFamily(store)
  expect(await tasks(second)).toEqual(shown)
  expect(shown).toHaveLength(4)
  const seen: number[] = []
  second.watch((db) => db.selectFrom('tasks').select('id')).subscribe((rows) => seen.push(rows.length))
  await expect.poll(() => seen).toEqual([4])
  // What follows from what was in the tables, and from what is new: a cascade, a unique value, a row that is there.
  second.mutate((tx) => tx.lists.delete(lists[1]))
  expect((await tasks(second)).map(({ title }) => title).sort()).toEqual(['task 0', 'task 2', 'task 3'])
  await expect.poll(() => seen).toEqual([4, 3])
  expect(() => second.mutate((tx) => tx.tasks.insert({ title: 'twin', code: 'code 2' }))).toThrowError(
    expect.objectContaining({ code: 'VALUE_TAKEN' }),
  )
  second.mutate((tx) => tx.tasks.update(shown.find(({ title }) => title === 'task 0')!.id, { title: 'changed' }))
  const after = await tasks(second)
  expect(after.filter(({ title }) => title === 'changed')).toHaveLength(1)
  const digest = second.digest()
  await second.close()
  // Few ops came after it: they are read from the log.
  const third = await openFamily(store)
  expect(await tasks(third)).toEqual(after)
  expect(third.digest()).toBe(digest)
  await third.close()
})

it('[SNAP5] another schema, or version of one, shows the cells by itself', async () => {
  const store = memoryStore()
  const first = await openFamily(store)
  fill(first)
  await tasks(first)
  await first.close()
  const kept = defineSchema({
    version: 2,
    tables: {
      lists: table({ name: f.string() }),
      tasks: table({ title: f.string(), code: f.string().default('none'), done: f.boolean().default(false) }),
    },
  })
  const other = await openReplica({ schema: kept, space: 'home', key, store })
  expect(await other.query((db) => db.selectFrom('tasks').select(['title', 'done']).orderBy('title'))).toEqual(
    [0, 1, 2, 3].map((n) => ({ title: `task ${n}`, done: false })),
  )
  await other.close()
})

it('[SNAP5] what waits for a person is counted while the cells sleep, and found when they are awake', async () => {
  const store = memoryStore()
  const first = await openFamily(store)
  fill(first)
  const [{ id }] = await tasks(first)
  const other = await openFamily(memoryStore())
  await other.import(await first.export())
  first.mutate((tx) => tx.tasks.update(id, { owner: 'Ana' }))
  other.mutate((tx) => tx.tasks.update(id, { owner: 'Ben' }))
  await first.import(await other.export())
  await other.close()
  expect(first.status.conflicts).toBe(1)
  await tasks(first)
  await first.close()
  const second = await openFamily(store)
  expect(second.status.conflicts).toBe(1)
  expect(second.conflicts).toHaveLength(1)
  expect(await second.query((db) => db.selectFrom('_conflicts').select('rowId'))).toEqual([{ rowId: id }])
  second.resolve(second.conflicts[0], 'Ben')
  await expect.poll(() => second.status.conflicts).toBe(0)
  await second.close()
})

it('[SNAP4 KEEP6] damage under a snapshot is met before anything is written on it: new work is not hidden with it', async () => {
  const medium = memoryMedium()
  const store = memoryStore(medium)
  const first = await open(store)
  for (let note = 0; note < 10; note++) await first.mutate((tx) => tx.notes.insert({ text: `old ${note}` })).stored
  await first.close()
  expect(await snapshotOf(store)).toBeDefined()
  damageBatch(medium, 'home', 3)
  const second = await open(store)
  expect(second.status.damaged).toBeGreaterThan(0)
  write(second, 5)
  await second.close()
  const third = await open(store)
  expect((await notes(third)).filter(({ text }) => text.startsWith('note'))).toHaveLength(5)
})

it('[SNAP4] none is made while damage hides something, and one that has less than its store is no use', async () => {
  const medium = memoryMedium()
  const store = memoryStore(medium)
  const other = await open(memoryStore())
  write(other, 3)
  const theirs = await other.export()
  const first = await open(store, { snapshotAfterOps: 1e9 })
  write(first, 2)
  await first.import(theirs)
  await first.close()
  const { batches } = await store.readAfter('home', startCursor, { batches: 1e6, bytes: 1e9 })
  damageBatch(medium, 'home', batches.find(({ batch }) => batch.header.device === other.device)!.position)
  const second = await open(store)
  write(second, 10)
  await second.close()
  expect(await snapshotOf(store)).toBeUndefined()
  const third = await open(store)
  await third.import(theirs)
  await expect.poll(() => third.status.damaged).toBe(0)
  expect(await notes(await open(store))).toHaveLength(15)
})

it('[SNAP4] where it cannot be stored nobody is told, and it is not tried again and again', async () => {
  const waiting: (() => void)[] = []
  const ports: Ports = {
    ...systemPorts,
    timers: {
      schedule: (delayMs, run) => {
        if (delayMs < 1_000) return systemPorts.timers.schedule(delayMs, run)
        waiting.push(run)
        return () => void waiting.splice(waiting.indexOf(run), 1)
      },
    },
  }
  const store = memoryStore()
  let tries = 0
  const { append } = store
  store.append = (space, batches, options) => {
    if (options?.records?.some((record) => record.key === 'snapshot' && record.value !== undefined)) {
      tries++
      return Promise.reject(new DriftlogError('STORAGE_FULL'))
    }
    return append.call(store, space, batches, options)
  }
  const replica = await open(store, { ports })
  const told = new Set<string | undefined>()
  replica.status$.subscribe(({ error }) => told.add(error?.code))
  write(replica, 8)
  await replica.mutate((tx) => tx.notes.insert({ text: 'last' })).stored
  for (let round = 0; round < 20; round++) {
    for (const run of waiting.splice(0)) run()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  expect(tries).toBe(1)
  expect([...told]).toEqual([undefined])
})
