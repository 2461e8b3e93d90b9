/**
 * BatchStore in memory: for tests, for the simulator and for replicas that need not outlive their process.
 *
 * Invariants:
 * - a call changes a space in one synchronous step, judged first and applied after: no call sees half of another;
 * - `batches[i].position` is i + 1; a device's `held` rises in seq and in position;
 * - nothing that is stored shares memory with what a caller handed in.
 */
import type { DeviceId } from '../clock/dot.ts'
import { type VersionVector, seqOf } from '../clock/version-vector.ts'
import { equalBytes } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import { mergeArrivals } from './arrival-merge.ts'
import { type Batch, decodeBatch } from './batch.ts'
import {
  type AppendOutcome,
  type BatchPage,
  type BatchStore,
  type Cursor,
  type PageLimit,
  type RecordChange,
  startCursor,
  type StoredBatch,
  type Tip,
} from './batch-store.ts'
import { checkAppend, checkSpaceId, compareKeys, isRefusal, judgeBatch, undoneOutcomes } from './judge.ts'
import { cursorOf, PageFiller } from './page.ts'

interface MemorySpace {
  readonly batches: StoredBatch[]
  readonly held: Map<DeviceId, StoredBatch[]>
  readonly records: Map<string, Uint8Array>
  readonly slots: Set<number>
  readonly listeners: Set<() => void>
}

/** What a closed memory store leaves behind, as a disk would: open another one on it to see what was stored. */
export interface MemoryMedium {
  readonly spaces: Map<string, MemorySpace>
}

export const memoryMedium = (): MemoryMedium => ({ spaces: new Map() })

/**
 * A store in memory. One instance may serve several replicas; to close them apart, give each its own store on a shared
 * `medium`.
 */
export const memoryStore = (medium: MemoryMedium = memoryMedium()): BatchStore => new MemoryStore(medium)

class MemoryStore implements BatchStore {
  readonly #medium: MemoryMedium
  /** Ends what this store holds in the medium: its slots and its listeners. */
  readonly #releases = new Set<() => void>()
  #closed = false

  constructor(medium: MemoryMedium) {
    this.#medium = medium
  }

  async append(
    name: string,
    batches: readonly Batch[],
    options: { readonly records?: readonly RecordChange[]; readonly allOrNothing?: boolean } = {},
  ): Promise<readonly AppendOutcome[]> {
    this.#checkOpen()
    const records = options.records ?? []
    checkAppend(name, batches, records)
    // A store answers later, never at once: a caller that relied on it would break on a disk.
    await Promise.resolve()
    const space = this.#space(name)
    const { outcomes, taken } = judgeAll(space, batches)
    if (options.allOrNothing === true && outcomes.some(isRefusal)) {
      return undoneOutcomes(batches, outcomes, (batch) => heldSeq(space, batch.header.device))
    }
    for (const batch of taken) take(space, batch)
    for (const { key, value } of records) {
      if (value === undefined) space.records.delete(key)
      else space.records.set(key, value.slice())
    }
    if (taken.length > 0) for (const listener of space.listeners) queueMicrotask(listener)
    return outcomes
  }

  async readAbove(name: string, vector: VersionVector, limit: PageLimit): Promise<BatchPage> {
    this.#checkOpen()
    const space = this.#space(name)
    const heads: HeldAt[] = []
    for (const [device, held] of space.held) {
      const index = firstAbove(held, seqOf(vector, device))
      if (index < held.length) heads.push({ held, index, position: held[index].position })
    }
    const page = new PageFiller(limit)
    for (const { held, index } of mergeArrivals(heads, nextHeld)) if (!page.offer(held[index])) break
    return page.page(() => endOf(space))
  }

  async readAfter(name: string, cursor: Cursor, limit: PageLimit): Promise<BatchPage> {
    this.#checkOpen()
    const space = this.#space(name)
    const at = cursor.position === 0 ? startCursor : cursorAt(space, cursor.position)
    if (at === undefined || !equalBytes(at.tag, cursor.tag)) {
      throw new DriftlogError('BASE_MISMATCH', '', { space: name, position: cursor.position })
    }
    const page = new PageFiller(limit)
    for (let index = cursor.position; index < space.batches.length; index++) {
      if (!page.offer(space.batches[index])) break
    }
    return page.page(() => endOf(space))
  }

  async vector(name: string): Promise<VersionVector> {
    this.#checkOpen()
    const space = this.#space(name)
    return new Map([...space.held.keys()].map((device) => [device, heldSeq(space, device)]))
  }

  async tip(name: string, device: DeviceId): Promise<Tip | undefined> {
    this.#checkOpen()
    const held = this.#space(name).held.get(device)
    const first = held?.at(0)?.batch.header
    const last = held?.at(-1)?.batch.header
    if (first?.certificate === undefined || last === undefined) return undefined
    return { seq: last.toSeq, tag: last.tagAfter.slice(), certificate: first.certificate.slice() }
  }

  async end(name: string): Promise<Cursor> {
    this.#checkOpen()
    return endOf(this.#space(name))
  }

  async records(name: string, prefix: string): Promise<readonly { key: string; value: Uint8Array }[]> {
    this.#checkOpen()
    const found: { key: string; value: Uint8Array }[] = []
    for (const [key, value] of this.#space(name).records) {
      if (key.startsWith(prefix)) found.push({ key, value: value.slice() })
    }
    return found.sort(compareKeys)
  }

  watch(name: string, listener: () => void): () => void {
    this.#checkOpen()
    const { listeners } = this.#space(name)
    // Wrapped, so that one function may watch twice and each watch ends by itself.
    const watching = (): void => {
      if (listeners.has(watching)) listener()
    }
    listeners.add(watching)
    const stop = (): void => {
      listeners.delete(watching)
      this.#releases.delete(stop)
    }
    this.#releases.add(stop)
    return stop
  }

  async claimSlot(name: string): Promise<{ readonly slot: number; release(): Promise<void> }> {
    this.#checkOpen()
    checkSpaceId(name)
    const { slots } = this.#space(name)
    let slot = 0
    while (slots.has(slot)) slot++
    slots.add(slot)
    const free = (): void => {
      // Only once: by a second release another holder's slot would be freed.
      if (this.#releases.delete(free)) slots.delete(slot)
    }
    this.#releases.add(free)
    return { slot, release: async () => free() }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const release of this.#releases) release()
  }

  #checkOpen(): void {
    if (this.#closed) throw new DriftlogError('CLOSED', 'store')
  }

  #space(name: string): MemorySpace {
    let space = this.#medium.spaces.get(name)
    if (space === undefined) {
      space = { batches: [], held: new Map(), records: new Map(), slots: new Set(), listeners: new Set() }
      this.#medium.spaces.set(name, space)
    }
    return space
  }
}

const heldSeq = (space: MemorySpace, device: DeviceId): number =>
  space.held.get(device)?.at(-1)?.batch.header.toSeq ?? 0

/** Judges without touching the space, so that nothing has to be rolled back. */
const judgeAll = (space: MemorySpace, batches: readonly Batch[]): { outcomes: AppendOutcome[]; taken: Batch[] } => {
  const taken: Batch[] = []
  const outcomes = batches.map((batch): AppendOutcome => {
    const { device, toSeq } = batch.header
    const held = space.held.get(device) ?? []
    const takenNow = taken.filter((other) => other.header.device === device)
    const last = takenNow.at(-1) ?? held.at(-1)?.batch
    const boundary = boundaryAt(held, toSeq) ?? takenNow.find((other) => other.header.toSeq === toSeq)
    const tip = last && { seq: last.header.toSeq, tag: last.header.tagAfter }
    const verdict = judgeBatch(batch.header, tip, boundary?.header.tagAfter)
    if (verdict.kind !== 'append') return verdict
    taken.push(batch)
    return { kind: 'appended', position: space.batches.length + taken.length }
  })
  return { outcomes, taken }
}

const boundaryAt = (held: readonly StoredBatch[], toSeq: number): Batch | undefined => {
  const batch = held[firstAbove(held, toSeq - 1)]?.batch
  return batch?.header.toSeq === toSeq ? batch : undefined
}

const take = (space: MemorySpace, given: Batch): void => {
  const stored = { batch: decodeBatch(given.bytes.slice()), position: space.batches.length + 1 }
  const { device } = stored.batch.header
  const held = space.held.get(device)
  if (held === undefined) space.held.set(device, [stored])
  else held.push(stored)
  space.batches.push(stored)
}

const cursorAt = (space: MemorySpace, position: number): Cursor | undefined => {
  const stored = space.batches[position - 1]
  return stored === undefined ? undefined : cursorOf(stored)
}

const endOf = (space: MemorySpace): Cursor => cursorAt(space, space.batches.length) ?? startCursor

/** The index of the first batch that ends above `seq`. */
const firstAbove = (held: readonly StoredBatch[], seq: number): number => {
  let low = 0
  let high = held.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (held[middle].batch.header.toSeq > seq) high = middle
    else low = middle + 1
  }
  return low
}

interface HeldAt {
  readonly held: readonly StoredBatch[]
  readonly index: number
  readonly position: number
}

const nextHeld = ({ held, index }: HeldAt): HeldAt | undefined =>
  index + 1 < held.length ? { held, index: index + 1, position: held[index + 1].position } : undefined
