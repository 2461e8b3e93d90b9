import { http, openReplica, type Transport, webSocket } from '@driftlog/client'
import { type BatchStore, defineSchema, f, memoryStore, table } from '@driftlog/core'
import { createServer, jwt, listen, mintToken } from '@driftlog/server'
import { sqlite } from '@driftlog/store-sqlite'
import { afterEach, describe, expect, it } from 'vitest'

const secret = 'a secret of at least thirty-two characters'
const schema = defineSchema({
  version: 1,
  tables: { tasks: table({ title: f.string(), done: f.boolean().default(false), votes: f.counter() }) },
})

const cleanups: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const serve = async (store: BatchStore, port = 0) => {
  const server = createServer({ store, auth: jwt({ secret }) })
  const listening = await listen(server, { port, hostname: '127.0.0.1' })
  cleanups.push(() => listening.close())
  return listening
}

const token = () =>
  mintToken({ secret, subject: 'test', spaces: { home: 'writer' }, expiresInSeconds: 600, nowMs: Date.now() })

const open = async (transport: Transport, store = memoryStore()) => {
  const replica = await openReplica({ schema, space: 'home', key: 'unencrypted', store, transport })
  cleanups.push(() => replica.close())
  return replica
}

const transports: Record<string, (url: string) => Transport> = {
  webSocket: (url) => webSocket(url, { token }),
  http: (url) => http(url, { token, pollMs: 50 }),
}

describe.each(Object.keys(transports))('two replicas and a server, over %s', (name) => {
  it('converge on edits made apart, and know that they did', async () => {
    const { url } = await serve(sqlite(':memory:'))
    const [a, b] = [await open(transports[name](url)), await open(transports[name](url))]
    const id = a.mutate((tx) => tx.tasks.insert({ title: 'one', votes: 1 })).value
    await a.sync()
    await b.sync()
    a.setOnline(false)
    b.setOnline(false)
    a.mutate((tx) => tx.tasks.update(id, { title: 'from a', votes: f.increment(2) }))
    b.mutate((tx) => tx.tasks.update(id, { title: 'from b', votes: f.increment(3) }))
    const receipt = b.mutate((tx) => tx.tasks.update(id, { done: true }))
    a.setOnline(true)
    b.setOnline(true)
    await receipt.acknowledged
    await a.sync()
    await b.sync()
    await expect.poll(() => a.digest() === b.digest()).toBe(true)
    const rows = await a.query((db) => db.selectFrom('tasks').selectAll())
    const candidates = a.candidates('tasks', id, 'title').map(({ value }) => value)
    // Which of the two is shown depends on the clocks of this run; that it is the same on both does not.
    expect(new Set(candidates)).toEqual(new Set(['from a', 'from b']))
    expect(b.candidates('tasks', id, 'title').map(({ value }) => value)).toEqual(candidates)
    expect(rows).toMatchObject([{ title: candidates[0], votes: 6, done: true }])
    const decided = [{ field: 'title', status: 'by-rule', rule: 'last-writer-wins', outcome: candidates[0] }]
    expect([a.conflicts, b.conflicts]).toMatchObject([decided, decided])
    a.mutate((tx) => tx.tasks.update(id, { title: 'settled' }))
    await a.sync()
    await expect.poll(() => [a.conflicts, b.conflicts]).toEqual([[], []])
    expect([a.status.summary, b.status.summary]).toEqual(['up-to-date', 'up-to-date'])
  })
})

it('[SYNC4] a server that lost everything is filled again by any device, others’ ops included', async () => {
  const first = await serve(sqlite(':memory:'))
  const { port } = first
  const [a, b] = [await open(transports.webSocket(first.url)), await open(transports.webSocket(first.url))]
  a.mutate((tx) => tx.tasks.insert({ title: 'by a' }))
  b.mutate((tx) => tx.tasks.insert({ title: 'by b' }))
  await a.sync()
  await b.sync()
  await a.sync()
  await expect.poll(() => a.digest() === b.digest()).toBe(true)
  await a.close()
  await first.close()
  const second = await serve(sqlite(':memory:'), port)
  b.setOnline(false)
  b.setOnline(true)
  await b.sync()
  const c = await open(transports.webSocket(second.url))
  await c.sync()
  expect(c.digest()).toBe(b.digest())
  expect(
    (await c.query((db) => db.selectFrom('tasks').select('title').orderBy('title'))).map(({ title }) => title),
  ).toEqual(['by a', 'by b'])
})

it('says why where the server refuses: a token for another space', async () => {
  const { url } = await serve(sqlite(':memory:'))
  const replica = await openReplica({
    schema,
    space: 'other',
    key: 'unencrypted',
    store: memoryStore(),
    transport: webSocket(url, { token }),
  })
  cleanups.push(() => replica.close())
  replica.mutate((tx) => tx.tasks.insert({ title: 'kept here' }))
  await expect.poll(() => replica.status.error?.code).toBe('NOT_FOUND')
  expect(replica.status).toMatchObject({ summary: 'error', pending: 1, unsaved: 0 })
  await expect(replica.sync()).rejects.toMatchObject({ code: 'NOT_FOUND' })
})
