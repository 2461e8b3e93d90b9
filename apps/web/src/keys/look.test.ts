import { type Connection, newSpaceKey, openReplica, type ReplicaKey, type Transport } from '@driftlog/client'
import { type BatchStore, memoryStore } from '@driftlog/core'
import { expect, test } from 'vitest'
import { schema } from '../data/schema.ts'
import { lookAt, opens } from './look.ts'

const space = 'home'

/** A server that never answers. */
const silent: Transport = { mode: 'live', connect: (): Connection => ({ send: () => {}, close: () => {} }) }

const written = async (store: BatchStore, key: ReplicaKey): Promise<void> => {
  const replica = await openReplica({ schema, space, key, store })
  await replica.mutate((tx) => tx.lists.insert({ name: 'Home' })).stored
  await replica.close()
}
const look = (store: BatchStore) => lookAt({ space, store, transport: silent, online: true, patienceMs: 20 })

test('nothing here and no answer: nobody can tell', async () => {
  expect(await look(memoryStore())).toMatchObject({ isBegun: false, isWhole: false, isPlain: false, unsent: 0 })
})

test('what is here is held, though it cannot be read; its own key opens it, another one does not', async () => {
  const [store, key] = [memoryStore(), newSpaceKey()]
  await written(store, key)
  const sight = await look(store)
  expect(sight).toMatchObject({ isBegun: true, isWhole: false, isPlain: false, unsent: 1 })
  expect(await opens(key, space, sight)).toBe(true)
  expect(await opens(newSpaceKey(), space, sight)).toBe(false)
  // Looking at it changed nothing.
  const replica = await openReplica({ schema, space, key, store })
  expect(await replica.query((db) => db.selectFrom('lists').select('name'))).toEqual([{ name: 'Home' }])
  await replica.close()
})

test('what was not encrypted is told', async () => {
  const store = memoryStore()
  await written(store, 'unencrypted')
  expect(await look(store)).toMatchObject({ isPlain: true })
})
