/** Mutations larger than an op, ids chosen twice, and stores that are shared. */
import { f, memoryMedium, memoryStore } from '@driftlog/core'
import { afterEach, expect, it } from 'vitest'
import { type Device, hastyPorts, InProcess } from './in-process.ts'

let world = new InProcess()
afterEach(async () => {
  await world.close()
  world = new InProcess()
})

const totals = (device: Device) =>
  device.query((db) =>
    db.selectFrom('tasks').select(({ fn }) => [fn.countAll().as('rows'), fn.sum('votes').as('votes')]),
  )

it('[OP6] 100,000 rows of one mutation show at another device all at once, and count once', {
  timeout: 120_000,
}, async () => {
  const [a, b] = [await world.open(memoryStore(), hastyPorts), await world.open(memoryStore(), hastyPorts)]
  await b.sync()
  const seen: number[] = []
  b.watch((db) => db.selectFrom('tasks').select(({ fn }) => fn.countAll<number>().as('rows'))).subscribe(([{ rows }]) =>
    seen.push(rows),
  )
  await expect.poll(() => seen).toEqual([0])
  const receipt = a.mutate((tx) => {
    for (let row = 0; row < 100_000; row++) tx.tasks.insert({ id: `t${row}`, title: `task number ${row}`, votes: 1 })
    tx.tasks.update('t7', { votes: f.increment(2) })
  })
  expect(receipt.dot!.seq).toBeGreaterThan(10)
  await receipt.acknowledged
  await expect.poll(() => b.digest() === a.digest(), { timeout: 60_000 }).toBe(true)
  expect(await totals(b)).toEqual([{ rows: 100_000, votes: 100_002 }])
  expect(await totals(a)).toEqual([{ rows: 100_000, votes: 100_002 }])
  await expect.poll(() => seen).toEqual([0, 100_000])
})

it('an id that two devices chose is one row, with both titles as candidates and all votes', async () => {
  const [a, b] = [await world.open(memoryStore(), hastyPorts), await world.open(memoryStore(), hastyPorts)]
  a.setOnline(false)
  b.setOnline(false)
  a.mutate((tx) => {
    tx.tasks.insert({ id: 'x', title: 'of a', votes: 1 })
    // Again in the same mutation: an upsert.
    tx.tasks.insert({ id: 'x', title: 'of a, again', votes: 1 })
  })
  b.mutate((tx) => tx.tasks.insert({ id: 'x', title: 'of b', votes: 10 }))
  a.setOnline(true)
  b.setOnline(true)
  await a.sync()
  await b.sync()
  await a.sync()
  await expect.poll(() => a.digest() === b.digest()).toBe(true)
  const [row] = await a.query((db) => db.selectFrom('tasks').selectAll())
  expect(row.votes).toBe(12)
  const titles = a.candidates('tasks', 'x', 'title').map(({ value }) => value)
  expect(new Set(titles)).toEqual(new Set(['of a, again', 'of b']))
  expect(titles[0]).toBe(row.title)
  expect(a.conflicts).toMatchObject([{ field: 'title', status: 'by-rule' }])
})

it('two replicas on one store: when one closes, or is closed while the other writes, the other goes on', async () => {
  const medium = memoryMedium()
  const store = memoryStore(medium)
  const [a, b] = await Promise.all([world.open(store, hastyPorts), world.open(store, hastyPorts)])
  expect(a.device).not.toBe(b.device)
  b.mutate((tx) => tx.tasks.insert({ id: 'x', title: 'by b' }))
  const receipts = [a, b, a, b].map((device) => device.mutate((tx) => tx.tasks.insert({ title: 'at once' })))
  await a.close()
  receipts.push(b.mutate((tx) => tx.tasks.insert({ title: 'after it' })))
  await Promise.all(receipts.map(({ stored }) => stored))
  await b.sync()
  const again = await world.open(store, hastyPorts)
  expect(again.device).toBe(a.device)
  await again.mutate((tx) => tx.tasks.update('x', { votes: f.increment(1) })).acknowledged
  await expect.poll(() => b.digest() === again.digest()).toBe(true)
  expect(await totals(b)).toEqual([{ rows: 6, votes: 1 }])
})

it('ops that come in while SQL opens are in the first rows', async () => {
  const [a, b] = [await world.open(memoryStore(), hastyPorts), await world.open(memoryStore(), hastyPorts)]
  for (let n = 0; n < 50; n++) a.mutate((tx) => tx.tasks.insert({ title: `${n}`, votes: 1 }))
  await a.sync()
  const syncing = b.sync()
  const early = totals(b)
  await syncing
  expect(await totals(b)).toEqual([{ rows: 50, votes: 50 }])
  const [{ rows }] = await early
  expect([0, 50]).toContain(rows)
})

it('thousands of small mutations, online and off, arrive once each', { timeout: 60_000 }, async () => {
  const [a, b] = [await world.open(memoryStore(), hastyPorts), await world.open(memoryStore(), hastyPorts)]
  a.mutate((tx) => tx.tasks.insert({ id: 'all', title: 'all' }))
  await a.sync()
  await b.sync()
  for (let n = 1; n <= 3_000; n++) {
    for (const device of [a, b]) device.mutate((tx) => tx.tasks.update('all', { votes: f.increment(1) }))
    if (n % 100 === 0) {
      world.isCut = n % 300 === 0
      a.setOnline(n % 400 !== 0)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
  world.isCut = false
  a.setOnline(true)
  for (const device of [a, b, a, b]) await device.sync()
  await expect.poll(() => a.digest() === b.digest()).toBe(true)
  expect(await totals(b)).toEqual([{ rows: 1, votes: 6_000 }])
  expect(a.status).toMatchObject({ pending: 0, unsaved: 0, waiting: 0 })
})
