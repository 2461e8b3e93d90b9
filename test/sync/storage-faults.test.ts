/** FAULTS, local storage: whatever call of the store fails once, nothing `stored` is lost, nothing doubles, all heals. */
import { type BatchStore, type ErrorCode, f, memoryMedium, memoryStore } from '@driftlog/core'
import { afterEach, describe, expect, it } from 'vitest'
import { faultyStore } from './faulty-store.ts'
import { type Device, hastyPorts, InProcess } from './in-process.ts'
import { retried } from './retried.ts'

let world = new InProcess()
afterEach(async () => {
  await world.close()
  world = new InProcess()
})

const rowsOf = (device: Device) => device.query((db) => db.selectFrom('tasks').selectAll().orderBy('id'))

/** Mutates where the replica lets it; remembers what was written and what it said of it. */
class Script {
  written = 0
  stored = 0
  readonly #device: Device
  readonly #settled: Promise<void>[] = []

  constructor(device: Device) {
    this.#device = device
  }

  /** One vote; waits while the storage has the replica read-only. */
  async vote(): Promise<void> {
    const receipt = await retried('READ_ONLY', () =>
      this.#device.mutate((tx) => {
        if (tx.tasks.get('shared') === undefined) tx.tasks.insert({ id: 'shared', title: 'shared' })
        tx.tasks.update('shared', { votes: f.increment(1) })
      }),
    )
    this.written++
    this.#settled.push(
      receipt.stored.then(
        () => void this.stored++,
        () => undefined,
      ),
    )
  }

  async settled(): Promise<void> {
    await Promise.all(this.#settled)
  }
}

/** A session of everything that touches the store: another device's ops come in, own ones go out, twice opened. */
const session = async (fails: (call: number) => boolean, code: ErrorCode, isLate: boolean) => {
  const medium = memoryMedium()
  const { store, calls } = faultyStore(memoryStore(medium), { fails, code, isLate })
  const other = await world.open(memoryStore(), hastyPorts)
  other.mutate((tx) => tx.tasks.insert({ id: 'from-other', title: 'x' }))
  await other.sync()
  let written = 0
  let stored = 0
  for (let opening = 1; opening <= 2; opening++) {
    const device = await retried(code, () => world.open(store, hastyPorts))
    const script = new Script(device)
    await script.vote()
    await script.vote()
    await retried(code, () => device.sync())
    other.mutate((tx) => tx.tasks.update('from-other', { votes: f.increment(1) }))
    await other.sync()
    await script.vote()
    await retried(code, () => device.sync())
    await script.vote()
    await device.close()
    await script.settled()
    written += script.written
    stored += script.stored
  }
  return { medium, other, written, stored, calls }
}

describe.each([
  ['STORAGE_FULL', 'before', false],
  ['STORAGE_FAILED', 'before', false],
  ['STORAGE_FAILED', 'after', true],
] as const)('every call of the store fails once, with %s, %s its work is done', (code, _, isLate) => {
  it('nothing stored is lost, nothing doubles, and both devices agree', { timeout: 120_000 }, async () => {
    const { calls: plain } = await session(() => false, code, isLate)
    expect(plain.length).toBeGreaterThan(20)
    for (let k = 1; k <= plain.length; k++) {
      await world.close()
      world = new InProcess()
      const { medium, other, written, stored } = await session((call) => call === k, code, isLate)
      // A close tries twice, so that one failure loses nothing.
      expect({ k, stored }).toEqual({ k, stored: written })
      const device = await world.open(memoryStore(medium), hastyPorts)
      await device.sync()
      await other.sync()
      await expect.poll(() => ({ k, digest: other.digest() })).toEqual({ k, digest: device.digest() })
      const rows = await rowsOf(device)
      expect({ k, rows }).toMatchObject({
        k,
        rows: [
          { id: 'from-other', votes: 2 },
          { id: 'shared', votes: written },
        ],
      })
      expect(device.status).toMatchObject({ summary: 'up-to-date', pending: 0, unsaved: 0, error: undefined })
    }
  })
})

it('[KEEP4] close waits for what is being stored, and begins nothing after it', async () => {
  const inner = memoryStore()
  let isClosed = false
  const late: string[] = []
  const { store } = faultyStore(inner, {
    code: 'STORAGE_FAILED',
    fails: (_, method) => {
      if (isClosed) late.push(method)
      return false
    },
  })
  const other = await world.open(memoryStore(), hastyPorts)
  const device = await world.open(store, hastyPorts)
  for (let n = 0; n < 20; n++) {
    other.mutate((tx) => tx.tasks.insert({ title: `other ${n}` }))
    device.mutate((tx) => tx.tasks.insert({ title: `own ${n}` }))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await device.close()
  isClosed = true
  expect(device.status).toMatchObject({ online: false, syncing: false, unsaved: 0, summary: 'offline' })
  await other.sync()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(late).toEqual([])
})

it('a close whose last append fails says so once and tries no more', async () => {
  let isFailing = false
  let attempts = 0
  const { store } = faultyStore(memoryStore(), {
    code: 'STORAGE_FULL',
    fails: (_, method) => {
      if (isFailing && method === 'append') attempts++
      return isFailing
    },
  })
  const device = await world.open(store, hastyPorts)
  await device.sync()
  isFailing = true
  device.mutate((tx) => tx.tasks.insert({ title: 'lost, and known to be' }))
  await expect(device.close()).rejects.toMatchObject({ code: 'STORAGE_FULL' })
  const before = attempts
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(attempts).toBe(before)
})

it('a failing read of what another tab wrote does not stop writing, is shown, and is tried again', async () => {
  const medium = memoryMedium()
  const shared: BatchStore = memoryStore(medium)
  let isFailing = false
  const { store } = faultyStore(shared, {
    code: 'STORAGE_FAILED',
    fails: (_, method) => isFailing && method === 'readAfter',
  })
  const [a, b] = [await world.open(store, hastyPorts), await world.open(shared, hastyPorts)]
  await a.sync()
  a.setOnline(false)
  isFailing = true
  await b.mutate((tx) => tx.tasks.insert({ id: 'x', title: 'by b' })).stored
  await expect.poll(() => a.status.error?.code).toBe('STORAGE_FAILED')
  expect(a.status.readOnly).toBe(false)
  await a.mutate((tx) => tx.tasks.insert({ title: 'by a, meanwhile' })).stored
  isFailing = false
  await expect.poll(() => a.digest() === b.digest()).toBe(true)
  await expect.poll(() => a.status.error).toBe(undefined)
})
