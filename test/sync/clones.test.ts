/** A device id that is written twice: a restored backup, a cloned disk. */
import { type BatchStore, f, memoryStore, startCursor } from '@driftlog/core'
import { afterEach, expect, it } from 'vitest'
import { hastyPorts, InProcess } from './in-process.ts'

let world = new InProcess()
afterEach(async () => {
  await world.close()
  world = new InProcess()
})

/** What a backup of a disk has, on a disk of its own. */
const copyOf = async (store: BatchStore): Promise<BatchStore> => {
  const copy = memoryStore()
  const { batches } = await store.readAfter('home', startCursor, { batches: 1e6, bytes: 1e9 })
  const records = await store.records('home', '')
  await copy.append(
    'home',
    batches.map(({ batch }) => batch),
    { records },
  )
  return copy
}

/** A disk whose device wrote one row and synced, and a copy of that disk. */
const copiedDevice = async () => {
  const store = memoryStore()
  const first = await world.open(store, hastyPorts)
  const id = first.mutate((tx) => tx.tasks.insert({ title: 'before the copy' })).value
  await first.sync()
  await first.close()
  const copied = await copyOf(store)
  return { store, id, copied }
}

it('[BR3] a clone learns that its id is taken: it acknowledges nothing, and stops', async () => {
  const { store, id, copied } = await copiedDevice()

  const original = await world.open(store, hastyPorts)
  for (let n = 0; n < 5; n++) {
    original.mutate((tx) => tx.tasks.update(id, { votes: f.increment(1) }))
    await original.sync()
  }
  world.isCut = true
  const clone = await world.open(copied, hastyPorts)
  expect(clone.device).toBe(original.device)
  const receipt = clone.mutate((tx) => tx.tasks.update(id, { votes: f.increment(10) }))
  let isAcknowledged = false
  receipt.acknowledged.then(
    () => {
      isAcknowledged = true
    },
    () => undefined,
  )
  await receipt.stored
  world.isCut = false
  await expect.poll(() => clone.status).toMatchObject({ error: { code: 'FORK' }, readOnly: true })
  expect(() => clone.mutate((tx) => tx.tasks.insert({ title: 'refused' }))).toThrow(
    expect.objectContaining({ code: 'READ_ONLY' }),
  )
  await expect(clone.sync()).rejects.toMatchObject({ code: 'FORK' })
  expect(isAcknowledged).toBe(false)
  await original.sync()
  expect(await original.query((db) => db.selectFrom('tasks').select('votes'))).toEqual([{ votes: 5 }])
  expect(await clone.query((db) => db.selectFrom('tasks').select('votes'))).toEqual([{ votes: 10 }])
  await clone.close()

  // What refers to its branch nobody else could read: it is not to be built on, under whatever id.
  const again = await world.open(copied, hastyPorts)
  expect(again.device).toBe(original.device)
  await expect.poll(() => again.status).toMatchObject({ error: { code: 'FORK' }, readOnly: true })
})

it.each([
  [1, 1],
  [1, 2],
  [3, 2],
])(
  '[SYNC21] the original wrote %i more, its clone %i: no op of the clone counts as acknowledged',
  async (more, own) => {
    const { store, id, copied } = await copiedDevice()

    const original = await world.open(store, hastyPorts)
    for (let n = 0; n < more; n++) await original.mutate((tx) => tx.tasks.update(id, { title: `original ${n}` })).stored
    await original.sync()
    world.isCut = true
    const clone = await world.open(copied, hastyPorts)
    const acknowledged: number[] = []
    for (let n = 0; n < own; n++) {
      const receipt = clone.mutate((tx) => tx.tasks.update(id, { title: `clone ${n}` }))
      receipt.acknowledged.then(
        () => acknowledged.push(n),
        () => undefined,
      )
      await receipt.stored
    }
    world.isCut = false
    await expect(clone.sync()).rejects.toMatchObject({ code: 'FORK' })
    expect(clone.status).toMatchObject({ summary: 'error', error: { code: 'FORK' } })
    expect(acknowledged).toEqual([])
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
  const backup = await copyOf(store)
  first.mutate((tx) => tx.tasks.update(id, { title: 'after it' }))
  await first.sync()
  const digest = first.digest()
  await first.close()

  const restored = await world.open(backup, hastyPorts)
  await expect.poll(() => restored.status.error?.code).toBe('FORK')
  await restored.close()
  const again = await world.open(backup, hastyPorts)
  await again.sync()
  expect(again.device).not.toBe(first.device)
  expect(again.digest()).toBe(digest)
  await again.mutate((tx) => tx.tasks.update(id, { title: 'and on' })).acknowledged
})
