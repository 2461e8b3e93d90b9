/** Work that is handed on without a server: by a stick, by a message. */
import { f, memoryStore, type Ports } from '@driftlog/core'
import { afterEach, expect, it } from 'vitest'
import { type Device, hastyPorts, InProcess } from './in-process.ts'

let world = new InProcess()
afterEach(async () => {
  await world.close()
  world = new InProcess()
})

const handOn = async (from: Device, to: Device): Promise<void> => {
  expect(await to.import(await from.export())).toEqual([])
}
const votesOf = async (device: Device): Promise<number> =>
  (await device.query((db) => db.selectFrom('tasks').select('votes')))[0].votes

it('[SYNC4 SYNC5] what was handed on shows, is handed on further, and reaches the server through whoever comes to it', async () => {
  world.isCut = true
  const [a, b, c] = [await world.open(), await world.open(), await world.open()]
  const id = a.mutate((tx) => tx.tasks.insert({ title: 'by stick', votes: 1 })).value
  await handOn(a, b)
  b.mutate((tx) => tx.tasks.update(id, { votes: f.increment(10) }))
  await handOn(b, c)
  expect(await votesOf(c)).toBe(11)
  await a.close()
  await b.close()
  world.isCut = false
  await c.sync()
  const d = await world.open()
  await d.sync()
  expect(d.digest()).toBe(c.digest())
  expect(c.status).toMatchObject({ pending: 0, error: undefined })
})

it('[BR1] a branch of a restored device that was handed on by stick, its author gone: who built on it brings it in', async () => {
  const store = memoryStore()
  const first = await world.open(store, hastyPorts)
  const id = first.mutate((tx) => tx.tasks.insert({ title: 'shared', votes: 1 })).value
  await first.sync()
  const backups = [await world.copyOf(store), await world.copyOf(store)]
  await first.mutate((tx) => tx.tasks.update(id, { votes: f.increment(10) })).acknowledged
  world.isCut = true
  const holders: Device[] = []
  for (const [index, backup] of backups.entries()) {
    // Restored twice: each writes something else under the same id, hands it on, and is never seen again.
    const restored = await world.open(backup, hastyPorts)
    restored.mutate((tx) => tx.tasks.update(id, { votes: f.increment(100 * 10 ** index), title: `restored ${index}` }))
    const holder = await world.open()
    await handOn(restored, holder)
    await restored.close()
    await holder.mutate((tx) => tx.tasks.update(id, { votes: f.increment(10_000 * 10 ** index) })).stored
    holders.push(holder)
  }
  world.isCut = false
  for (const holder of holders) await holder.sync()
  for (const device of [first, ...holders, first]) await device.sync()
  for (const device of [first, ...holders]) {
    expect(await votesOf(device)).toBe(111_111 + 0)
    expect(device.digest()).toBe(first.digest())
    expect(device.status).toMatchObject({ pending: 0, waiting: 0, error: undefined })
  }
})

it('[SYNC7 SYNC21] above the tips of another replica is what it is not shown to hold, a fork of equal length included', async () => {
  world.isCut = true
  const store = memoryStore()
  const first = await world.open(store, hastyPorts)
  const write = (device: Device, title: string) => device.mutate((tx) => tx.tasks.insert({ title })).stored
  await write(first, 'base')
  const clone = await world.open(await world.copyOf(store), hastyPorts)
  const far = await world.open(memoryStore(), hastyPorts)
  await far.import(await first.export())
  expect(await first.export(far.tips())).toEqual([])
  await write(first, 'one')
  await write(clone, 'two')
  expect(await first.export(far.tips())).toHaveLength(1)
  expect(await clone.import(await first.export(clone.tips()))).toEqual([])
  expect(await first.import(await clone.export(first.tips()))).toEqual([])
  expect(clone.digest()).toBe(first.digest())
  // By now both know of the fork, and so does nobody else.
  expect([await first.export(clone.tips()), await clone.export(first.tips())]).toEqual([[], []])
  await write(clone, 'three')
  expect(await clone.export(first.tips())).toHaveLength(1)
  await write(far, 'four')
  for (const device of [first, clone]) {
    expect(await far.import(await device.export(far.tips()))).toEqual([])
    expect(await device.import(await far.export(device.tips()))).toEqual([])
  }
  await first.import(await far.export(first.tips()))
  expect([first.digest(), far.digest()]).toEqual([clone.digest(), clone.digest()])
  expect(await clone.export(far.tips())).toEqual([])
  await expect(first.export(new Uint8Array([1, 2, 3]))).rejects.toMatchObject({ code: 'MALFORMED' })
})

it('[SYNC5] what is stamped years ahead is not let in by a courier, until it is shifted or somebody says so', async () => {
  const day = 86_400_000
  const portsAhead: Ports = { ...hastyPorts, clock: { now: () => hastyPorts.clock.now() + 1000 * day } }
  world.isCut = true
  const ahead = await world.open(memoryStore(), portsAhead)
  const healthy = await world.open(memoryStore(), hastyPorts)
  ahead.mutate((tx) => tx.tasks.insert({ title: 'from the future', votes: 1 }))
  const batches = await ahead.export()
  expect(await healthy.import(batches)).toMatchObject([{ device: ahead.device, code: 'CLOCK_AHEAD' }])
  expect(healthy.held().size).toBe(0)
  const trusting = await world.open(memoryStore(), hastyPorts)
  expect(await trusting.import(batches, { trustStamps: true })).toEqual([])
  await trusting.mutate((tx) => tx.tasks.insert({ title: 'dragged along', votes: 0 })).stored
  world.isCut = false
  // Both bring it to the server, each with a shift of its own: the larger counts, everywhere.
  await expect
    .poll(() => [ahead.status.pending, trusting.status.pending], { timeout: 20_000, interval: 100 })
    .toEqual([0, 0])
  for (const device of [ahead, trusting, healthy, ahead, trusting]) await device.sync()
  expect(ahead.digest()).toBe(healthy.digest())
  expect(trusting.digest()).toBe(healthy.digest())
  const rows = await healthy.query((db) => db.selectFrom('tasks').select('updatedAt'))
  for (const { updatedAt } of rows) expect(updatedAt.getTime()).toBeLessThan(Date.now() + 60_000)
})
