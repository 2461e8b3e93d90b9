/** Clocks that are wrong: what was stamped years ahead is shifted, and nobody else's clock is dragged along. */
import { f, memoryStore, type Ports } from '@driftlog/core'
import { afterEach, expect, it } from 'vitest'
import { hastyPorts, InProcess } from './in-process.ts'

let world = new InProcess()
afterEach(async () => {
  await world.close()
  world = new InProcess()
})

const DAY = 86_400_000
const portsAhead = (clock: { aheadMs: number }): Ports => ({
  ...hastyPorts,
  clock: { now: () => hastyPorts.clock.now() + clock.aheadMs },
})

it('[BR2] a clock that is ten years ahead: the work is shifted and admitted, and nobody else is dragged along', async () => {
  const clock = { aheadMs: 3650 * DAY }
  const other = await world.open(memoryStore(), hastyPorts)
  const id = other.mutate((tx) => tx.tasks.insert({ title: 'first' })).value
  await other.sync()

  const store = memoryStore()
  const ahead = await world.open(store, portsAhead(clock))
  await ahead.sync()
  const receipts = [1, 2, 3].map((n) =>
    ahead.mutate((tx) => tx.tasks.update(id, { title: `from the future ${n}`, votes: f.increment(1) })),
  )
  const before = ahead.device
  for (const { acknowledged } of receipts) await acknowledged
  expect(ahead.device).not.toBe(before)
  await other.sync()
  expect(other.digest()).toBe(ahead.digest())
  const [row] = await other.query((db) => db.selectFrom('tasks').selectAll())
  expect(row).toMatchObject({ title: 'from the future 3', votes: 3 })
  expect(Math.abs(row.updatedAt.getTime() - Date.now())).toBeLessThan(120_000)

  // A healthy device's next write comes after it, and wins.
  await other.mutate((tx) => tx.tasks.update(id, { title: 'answer' })).acknowledged
  await ahead.sync()
  expect((await ahead.query((db) => db.selectFrom('tasks').select('title')))[0].title).toBe('answer')
  // The device's clock is known to be ahead: what it writes now needs no shift.
  const renewed = ahead.device
  await ahead.mutate((tx) => tx.tasks.update(id, { title: 'and again' })).acknowledged
  expect(ahead.device).toBe(renewed)
  await ahead.close()

  const again = await world.open(store, portsAhead(clock))
  await again.mutate((tx) => tx.tasks.update(id, { title: 'after a restart' })).acknowledged
  expect(again.device).toBe(renewed)
  clock.aheadMs = 0
  await again.sync()
  await again.mutate((tx) => tx.tasks.update(id, { title: 'clock set right' })).acknowledged
  await other.sync()
  expect(other.digest()).toBe(again.digest())
  expect((await other.query((db) => db.selectFrom('tasks').select('title')))[0].title).toBe('clock set right')
})

it('[BR2 BR3] the clone of a device whose clock is ahead is shifted too, and nothing counts twice', async () => {
  const clock = { aheadMs: 400 * DAY }
  world.isCut = true
  const store = memoryStore()
  const device = await world.open(store, portsAhead(clock))
  const id = device.mutate((tx) => tx.tasks.insert({ title: 'offline', votes: 1 })).value
  await device.mutate((tx) => tx.tasks.update(id, { votes: f.increment(1) })).stored
  await device.close()
  const copy = await world.copyOf(store)
  const [one, two] = [await world.open(store, portsAhead(clock)), await world.open(copy, portsAhead(clock))]
  await one.mutate((tx) => tx.tasks.update(id, { votes: f.increment(10) })).stored
  await two.mutate((tx) => tx.tasks.update(id, { votes: f.increment(100) })).stored
  world.isCut = false
  for (const device of [one, two, one, two, one]) await device.sync().catch(() => undefined)
  await expect.poll(() => [one.status.pending, two.status.pending], { timeout: 10_000 }).toEqual([0, 0])
  await one.sync()
  await two.sync()
  for (const device of [one, two]) {
    expect((await device.query((db) => db.selectFrom('tasks').select('votes')))[0].votes).toBe(112)
  }
  expect(one.digest()).toBe(two.digest())
})
