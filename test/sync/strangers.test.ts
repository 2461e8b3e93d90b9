/** Who may push, and lacks the key of the space (SPEC KEY7, SYNC16). */
import { http, newSpaceKey, openReplica, type ReplicaKey, type Transport, webSocket } from '@driftlog/client'
import { memoryStore } from '@driftlog/core'
import { createServer, jwt, listen } from '@driftlog/server'
import { afterEach, describe, expect, it } from 'vitest'
import { key, schema, secret, token } from './in-process.ts'

const cleanups: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const serve = async (): Promise<string> => {
  const listening = await listen(createServer({ store: memoryStore(), auth: jwt({ secret }) }), {
    port: 0,
    hostname: '127.0.0.1',
  })
  cleanups.push(() => listening.close())
  return listening.url
}

const open = async (transport: Transport, spaceKey: ReplicaKey = key, store = memoryStore()) => {
  const replica = await openReplica({ schema, space: 'home', key: spaceKey, store, transport })
  cleanups.push(() => replica.close())
  return replica
}

type Device = Awaited<ReturnType<typeof open>>

const write = (device: Device, title: string) => device.mutate((tx) => tx.tasks.insert({ title })).acknowledged
const titles = async (device: Device): Promise<readonly string[]> => {
  const rows = await device.query((db) => db.selectFrom('tasks').select('title').orderBy('title'))
  return rows.map(({ title }) => title)
}

const transports: Record<string, (url: string) => Transport> = {
  webSocket: (url) => webSocket(url, { token }),
  http: (url) => http(url, { token, pollMs: 20 }),
}
const strangers: Record<string, ReplicaKey> = { 'no key': 'unencrypted', 'another key': newSpaceKey() }

describe.each(Object.keys(transports))('over %s', (name) => {
  const line = (url: string): Transport => transports[name](url)

  it.each(Object.keys(strangers))(
    '[KEY7, SYNC16] what somebody with %s pushed is set aside and named, and no error',
    async (theirs) => {
      const url = await serve()
      const stranger = await open(line(url), strangers[theirs])
      await write(stranger, 'before')
      const a = await open(line(url))
      // Only from here on is there anything that the key opens.
      await write(a, 'one')
      const store = memoryStore()
      const b = await open(line(url), key, store)
      await b.sync()
      const named = {
        error: undefined,
        summary: 'up-to-date',
        foreign: [{ device: stranger.device, code: 'KEY_WRONG' }],
      }
      expect(b.status).toMatchObject(named)
      await write(stranger, 'after')
      await write(a, 'two')
      await expect.poll(() => titles(b)).toEqual(['one', 'two'])
      await write(b, 'three')
      await expect.poll(() => titles(a)).toEqual(['one', 'three', 'two'])
      await Promise.all([a.sync(), b.sync()])
      expect([a.status, b.status]).toMatchObject([named, named])
      // Still so for who comes back.
      await b.close()
      const again = await open(line(url), key, store)
      await again.sync()
      expect(again.status).toMatchObject(named)
      await write(a, 'four')
      await expect.poll(() => titles(again)).toEqual(['four', 'one', 'three', 'two'])
    },
  )

  it('[KEY7] whose ops the server has is not alone with a stranger', async () => {
    const url = await serve()
    const a = await open(line(url))
    await write(a, 'one')
    await a.sync()
    await write(await open(line(url), 'unencrypted'), 'stranger')
    await expect.poll(() => a.status.foreign).toHaveLength(1)
    await a.sync()
    expect(a.status).toMatchObject({ error: undefined, summary: 'up-to-date' })
  })

  it('[KEY7] a key that opens nothing of what the server has is an error, also of who writes with it', async () => {
    const url = await serve()
    await write(await open(line(url)), 'one')
    await write(await open(line(url)), 'two')
    const c = await open(line(url), newSpaceKey())
    await expect(c.sync()).rejects.toMatchObject({ code: 'KEY_WRONG' })
    expect(c.status).toMatchObject({ summary: 'error', error: { code: 'KEY_WRONG' } })
    expect(c.status.foreign).toHaveLength(2)
    await write(c, 'three')
    await expect(c.sync()).rejects.toMatchObject({ code: 'KEY_WRONG' })
    expect(c.status).toMatchObject({ summary: 'error', error: { code: 'KEY_WRONG' } })
  })
})
