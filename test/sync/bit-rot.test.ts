/** FAULTS, bit rot: the batch is named, quarantined and fetched again, and nothing else stops. */
import {
  type BatchStore,
  damageBatch,
  f,
  type MemoryMedium,
  memoryMedium,
  memoryStore,
  startCursor,
} from '@driftlog/core'
import { openReplica, webSocket } from '@driftlog/client'
import { createServer, jwt, listen } from '@driftlog/server'
import { afterEach, describe, expect, it } from 'vitest'
import { type Device, hastyPorts, InProcess, key, schema, secret, token } from './in-process.ts'
import { retried } from './retried.ts'

const SPACE = 'home'

let world = new InProcess()
afterEach(async () => {
  await world.close()
  world = new InProcess()
})

const rowsOf = (device: Device) => device.query((db) => db.selectFrom('tasks').selectAll().orderBy('id'))

/** Where the batches of a device stand, in order. */
const positionsOf = async (store: BatchStore, device: string): Promise<number[]> => {
  const { batches } = await store.readAfter(SPACE, startCursor, { batches: 1e6, bytes: 1e9 })
  return batches.filter(({ batch }) => batch.header.device === device).map(({ position }) => position)
}

const damage = (medium: MemoryMedium, ...positions: readonly number[]): void => {
  for (const position of positions) damageBatch(medium, SPACE, position)
}

interface Site {
  readonly medium: MemoryMedium
  readonly store: BatchStore
  device: Device
}

const site = async (): Promise<Site> => {
  const medium = memoryMedium()
  const store = memoryStore(medium)
  return { medium, store, device: await world.open(store, hastyPorts) }
}

const reopen = async (at: Site): Promise<void> => {
  await at.device.close()
  at.device = await world.open(at.store, hastyPorts)
}

/** Each in a batch of its own. */
const write = async ({ device }: Site, count: number, name: string): Promise<void> => {
  for (let n = 0; n < count; n++) {
    await device.mutate((tx) => {
      if (tx.tasks.get('shared') === undefined) tx.tasks.insert({ id: 'shared', title: 'shared' })
      tx.tasks.update('shared', { votes: f.increment(1) })
      tx.tasks.insert({ id: `${name} ${n}`, title: name })
    }).stored
  }
}

const agree = async (...sites: readonly Site[]): Promise<void> => {
  for (const { device } of [...sites, ...sites]) await device.sync()
  await expect.poll(() => new Set(sites.map(({ device }) => device.digest())).size).toBe(1)
}

const healthy = { error: undefined, damaged: 0, pending: 0, waiting: 0, online: true }

/** Two devices that wrote by turns and have all of each other's work. */
const two = async (): Promise<readonly [Site, Site]> => {
  const [a, b] = [await site(), await site()]
  for (let turn = 0; turn < 3; turn++) {
    await write(a, 2, `a${turn}`)
    await agree(a, b)
    await write(b, 2, `b${turn}`)
    await agree(a, b)
  }
  return [a, b]
}

describe('[LOG5 KEEP6] on a device', () => {
  it.each([[[0]], [[2]], [[5]], [[0, 1, 2, 3, 4, 5]], [[1, 4]]])(
    'the batches %j of another one are left out, named, and pulled again',
    async (indexes) => {
      const [a, b] = await two()
      const digest = a.device.digest()
      const positions = await positionsOf(a.store, b.device.device)
      await a.device.close()
      // Pulled by cursor these come first, and go on from what is hidden (simulator seed 107).
      await write(b, 3, 'further')
      await b.device.sync()
      world.isCut = true
      damage(a.medium, ...indexes.map((index) => positions[index]))
      a.device = await world.open(a.store, hastyPorts)
      expect(a.device.status).toMatchObject({ damaged: indexes.length, error: { code: 'STORAGE_DAMAGED' } })
      expect(a.device.status.error?.message).toContain(b.device.device)
      // It goes on all the while.
      await write(a, 1, 'meanwhile')
      world.isCut = false
      await expect.poll(() => a.device.status).toMatchObject(healthy)
      await agree(a, b)
      expect(a.device.digest()).not.toBe(digest)
      await reopen(a)
      await agree(a, b)
      expect(a.device.status).toMatchObject(healthy)
      expect((await rowsOf(b.device)).find(({ id }) => id === 'shared')).toMatchObject({ votes: 16 })
    },
  )

  it('[BR3] its own batch: it opens, writes on under another id, and has everything again', async () => {
    const [a, b] = await two()
    const was = a.device.device
    const positions = await positionsOf(a.store, was)
    world.isCut = true
    await a.device.close()
    damage(a.medium, positions[3])
    a.device = await world.open(a.store, hastyPorts)
    expect(a.device.device).not.toBe(was)
    expect(a.device.status.damaged).toBe(1)
    const now = a.device.device
    await write(a, 1, 'meanwhile')
    // Once is enough, however often it is opened.
    await reopen(a)
    expect(a.device.device).toBe(now)
    world.isCut = false
    await agree(a, b)
    expect(a.device.status).toMatchObject(healthy)
    expect(b.device.status).toMatchObject(healthy)
    expect((await rowsOf(b.device)).find(({ id }) => id === 'shared')).toMatchObject({ votes: 13 })
  })

  it('found while it is open: the log is read anew, and what was written meanwhile is kept', async () => {
    const [a, b] = await two()
    const was = a.device.device
    world.isCut = true
    await write(a, 3, 'unsent')
    const positions = await positionsOf(a.store, was)
    // One that the server has, and one that it has not.
    damage(a.medium, positions[4])
    const exported = a.device.export()
    await a.device.mutate((tx) => tx.tasks.update('shared', { votes: f.increment(1) })).stored
    await exported
    await expect.poll(() => a.device.status.damaged).toBe(1)
    await expect.poll(() => a.device.device).not.toBe(was)
    await a.device.mutate((tx) => tx.tasks.insert({ title: 'after' })).stored
    world.isCut = false
    await expect.poll(() => a.device.status).toMatchObject(healthy)
    await agree(a, b)
    expect((await rowsOf(b.device)).find(({ id }) => id === 'shared')).toMatchObject({ votes: 16 })
  })

  it('own work that never left and rotted stays in quarantine, shown, and everything else goes on', async () => {
    const [a, b] = await two()
    world.isCut = true
    const was = a.device.device
    await write(a, 3, 'unsent')
    const positions = await positionsOf(a.store, was)
    await a.device.close()
    damage(a.medium, positions[7])
    world.isCut = false
    a.device = await world.open(a.store, hastyPorts)
    await write(a, 2, 'later')
    await write(b, 2, 'elsewhere')
    await agree(a, b)
    const quarantined = { damaged: 1, error: { code: 'STORAGE_DAMAGED' }, pending: 0, summary: 'error' }
    expect(a.device.status).toMatchObject(quarantined)
    expect(b.device.status).toMatchObject(healthy)
    // The first of the three was before it.
    expect((await rowsOf(b.device)).find(({ id }) => id === 'shared')).toMatchObject({ votes: 12 + 1 + 2 + 2 })
    await reopen(a)
    await agree(a, b)
    expect(a.device.status).toMatchObject(quarantined)
  })
})

it('[LOG5 KEEP6] what one tab heals shows in every other one on the same store', async () => {
  world.isCut = true
  const author = await site()
  await write(author, 1, 'shared')
  const batches = await author.device.export()
  const medium = memoryMedium()
  const first = await world.open(memoryStore(medium), hastyPorts)
  await first.import(batches)
  await first.close()
  damage(medium, 1)
  const [a, b] = [await world.open(memoryStore(medium), hastyPorts), await world.open(memoryStore(medium), hastyPorts)]
  expect([a.status.damaged, b.status.damaged]).toEqual([1, 1])
  await b.import(batches)
  await expect.poll(() => [a.status.damaged, b.status.damaged]).toEqual([0, 0])
  expect(await rowsOf(a)).toEqual(await rowsOf(author.device))
  await b.mutate((tx) => tx.tasks.update('shared', { votes: f.increment(1) })).stored
  await expect.poll(() => a.digest() === b.digest()).toBe(true)
})

it('[LOG5] over sockets nobody has to ask: who is connected greets anew, pushes what rotted and pulls what is back', async () => {
  const medium = memoryMedium()
  const store = memoryStore(medium)
  const lines: [string, object][] = []
  const logger = {
    debug: () => undefined,
    info: (fields: object, message: string) => void lines.push([message, fields]),
    warn: () => undefined,
    error: (fields: object, message: string) => void lines.push([message, fields]),
  }
  const server = createServer({ store, auth: jwt({ secret }), ports: hastyPorts, logger })
  const listening = await listen(server, { port: 0 })
  const sites: Site[] = []
  const connect = async (): Promise<Site> => {
    const ownMedium = memoryMedium()
    const own = memoryStore(ownMedium)
    const transport = webSocket(listening.url, { token })
    const device = await openReplica({ schema, space: SPACE, key, store: own, transport, ports: hastyPorts })
    const opened = { medium: ownMedium, store: own, device }
    sites.push(opened)
    return opened
  }
  try {
    const [a, b] = [await connect(), await connect()]
    await write(a, 4, 'a')
    await write(b, 2, 'b')
    await expect.poll(() => a.device.digest() === b.device.digest()).toBe(true)
    await a.device.sync()
    const [first, second] = [await positionsOf(store, a.device.device), await positionsOf(store, b.device.device)]
    damage(medium, first[0], first[2], second[1])
    const c = await connect()
    await expect.poll(() => c.device.digest() === a.device.digest(), { timeout: 10_000 }).toBe(true)
    for (const { device } of sites) await expect.poll(() => device.status, { timeout: 10_000 }).toMatchObject(healthy)
    // Named once each, and said when it was over.
    expect(lines.filter(([message]) => message.includes('is damaged'))).toHaveLength(3)
    expect(lines.filter(([message]) => message.includes('pushed again'))).toHaveLength(3)
  } finally {
    for (const { device } of sites) await device.close()
    await listening.close()
  }
})

describe('[LOG5] on the server', () => {
  it.each([[[0]], [[3]], [[5]], [[0, 1, 2, 3, 4, 5]], [[1, 4]]])(
    'the batches %j are hidden from who comes, counted, and pushed again by who has them',
    async (indexes) => {
      const [a, b] = await two()
      const positions = await positionsOf(world.serverStore, a.device.device)
      b.device.setOnline(false)
      a.device.setOnline(false)
      damage(world.serverMedium, ...indexes.map((index) => positions[index]))
      const c = await site()
      await write(c, 1, 'c')
      // It was told of what is not to be had, greets anew, and gets what there is.
      await c.device.sync()
      expect(c.device.status).toMatchObject({ pending: 0, error: undefined })
      expect(await world.health()).toMatchObject({ ready: true, damaged: indexes.length })
      // Any device has it, whoever wrote it.
      b.device.setOnline(true)
      await b.device.sync()
      await expect.poll(() => world.health()).toMatchObject({ damaged: 0 })
      a.device.setOnline(true)
      await expect.poll(() => c.device.digest() === b.device.digest()).toBe(true)
      await agree(a, b, c)
      for (const { device } of [a, b, c]) expect(device.status).toMatchObject(healthy)
      const fresh = await site()
      await agree(fresh, a)
    },
  )

  it('what nobody has any more stays in quarantine there, and sync goes on', async () => {
    const a = await site()
    await write(a, 3, 'a')
    await a.device.sync()
    const positions = await positionsOf(world.serverStore, a.device.device)
    await a.device.close()
    damage(world.serverMedium, positions[1])
    const [b, c] = [await site(), await site()]
    await write(b, 2, 'b')
    await write(c, 2, 'c')
    // Who was told of other tips before it was found says so until it greets anew.
    await retried('GAP', () => agree(b, c))
    expect(await world.health()).toMatchObject({ ready: true, damaged: 1 })
    // Its author comes back.
    a.device = await world.open(a.store, hastyPorts)
    await agree(a, b, c)
    expect(await world.health()).toMatchObject({ damaged: 0 })
    for (const { device } of [a, b, c]) expect(device.status).toMatchObject(healthy)
  })

  it('both at once, in different places', async () => {
    const [a, b] = await two()
    const [atServer, atA] = [
      await positionsOf(world.serverStore, b.device.device),
      await positionsOf(a.store, a.device.device),
    ]
    await a.device.close()
    damage(world.serverMedium, atServer[2])
    damage(a.medium, atA[2])
    await reopen(b)
    a.device = await world.open(a.store, hastyPorts)
    await write(a, 1, 'a later')
    await write(b, 1, 'b later')
    await agree(a, b)
    await expect.poll(() => a.device.status).toMatchObject(healthy)
    const fresh = await site()
    await agree(fresh, a, b)
    expect(await world.health()).toMatchObject({ damaged: 0 })
  })
})
