import { type Connection, newSpaceKey, openReplica, type ReplicaKey, type Transport } from '@driftlog/client'
import {
  type BatchStore,
  type ClientMessage,
  decodeBatch,
  encodeTips,
  memoryStore,
  type ServerMessage,
  startCursor,
} from '@driftlog/core'
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
const look = (store: BatchStore, transport = silent, patienceMs = 20) =>
  lookAt({ space, store, transport, online: true, patienceMs })

/** A server that holds one batch each of some devices, and tells of them page by page. */
const serverOf = (batches: readonly Uint8Array[]): Transport => {
  const headers = batches.map((bytes) => decodeBatch(bytes).header)
  const tips = encodeTips(
    new Map(headers.map(({ device, toSeq, tagAfter }) => [device, { seq: toSeq, tag: tagAfter }])),
  )
  const cursorAt = (position: number) =>
    position === 0 ? startCursor : { position, tag: headers[position - 1].tagAfter }
  const end = cursorAt(batches.length)
  const answerTo = (message: ClientMessage): ServerMessage | undefined => {
    if (message.type === 'hello') {
      const { protocol } = message
      const welcome = {
        type: 'welcome',
        protocol,
        serverTimeMs: Date.now(),
        role: 'reader',
        cursorValid: true,
      } as const
      return { ...welcome, inSync: false, tips, end }
    }
    if (message.type !== 'pull') return undefined
    const { id } = message
    if (!('after' in message && message.after !== undefined))
      return { type: 'page', id, from: 0, batches, cursor: end, more: false }
    const from = message.after.position
    const cursor = cursorAt(Math.min(from + 1, batches.length))
    const more = cursor.position < batches.length
    return { type: 'page', id, from, batches: batches.slice(from, cursor.position), cursor, more }
  }
  return {
    mode: 'live',
    connect: (_space, events) => {
      queueMicrotask(() => events.opened())
      const send = (messages: readonly ClientMessage[]) => {
        for (const answer of messages.map(answerTo)) if (answer !== undefined) events.message(answer)
      }
      return { send, close: () => {} }
    },
  }
}

const batchesOf = async (key: ReplicaKey): Promise<Uint8Array[]> => {
  const store = memoryStore()
  await written(store, key)
  const { batches } = await store.readAbove(space, new Map(), { batches: 10, bytes: 1e6 })
  return batches.map(({ batch }) => batch.bytes)
}

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

test('[KEY7] what somebody without the key pushed shuts nobody out: plain is what holds nothing that is encrypted', async () => {
  const key = newSpaceKey()
  const [plain, own] = [await batchesOf('unencrypted'), await batchesOf(key)]
  for (const batches of [
    [...plain, ...own],
    [...own, ...plain],
  ]) {
    const sight = await look(memoryStore(), serverOf(batches), 5_000)
    expect(sight).toMatchObject({ isBegun: true, isPlain: false, isWhole: true, sample: own })
    expect(await opens(key, space, sight)).toBe(true)
  }
  expect(await look(memoryStore(), serverOf(plain), 5_000)).toMatchObject({ isBegun: false, isPlain: true })
})
