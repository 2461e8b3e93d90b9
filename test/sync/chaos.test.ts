/**
 * Random lives of three devices: mutations, dead networks, full disks, crashes, two tabs on one disk. Then everything
 * heals, and faults 1 (local durability), 2 (no loss), 3 (takes effect once), 5 (convergence) and 9 (liveness) are looked at.
 */
import { type BatchStore, f, type MemoryMedium, memoryMedium, memoryStore } from '@driftlog/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { faultyStore } from './faulty-store.ts'
import { type Device, hastyPorts, InProcess } from './in-process.ts'
import { retried } from './retried.ts'

/** Every op is one vote, so that votes count ops. */
const vote = (tx: Parameters<Parameters<Device['mutate']>[0]>[0], device: string): void => {
  if (tx.tasks.get('all') === undefined) tx.tasks.insert({ id: 'all', title: 'all', votes: 1 })
  else tx.tasks.update('all', { title: `by ${device}`, votes: f.increment(1) })
}

/** A disk and the replica on it. The third device is a second tab on the second's disk. */
class Life {
  /** Own ops whose `stored` resolved, by device id. */
  readonly stored = new Map<string, number>()
  readonly #world: InProcess
  readonly #medium: MemoryMedium
  #store: BatchStore | undefined
  #device: Device | undefined
  #isFull = false

  constructor(world: InProcess, medium: MemoryMedium) {
    this.#world = world
    this.#medium = medium
  }

  async device(): Promise<Device> {
    if (this.#device !== undefined) return this.#device
    this.#store = memoryStore(this.#medium)
    const { store } = faultyStore(this.#store, { code: 'STORAGE_FULL', fails: () => this.#isFull })
    const wasFull = this.#isFull
    this.#isFull = false
    this.#device = await this.#world.open(store, hastyPorts)
    this.#isFull = wasFull
    return this.#device
  }

  async mutate(times: number): Promise<void> {
    const device = await this.device()
    for (let time = 0; time < times && !device.status.readOnly; time++) {
      try {
        const { dot, stored } = device.mutate((tx) => vote(tx, device.device))
        stored.then(
          () => this.stored.set(dot!.device, dot!.seq),
          () => undefined,
        )
      } catch (error) {
        expect(error).toMatchObject({ code: 'READ_ONLY' })
      }
    }
  }

  async setFull(isFull: boolean): Promise<void> {
    await this.device()
    this.#isFull = isFull
  }

  /** What is in memory is gone; the slot is free, as when a process ends. */
  async crash(): Promise<void> {
    await this.#store?.close()
    this.#device = undefined
  }

  async close(): Promise<void> {
    const device = this.#device
    this.#device = undefined
    await device?.close().catch(() => undefined)
    await this.#store?.close()
  }

  async heal(): Promise<Device> {
    this.#isFull = false
    const device = await this.device()
    device.setOnline(true)
    return device
  }
}

const act = fc.record({
  who: fc.integer({ min: 0, max: 2 }),
  what: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('mutate' as const), times: fc.integer({ min: 1, max: 5 }) }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('pause' as const), ms: fc.integer({ min: 0, max: 12 }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('online' as const), on: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), on: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('full' as const), on: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('crash' as const, 'close' as const) }) },
  ),
})
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never

const live = async (acts: readonly Act[]): Promise<void> => {
  const world = new InProcess()
  const [own, shared] = [memoryMedium(), memoryMedium()]
  const lives = [own, shared, shared].map((medium) => new Life(world, medium))
  try {
    for (const { who, what } of acts) {
      const life = lives[who]
      if (what.kind === 'mutate') await life.mutate(what.times)
      else if (what.kind === 'pause') await new Promise((resolve) => setTimeout(resolve, what.ms))
      else if (what.kind === 'online') (await life.device()).setOnline(what.on)
      else if (what.kind === 'cut') world.isCut = what.on
      else if (what.kind === 'full') await life.setFull(what.on)
      else await life[what.kind]()
    }
    world.isCut = false
    const devices: Device[] = []
    for (const life of lives) devices.push(await life.heal())
    await expect.poll(() => devices.every(({ status }) => !status.readOnly)).toBe(true)
    // What failed before may still wait to be tried again.
    for (const device of [...devices, ...devices]) await retried('STORAGE_FULL', () => device.sync())
    const fresh = await world.open(memoryStore(), hastyPorts)
    await fresh.sync()
    const held = fresh.held()
    for (const { stored } of lives) {
      for (const [device, seq] of stored) expect(held.get(device as Device['device'])).toBeGreaterThanOrEqual(seq)
    }
    const ops = [...held.values()].reduce((sum, seq) => sum + seq, 0)
    for (const device of [...devices, fresh]) {
      await expect.poll(() => device.digest()).toBe(fresh.digest())
      expect(device.projected()).toEqual(held)
      const votes = await device.query((db) => db.selectFrom('tasks').select('votes'))
      expect(votes).toEqual(ops === 0 ? [] : [{ votes: ops }])
      await expect
        .poll(() => device.status)
        .toMatchObject({ online: true, pending: 0, unsaved: 0, waiting: 0, error: undefined })
    }
  } finally {
    await world.close()
  }
}

it('whatever happened, nothing stored is lost, nothing counts twice, and all agree', { timeout: 300_000 }, async () => {
  await fc.assert(fc.asyncProperty(fc.array(act, { maxLength: 30 }), live), {
    numRuns: Number(process.env.DRIFTLOG_CHAOS_RUNS ?? 60),
  })
})
