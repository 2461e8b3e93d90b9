/** A device id that is written twice: a restored backup, a cloned disk. */
import { f, memoryStore } from '@driftlog/core'
import { afterEach, expect, it } from 'vitest'
import { hastyPorts, InProcess } from './in-process.ts'

let world = new InProcess()
afterEach(async () => {
  await world.close()
  world = new InProcess()
})

/** A disk whose device wrote one row and synced, and a copy of that disk. */
const copiedDevice = async () => {
  const store = memoryStore()
  const first = await world.open(store, hastyPorts)
  const id = first.mutate((tx) => tx.tasks.insert({ title: 'before the copy' })).value
  await first.sync()
  await first.close()
  const copied = await world.copyOf(store)
  return { store, id, copied }
}

it.each([
  [1, 1],
  [1, 2],
  [3, 2],
  [5, 1],
])(
  '[BR1 BR3] the original wrote %i more, its clone %i: both sync, nothing is lost, nothing counts twice',
  async (more, own) => {
    const { store, id, copied } = await copiedDevice()
    const original = await world.open(store, hastyPorts)
    for (let n = 0; n < more; n++) {
      await original.mutate((tx) => tx.tasks.update(id, { votes: f.increment(1), title: `original ${n}` })).stored
    }
    await original.sync()
    world.isCut = true
    const clone = await world.open(copied, hastyPorts)
    const shared = original.device
    expect(clone.device).toBe(shared)
    const receipts = []
    for (let n = 0; n < own; n++) {
      const receipt = clone.mutate((tx) => tx.tasks.update(id, { votes: f.increment(10) }))
      await receipt.stored
      receipts.push(receipt)
    }
    world.isCut = false
    await clone.sync()
    // Receipts follow the branch.
    for (const receipt of receipts) await receipt.acknowledged
    await expect.poll(() => clone.device).not.toBe(shared)
    await original.sync()
    await expect.poll(() => original.device).not.toBe(shared)
    expect(original.device).not.toBe(clone.device)
    for (const device of [original, clone]) {
      await device.mutate((tx) => tx.tasks.update(id, { votes: f.increment(100) })).acknowledged
    }
    await original.sync()
    await clone.sync()
    await original.sync()
    expect(clone.digest()).toBe(original.digest())
    for (const device of [original, clone]) {
      expect(device.status).toMatchObject({ error: undefined, pending: 0 })
      const votes = await device.query((db) => db.selectFrom('tasks').select('votes'))
      expect(votes).toEqual([{ votes: more + 10 * own + 200 }])
    }
    await clone.close()
    // The new id is the slot's from now on.
    const again = await world.open(copied, hastyPorts)
    expect(again.digest()).toBe(original.digest())
    expect(again.device).not.toBe(shared)
  },
)

it('[SYNC21] what was acknowledged stays so over a reopen, and a lost answer is made good', async () => {
  const store = memoryStore()
  const first = await world.open(store, hastyPorts)
  await first.mutate((tx) => tx.tasks.insert({ title: 'sent' })).acknowledged
  await first.close()
  const again = await world.open(store, hastyPorts)
  const receipt = again.mutate((tx) => tx.tasks.insert({ title: 'sent later' }))
  await receipt.acknowledged
  await again.sync()
  expect(again.status).toMatchObject({ pending: 0, error: undefined })
})

it('[BR3] a restored backup that has written nothing since gets back what it lost, under a new id', async () => {
  const store = memoryStore()
  const first = await world.open(store, hastyPorts)
  const id = first.mutate((tx) => tx.tasks.insert({ title: 'before the backup' })).value
  await first.sync()
  const backup = await world.copyOf(store)
  first.mutate((tx) => tx.tasks.update(id, { title: 'after it' }))
  await first.sync()
  const digest = first.digest()
  await first.close()

  const restored = await world.open(backup, hastyPorts)
  const before = restored.device
  await restored.sync()
  await expect.poll(() => restored.device).not.toBe(before)
  expect(restored.digest()).toBe(digest)
  await restored.mutate((tx) => tx.tasks.update(id, { title: 'and on' })).acknowledged
})
