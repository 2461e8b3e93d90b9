import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { cryptoReady } from '../crypto/sodium.ts'
import {
  createReplica,
  hexOf,
  type Replica,
  shapes,
  SPACE,
  START_MS,
  NO_BACKLOG,
} from '../testing/replicas.test-support.ts'
import type { DeviceId } from '../clock/dot.ts'
import type { BatchStore, StoredBatch } from './batch-store.ts'
import { memoryStore } from './memory-store.ts'

const everything = { batches: 1_000_000, bytes: Number.MAX_SAFE_INTEGER }
const ROWS = 4

/** A device on its store. It writes under another key from when it finds that its own is written elsewhere (BR3). */
class Site {
  readonly store: BatchStore
  readonly nextKey: () => number
  key: number
  replica: Replica
  rebuilt = 0

  private constructor(store: BatchStore, key: number, replica: Replica, nextKey: () => number) {
    this.store = store
    this.key = key
    this.replica = replica
    this.nextKey = nextKey
  }

  static open(key: number, nextKey: () => number, store = memoryStore(), stored: readonly StoredBatch[] = []): Site {
    return new Site(store, key, read(key, stored), nextKey)
  }

  async stored(): Promise<readonly StoredBatch[]> {
    return (await this.store.readAbove(SPACE, new Map(), everything)).batches
  }

  async write(nowMs: number, row: string): Promise<void> {
    const { replica } = this
    if (replica.row(row) === undefined) {
      replica.write(nowMs, replica.change(shapes.insert, row), replica.change(shapes.votes, row, 1))
    } else {
      replica.write(nowMs, replica.change(shapes.votes, row, 1), replica.change(shapes.title, row, `${this.key}`))
    }
    await this.store.append(SPACE, replica.writer.seal())
  }

  /** Another living copy of this device. */
  async clone(): Promise<Site> {
    const store = memoryStore()
    const stored = await this.stored()
    await store.append(
      SPACE,
      stored.map(({ batch }) => batch),
    )
    return Site.open(this.key, this.nextKey, store, stored)
  }

  async take(from: Site): Promise<void> {
    const batches = (await from.stored()).map(({ batch }) => batch)
    const outcomes = await this.store.append(SPACE, batches)
    for (const [index, outcome] of outcomes.entries()) {
      expect(['appended', 'duplicate']).toContain(outcome.kind)
      if (outcome.kind !== 'appended') continue
      const { log, device } = this.replica
      const isOwn = batches[index].header.device === device
      if (isOwn || log.isRenaming(batches[index].header, outcome.branch)) {
        await this.readAnew(isOwn)
        return
      }
      log.receive(log.check(batches[index]), outcome.branch)
    }
  }

  async readAnew(isOwnForked: boolean): Promise<void> {
    this.rebuilt++
    if (isOwnForked) this.key = this.nextKey()
    this.replica = read(this.key, await this.stored())
  }
}

const read = (key: number, stored: readonly StoredBatch[]): Replica =>
  createReplica(key, SPACE, (log) => {
    for (const { batch, branch } of stored) log.receive(log.open(batch), branch)
  })

const votes = ({ projector }: Replica): number => {
  let total = 0
  for (const row of projector.cells.table('tasks').rows.values()) {
    row.values.forEach((value, column) => {
      if (row.table.columns[column].path[0] === 'votes') total += Number(value)
    })
  }
  return total
}

const vectorText = (vector: ReadonlyMap<DeviceId, number>): string =>
  Array.from(vector, (entry) => entry.join(' '))
    .sort()
    .join()

describe('branches', () => {
  beforeAll(cryptoReady)

  it('[BR1 LOG2] who built on either branch of a cloned device is understood everywhere, and nothing counts twice', async () => {
    let keys = 10
    const nextKey = (): number => keys++
    const a = Site.open(1, nextKey)
    const e = Site.open(2, nextKey)
    const f = Site.open(3, nextKey)
    await a.write(START_MS, 'x')
    const clone = await a.clone()
    await a.write(START_MS + 1, 'x')
    await clone.write(START_MS + 2, 'x')
    await clone.write(START_MS + 3, 'y')
    // Neither knows of the other branch: both call the one that they have by the device's name.
    await e.take(a)
    await e.write(START_MS + 4, 'x')
    await f.take(clone)
    await f.write(START_MS + 5, 'y')
    const last = Site.open(4, nextKey)
    for (const other of [e, f, a, clone]) await last.take(other)
    for (const site of [a, clone, e, f]) await site.take(last)
    for (const site of [a, clone, e, f]) await site.take(last)
    for (const site of [a, clone, e, f, last]) {
      expect(site.replica.log.damage).toBeUndefined()
      expect(site.replica.log.backlog()).toEqual(NO_BACKLOG)
      expect(votes(site.replica)).toBe(6)
      expect(site.replica.digest()).toBe(last.replica.digest())
    }
    expect([a.key, clone.key].every((key) => key >= 10)).toBe(true)
    expect(a.key).not.toBe(clone.key)
  })

  it('[BR4] who never gets the other side of a fork knows by what name those call this one who did', async () => {
    let keys = 10
    const nextKey = (): number => keys++
    const a = Site.open(1, nextKey)
    await a.write(START_MS, 'x')
    const clone = await a.clone()
    await a.write(START_MS + 1, 'z')
    await clone.write(START_MS + 2, 'x')
    const e = Site.open(2, nextKey)
    await e.take(a)
    const kept = await e.stored()
    await e.take(clone)
    // The clone's side rots at the only one who had it; the name that the fork gave to this side stays there.
    const isKept = ({ batch }: StoredBatch): boolean =>
      kept.some((stored) => hexOf(stored.batch.bytes) === hexOf(batch.bytes))
    const visible = (await e.stored()).filter(isKept)
    e.replica = read(e.key, visible)
    // 'z' was introduced behind the fork: a handle names that side too.
    await e.write(START_MS + 3, 'z')
    await e.write(START_MS + 4, 'x')
    const [stem, side] = kept
    const written = (await e.stored()).filter(({ batch }) => batch.header.device === e.replica.device)
    expect(written.length).toBe(2)
    expect(visible.map(({ branch }) => branch)).not.toEqual(kept.map(({ branch }) => branch))
    for (const order of [
      [stem, side, ...written],
      [stem, ...written, side],
      [...written, stem, side],
    ]) {
      const { log, projector, ...reader } = read(3, order)
      expect(log.damage).toBeUndefined()
      expect(log.backlog()).toEqual(NO_BACKLOG)
      expect(projector.voidCount).toBe(0)
      expect(votes({ log, projector, ...reader })).toBe(votes(e.replica))
    }
  })

  it('[BR1 BR3 STORE2] clones of clones, in any order of writing and meeting, end in one state with every op once', async () => {
    const step = fc.record({
      kind: fc.constantFrom('write', 'write', 'write', 'take', 'take', 'clone'),
      site: fc.nat(),
      other: fc.nat(),
      row: fc.nat(ROWS - 1),
    })
    let clones = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        let keys = 10
        const nextKey = (): number => keys++
        const sites = [Site.open(1, nextKey), Site.open(2, nextKey), Site.open(3, nextKey)]
        let written = 0
        for (const [index, { kind, site, other, row }] of steps.entries()) {
          const at = sites[site % sites.length]
          if (kind === 'write') {
            await at.write(START_MS + index * 1000, `row ${row}`)
            written++
          } else if (kind === 'take') await at.take(sites[other % sites.length])
          else if (sites.length < 7) sites.push(await at.clone())
        }
        clones += sites.length - 3
        for (let round = 0; round < 2; round++) {
          for (const at of sites) for (const other of sites) if (at !== other) await at.take(other)
        }
        const [first] = sites
        for (const { replica, store } of sites) {
          expect(replica.log.damage).toBeUndefined()
          expect(replica.log.backlog()).toEqual(NO_BACKLOG)
          expect(votes(replica)).toBe(written)
          expect(vectorText(replica.log.held())).toBe(vectorText(await store.vector(SPACE)))
          expect(vectorText(replica.log.held())).toBe(vectorText(first.replica.log.held()))
          expect(replica.digest()).toBe(first.replica.digest())
          expect(hexOf(read(1_000_000, await first.stored()).projector.cells.digest())).toBe(replica.digest())
        }
      }),
      { numRuns: 300 },
    )
    expect(clones).toBeGreaterThan(300)
  })
})
