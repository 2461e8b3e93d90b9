/** What happens around a log that is read anew: because of a fork, a shift, or damage. */
import {
  type BatchStore,
  damageBatch,
  DriftlogError,
  f,
  memoryMedium,
  memoryStore,
  type Ports,
  startCursor,
} from '@driftlog/core'
import { afterEach, expect, it } from 'vitest'
import { hastyPorts, InProcess } from './in-process.ts'

let world = new InProcess()
afterEach(async () => {
  world.isCut = false
  await world.close()
  world = new InProcess()
})

const DAY = 86_400_000
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const portsAhead = (clock: { aheadMs: number }): Ports => ({
  ...hastyPorts,
  clock: { now: () => hastyPorts.clock.now() + clock.aheadMs },
})

/** Called before every reading of a store from its start. */
const hooked = (inner: BatchStore, onStart: () => Promise<void> | void, after = false): BatchStore =>
  new Proxy(inner, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      if (name !== 'readAfter') return method.bind(target)
      return async (...args: unknown[]) => {
        const isStart = (args[1] as { position: number }).position === 0
        if (isStart && !after) await onStart()
        return (await Reflect.apply(method, target, args)) as unknown
      }
    },
  })

/** Two siblings of a foreign device, as batches of a courier. */
const siblings = async (store: BatchStore): Promise<[Uint8Array[], Uint8Array[]]> => {
  const first = await world.open(store, hastyPorts)
  await first.mutate((tx) => tx.tasks.insert({ title: 'shared' })).stored
  const copy = await world.copyOf(store)
  await first.mutate((tx) => tx.tasks.insert({ title: 'one' })).stored
  const one = await first.export()
  await first.close()
  const clone = await world.open(copy, hastyPorts)
  await clone.mutate((tx) => tx.tasks.insert({ title: 'two' })).stored
  const two = await clone.export()
  await clone.close()
  return [one, two]
}

it('[KEEP2] a reading anew that fails once is tried again, and nothing is read-only meanwhile', async () => {
  world.isCut = true
  const [one, two] = await siblings(memoryStore())
  const medium = memoryMedium()
  let isFailing = false
  const store = hooked(memoryStore(medium), () => {
    if (isFailing) throw new DriftlogError('STORAGE_FAILED', 'once')
  })
  const a = await world.open(store, hastyPorts)
  const b = await world.open(memoryStore(medium), hastyPorts)
  await b.import(one)
  await expect.poll(() => a.digest() === b.digest()).toBe(true)
  isFailing = true
  await b.import(two)
  await expect.poll(() => a.status.error?.code).toBe('STORAGE_FAILED')
  await a.mutate((tx) => tx.tasks.insert({ title: 'mine' })).stored
  await wait(20)
  isFailing = false
  await expect.poll(() => a.digest() === b.digest(), { timeout: 3000 }).toBe(true)
  await wait(500)
  expect(a.status).toMatchObject({ readOnly: false, error: undefined })
})

it('[BR2] a healthy device that saw unshifted stamps is not dragged along once they are shifted', async () => {
  world.isCut = true
  const ahead = await world.open(memoryStore(), portsAhead({ aheadMs: 1000 * DAY }))
  await ahead.mutate((tx) => tx.tasks.insert({ title: 'future' })).stored
  const healthy = await world.open(memoryStore(), hastyPorts)
  expect(await healthy.import(await ahead.export(), { trustStamps: true })).toEqual([])
  healthy.setOnline(false)
  world.isCut = false
  await expect.poll(() => ahead.status.pending, { timeout: 5000 }).toBe(0)
  healthy.setOnline(true)
  await healthy.sync()
  await ahead.sync()
  expect(healthy.digest()).toBe(ahead.digest())
  const was = healthy.device
  await healthy.mutate((tx) => tx.tasks.insert({ id: 'h', title: 'healthy' })).acknowledged
  expect(healthy.device).toBe(was)
})

it('[BR3] a device that somebody else shifted writes on under another id, at the time of now', async () => {
  const clock = { aheadMs: 1000 * DAY }
  world.isCut = true
  const store = memoryStore()
  const ahead = await world.open(store, portsAhead(clock))
  await ahead.mutate((tx) => tx.tasks.insert({ id: 'x', title: 'future' })).stored
  const was = ahead.device
  const carrier = await world.open(memoryStore(), hastyPorts)
  await carrier.import(await ahead.export(), { trustStamps: true })
  ahead.setOnline(false)
  world.isCut = false
  await carrier.sync()
  await expect.poll(() => carrier.status.pending, { timeout: 5000 }).toBe(0)
  ahead.setOnline(true)
  await ahead.sync()
  clock.aheadMs = 0
  await wait(2500)
  await ahead.mutate((tx) => tx.tasks.update('x', { title: 'now' })).acknowledged
  const [row] = await ahead.query((db) => db.selectFrom('tasks').select('updatedAt'))
  expect.soft(ahead.device).not.toBe(was)
  expect.soft(Date.now() - row.updatedAt.getTime()).toBeLessThan(2000)
})

it('[BR3 OP1] a sibling of the own device that another tab stores while the log is read anew: no seq is used again, every receipt settles', async () => {
  world.isCut = true
  const [one, two] = await siblings(memoryStore())
  const medium = memoryMedium()
  const first = await world.open(memoryStore(medium), hastyPorts)
  await first.mutate((tx) => tx.tasks.insert({ title: 'base' })).stored
  const own = first.device
  await first.close()
  const clone = await world.open(await world.copyOf(memoryStore(medium)), hastyPorts)
  expect(clone.device).toBe(own)
  await clone.mutate((tx) => tx.tasks.insert({ title: 'clone' })).stored
  const sibling = await clone.export()
  await clone.close()

  let isArmed = false
  const b0 = memoryStore(medium)
  const holder: { b?: Awaited<ReturnType<typeof world.open>> } = {}
  const store = hooked(memoryStore(medium), async () => {
    if (!isArmed) return
    isArmed = false
    await holder.b!.import(sibling)
  })
  const a = await world.open(store, hastyPorts)
  expect(a.device).toBe(own)
  holder.b = await world.open(b0, hastyPorts)
  const dots = []
  const receipts: { readonly acknowledged: Promise<void> }[] = []
  for (let n = 0; n < 3; n++) {
    const receipt = a.mutate((tx) => tx.tasks.insert({ title: `a${n}` }))
    dots.push(`${receipt.dot!.device}/${receipt.dot!.seq}`)
    receipts.push(receipt)
    await receipt.stored
  }
  await a.import(one)
  isArmed = true
  await a.import(two)
  const again = a.mutate((tx) => tx.tasks.insert({ title: 'after' }))
  const dot = `${again.dot!.device}/${again.dot!.seq}`
  await again.stored
  await wait(300)
  world.isCut = false
  await a.sync()
  await wait(200)
  const outcomes = (): Promise<string[]> =>
    Promise.all(
      receipts.map(({ acknowledged }) =>
        Promise.race([
          acknowledged.then(
            () => 'ack',
            () => 'err',
          ),
          wait(300).then(() => 'never'),
        ]),
      ),
    )
  const settled = await outcomes()
  await a.close()
  const closed = await outcomes()
  expect.soft(dots).not.toContain(dot)
  expect.soft(settled).toEqual(['ack', 'ack', 'ack'])
  expect.soft(closed).not.toContain('never')
})

it('[SYNC21] ops of a device given up are acknowledged when the server has them, not when it has others of that name', async () => {
  const foreign = await world.open(memoryStore(), hastyPorts)
  await foreign.mutate((tx) => tx.tasks.insert({ id: 'shared', title: 'by another' })).acknowledged
  const foreignId = foreign.device
  const origin = memoryStore()
  const original = await world.open(origin, hastyPorts)
  await original.sync()
  await original.mutate((tx) => tx.tasks.update('shared', { votes: f.increment(1) })).acknowledged
  const shared = original.device
  // The clone of its disk.
  const medium = memoryMedium()
  const copied = memoryStore(medium)
  {
    const { batches } = await origin.readAfter('home', startCursor, { batches: 1e6, bytes: 1e9 })
    await copied.append(
      'home',
      batches.map(({ batch }) => batch),
      { records: await origin.records('home', '') },
    )
  }
  for (let n = 0; n < 4; n++)
    await original.mutate((tx) => tx.tasks.update('shared', { votes: f.increment(1) })).acknowledged
  world.isCut = true
  const clone = await world.open(copied, hastyPorts)
  expect(clone.device).toBe(shared)
  const receipt = clone.mutate((tx) => tx.tasks.update('shared', { votes: f.increment(100) }))
  let atServer: number | undefined
  const votesAtServer = async () => {
    const { batches } = await world.serverStore.readAfter('home', startCursor, { batches: 1e6, bytes: 1e9 })
    return batches.filter(({ batch }) => batch.header.device === shared && batch.header.fromSeq === 2).length
  }
  void receipt.acknowledged.then(async () => void (atServer = await votesAtServer()))
  await receipt.stored
  // What it saw rots, which is found when it is read.
  const { batches } = await copied.readAfter('home', startCursor, { batches: 1e6, bytes: 1e9 })
  for (const { batch, position } of batches)
    if (batch.header.device === foreignId) damageBatch(medium, 'home', position)
  await clone.export()
  await expect.poll(() => clone.device).not.toBe(shared)
  world.isCut = false
  await expect.poll(() => atServer, { timeout: 5000 }).toBeDefined()
  // The original's and the clone's.
  expect(atServer).toBe(2)
})

it('[SYNC2] what the store calls a fork is named, though the log has nothing in the way', async () => {
  world.isCut = true
  const origin = memoryStore()
  const first = await world.open(origin, hastyPorts)
  const d = first.device
  for (let n = 0; n < 2; n++) await first.mutate((tx) => tx.tasks.insert({ title: `base ${n}` })).stored
  const copy = await world.copyOf(origin)
  for (let n = 0; n < 6; n++) await first.mutate((tx) => tx.tasks.insert({ title: `one ${n}` })).stored
  const one = await first.export()
  const clone = await world.open(copy, hastyPorts)
  for (let n = 0; n < 3; n++) await clone.mutate((tx) => tx.tasks.insert({ title: `two ${n}` })).stored
  const two = await clone.export()
  const medium = memoryMedium()
  const store = memoryStore(medium)
  const holder = await world.open(store, hastyPorts)
  expect(await holder.import(one)).toEqual([])
  await holder.close()
  damageBatch(medium, 'home', 3)
  const again = await world.open(store, hastyPorts)
  expect(again.held().get(d)).toBe(2)
  const last = two[two.length - 1]
  const refused = await again.import([last])
  expect(again.held().get(d)).toBe(2)
  expect(refused).toHaveLength(1)
})

it('[BR3] the second tab of a device whose clock is ahead writes on under another id too', async () => {
  const clock = { aheadMs: 1000 * DAY }
  world.isCut = true
  const medium = memoryMedium()
  const a = await world.open(memoryStore(medium), portsAhead(clock))
  const b = await world.open(memoryStore(medium), portsAhead(clock))
  await a.mutate((tx) => tx.tasks.insert({ id: 'a', title: 'a' })).stored
  await b.mutate((tx) => tx.tasks.insert({ id: 'b', title: 'b' })).stored
  const ids = [a.device, b.device]
  b.setOnline(false)
  world.isCut = false
  await a.sync()
  b.setOnline(true)
  await b.sync()
  await b.close()
  await a.close()
  await world.open(memoryStore(medium), portsAhead(clock))
  const b2 = await world.open(memoryStore(medium), portsAhead(clock))
  await wait(2500)
  await b2.mutate((tx) => tx.tasks.update('b', { title: 'later' })).acknowledged
  await b2.sync()
  const rows = await b2.query((db) => db.selectFrom('tasks').where('id', '=', 'b').select('updatedAt'))
  expect.soft(b2.device).not.toBe(ids[1])
  expect.soft(Date.now() - rows[0].updatedAt.getTime()).toBeLessThan(2000)
})

it('[BR3] shifts whose append failed late: the device writes on under another id', async () => {
  const clock = { aheadMs: 1000 * DAY }
  const inner = memoryStore()
  let isDone = false
  const store = new Proxy(inner, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      if (name !== 'append') return method.bind(target)
      return async (...args: unknown[]) => {
        const batches = args[1] as { header: { shifts: unknown[] } }[]
        const result = (await Reflect.apply(method, target, args)) as unknown
        if (!isDone && batches.some(({ header }) => header.shifts.length > 0)) {
          isDone = true
          throw new DriftlogError('STORAGE_FAILED', 'late')
        }
        return result
      }
    },
  })
  const ahead = await world.open(store, portsAhead(clock))
  const was = ahead.device
  await ahead.mutate((tx) => tx.tasks.insert({ id: 'x', title: 'future' })).acknowledged
  expect(isDone).toBe(true)
  await ahead.sync()
  expect(ahead.device).not.toBe(was)
})

it('[TAB2 KEEP6] rows that damage hides are gone from SQL, and come back when it is healed', async () => {
  world.isCut = true
  const other = await world.open(memoryStore(), hastyPorts)
  await other.mutate((tx) => tx.tasks.insert({ id: 'x', title: 'x' })).stored
  const batches = await other.export()
  const medium = memoryMedium()
  const store = memoryStore(medium)
  const a = await world.open(store, hastyPorts)
  await a.import(batches)
  const ids = async () => (await a.query((db) => db.selectFrom('tasks').select('id'))).map(({ id }) => id)
  expect(await ids()).toEqual(['x'])
  damageBatch(medium, 'home', 1)
  await a.export()
  await expect.poll(() => a.status.damaged).toBe(1)
  expect(a.candidates('tasks', 'x', 'title')).toEqual([])
  expect.soft(await ids()).toEqual([])
  await a.mutate((tx) => tx.tasks.insert({ id: 'y', title: 'y' })).stored
  await a.import(batches)
  expect.soft((await ids()).sort()).toEqual(['x', 'y'])
  await a.mutate((tx) => tx.tasks.delete('x')).stored
  expect.soft((await ids()).sort()).toEqual(['y'])
})

it('[TAB2] rows written while the log is read anew are in SQL once', async () => {
  world.isCut = true
  const [one, two] = await siblings(memoryStore())
  const medium = memoryMedium()
  const holder: { a?: Awaited<ReturnType<typeof world.open>> } = {}
  let count = -1
  const seen: unknown[] = []
  const store = hooked(memoryStore(medium), () => undefined)
  const slow = new Proxy(store, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      if (name !== 'readAfter') return method.bind(target)
      return async (...args: unknown[]) => {
        const page = (await Reflect.apply(method, target, args)) as unknown
        if (count >= 0 && (args[1] as { position: number }).position === 0) {
          for (let n = 0; n < 3; n++)
            holder.a!.mutate((tx) => tx.tasks.insert({ id: `m${count}`, title: `m${count++}` }))
          seen.push(await holder.a!.query((db) => db.selectFrom('tasks').select('id')))
          // So that rows are made in another order.
          count = -1
        }
        return page
      }
    },
  })
  const a = (holder.a = await world.open(slow, hastyPorts))
  await a.import(one)
  await a.query((db) => db.selectFrom('tasks').select('id'))
  count = 0
  await a.import(two)
  await a.mutate((tx) => tx.tasks.insert({ id: 'z', title: 'z' })).stored
  const shown = await a.query((db) => db.selectFrom('tasks').select(['id', 'title']).orderBy('id'))
  await a.close()
  const again = await world.open(memoryStore(medium), hastyPorts)
  const right = await again.query((db) => db.selectFrom('tasks').select(['id', 'title']).orderBy('id'))
  expect(shown).toEqual(right)
})

it('[Q6] a watch outlives a reading anew during which the app wrote', async () => {
  world.isCut = true
  const [one, two] = await siblings(memoryStore())
  let isArmed = false
  const holder: { a?: Awaited<ReturnType<typeof world.open>> } = {}
  const inner = memoryStore()
  const store = new Proxy(inner, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      if (name !== 'readAfter') return method.bind(target)
      return async (...args: unknown[]) => {
        const page = (await Reflect.apply(method, target, args)) as unknown
        if (isArmed && (args[1] as { position: number }).position === 0) {
          isArmed = false
          holder.a!.mutate((tx) => tx.tasks.insert({ id: 'm', title: 'meanwhile' }))
          await wait(5) // the watch shows it
        }
        return page
      }
    },
  })
  const a = (holder.a = await world.open(store, hastyPorts))
  let error: unknown
  const subscription = a
    .watch((db) => db.selectFrom('tasks').select('id'))
    .subscribe({ error: (e: unknown) => (error = e) })
  await a.import(one)
  await wait(30)
  isArmed = true
  await a.import(two)
  await wait(50)
  subscription.unsubscribe()
  expect(error).toBeUndefined()
})
