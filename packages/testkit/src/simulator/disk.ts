/**
 * A disk, and the stores that processes open on it: the memory store of core, whose appends become durable later, one
 * after the other, and whose calls fail when the disk does.
 *
 *     append ─▶ queue ─ latency ─▶ medium ─▶ answer        a crash cuts the queue: what is before the cut is kept,
 *                  └────── crash: kept │ torn │ dropped    the transaction at it may be torn, what is behind it is gone
 *
 * Invariants:
 * - a transaction is in the medium whole or not at all, and after all that were asked for before it;
 * - what was answered is in the medium;
 * - a process that has ended is never answered.
 */
import {
  type Batch,
  type BatchStore,
  copyMedium,
  damageBatch,
  DriftlogError,
  type MemoryMedium,
  memoryMedium,
  memoryStore,
  type StoredBatch,
} from '@driftlog/core'
import { batchesIn, damagedIn, SPACE } from './disk-copy.ts'
import type { Kernel } from './kernel.ts'
import type { SimulatedProcess } from './process.ts'
import type { Random } from './random.ts'

type Append = Parameters<BatchStore['append']>
type Outcomes = Awaited<ReturnType<BatchStore['append']>>
type DiskFault = 'full' | 'fails' | 'failsLate' | 'slow'

interface Pending {
  readonly process: SimulatedProcess
  readonly latencyMs: number
  readonly write: () => Promise<unknown>
  readonly resolve: (written: unknown) => void
  readonly reject: (error: Error) => void
}

export class SimulatedDisk {
  readonly #kernel: Kernel
  readonly #where: number | 'server'
  readonly #random: Random
  readonly #latencyMs: readonly [number, number]
  #medium: MemoryMedium
  /** Reads and writes for whoever; slots and listeners belong to the processes' own handles. */
  #store: BatchStore
  #queue: Pending[] = []
  #isWriting = false
  readonly #faults = new Map<DiskFault, { readonly untilMs: number; onEffect: (() => void) | undefined }>()
  /** How many damaged batches another copy was put in the place of. */
  mended = 0
  readonly #latestMs: () => number

  constructor(kernel: Kernel, where: number | 'server', random: Random, latestMs: () => number) {
    this.#kernel = kernel
    this.#where = where
    this.#random = random
    this.#latencyMs = kernel.options.diskMs
    this.#latestMs = latestMs
    this.#medium = memoryMedium()
    this.#store = memoryStore(this.#medium)
  }

  /** What is durable, for the checkers. */
  get durable(): BatchStore {
    return this.#store
  }

  /** All batches of it, as they were before anything rotted. */
  get batches(): readonly StoredBatch[] {
    return batchesIn(this.#medium)
  }

  /** Positions of batches that do not read back. */
  get damaged(): ReadonlySet<number> {
    return damagedIn(this.#medium)
  }

  /** `onEffect` is called when the fault first meets a call. */
  begin(fault: DiskFault, forMs: number, onEffect: () => void): void {
    this.#faults.set(fault, { untilMs: this.#kernel.time.nowMs + forMs, onEffect })
  }

  heal(): void {
    this.#faults.clear()
  }

  /** One batch of it does not read back any more: one of those that may be damaged. */
  rot(random: Random, mayBe: (stored: StoredBatch) => boolean): StoredBatch | undefined {
    const sound = this.batches.filter((stored) => !this.damaged.has(stored.position) && mayBe(stored))
    if (sound.length === 0) return undefined
    const stored = random.pick(sound)
    damageBatch(this.#medium, SPACE, stored.position)
    return stored
  }

  /** A backup or a clone, which bears its damage. */
  copy(): Promise<MemoryMedium> {
    return Promise.resolve(copyMedium(this.#medium))
  }

  /** Another medium in its place, a copy that was made before. No process may be running on it. */
  replace(medium: MemoryMedium): void {
    this.#queue = []
    this.#medium = medium
    this.#store = memoryStore(medium)
  }

  #has(fault: DiskFault): boolean {
    const begun = this.#faults.get(fault)
    if (begun === undefined || begun.untilMs <= this.#kernel.time.nowMs) return false
    begun.onEffect?.()
    begun.onEffect = undefined
    return true
  }

  /** The store of one process. Whatever the port has beside what follows here, reads. */
  open(process: SimulatedProcess): BatchStore {
    // Slots and listeners are this process's own, and go with it.
    const own = memoryStore(this.#medium)
    process.onEnd(() => void own.close())
    const append: BatchStore['append'] = (...args) =>
      this.#write(process, 'append', () => this.#append(args)) as Promise<Outcomes>
    const replace: BatchStore['replace'] = (space, batch) =>
      this.#write(process, 'replace', () => this.#mend(space, batch)) as Promise<boolean>
    const prune: BatchStore['prune'] = (...args) =>
      this.#write(process, 'prune', () => this.#store.prune(...args)) as ReturnType<BatchStore['prune']>
    const watch: BatchStore['watch'] = (space, listener) => own.watch(space, () => process.later(0, listener))
    return new Proxy(own, {
      get: (target, name) => {
        if (name === 'append') return append
        if (name === 'replace') return replace
        if (name === 'prune') return prune
        if (name === 'watch') return watch
        const method: unknown = Reflect.get(target, name)
        if (typeof method !== 'function') return method
        if (name === 'close') return method.bind(target)
        return (...args: unknown[]) =>
          this.#read(process, String(name), () => Reflect.apply(method, target, args) as Promise<unknown>)
      },
    })
  }

  #read(process: SimulatedProcess, name: string, read: () => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!process.call(name)) return
      const perform = (): void => {
        if (this.#has('fails')) {
          reject(new DriftlogError('STORAGE_FAILED', `simulated, ${name}`))
          return
        }
        read().then(
          (found) => process.isAlive && resolve(found),
          (error: Error) => process.isAlive && reject(error),
        )
      }
      if (this.#has('slow')) process.later(this.#random.spread(100, 20_000), perform)
      else perform()
    })
  }

  #write(process: SimulatedProcess, name: string, write: () => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const pending = { process, latencyMs: this.#latency(), write, resolve, reject }
      // It is in the queue before the call is counted: a crash at this very call finds it there.
      if (!process.isAlive) return
      this.#queue.push(pending)
      if (process.call(name)) this.#writeNext()
    })
  }

  #latency(): number {
    const [least, most] = this.#latencyMs
    const latencyMs = this.#random.spread(least, most)
    return this.#has('slow') ? latencyMs + this.#random.spread(100, 20_000) : latencyMs
  }

  #writeNext(): void {
    const next = this.#queue[0]
    if (this.#isWriting || next === undefined) return
    this.#isWriting = true
    this.#kernel.time.after(next.latencyMs, () => {
      this.#isWriting = false
      // A crash may have cut the queue meanwhile.
      if (this.#queue[0] === next) {
        this.#queue.shift()
        void this.#settle(next)
      }
      this.#writeNext()
    })
  }

  async #settle({ process, write, resolve, reject }: Pending): Promise<void> {
    const fault = this.#has('full') ? 'full' : this.#has('fails') ? 'fails' : undefined
    if (fault !== undefined) {
      reject(new DriftlogError(fault === 'full' ? 'STORAGE_FULL' : 'STORAGE_FAILED', 'simulated'))
      return
    }
    const isLate = this.#has('failsLate')
    try {
      const written = await write()
      if (!process.isAlive) return
      if (isLate) reject(new DriftlogError('STORAGE_FAILED', 'simulated, after the work was done'))
      else resolve(written)
    } catch (error) {
      if (process.isAlive) reject(error as Error)
    }
  }

  async #append(args: Append): Promise<Outcomes> {
    const outcomes = await this.#store.append(...args)
    const batches = args[1].filter((_, index) => outcomes[index].kind === 'appended')
    if (batches.length > 0) {
      this.#kernel.emit({ kind: 'appended', where: this.#where, batches, latestMs: this.#latestMs() })
    }
    args[1].forEach((batch, index) => outcomes[index].kind === 'replaced' && this.#mended(batch))
    return outcomes
  }

  async #mend(space: string, batch: Batch): Promise<boolean> {
    const isReplaced = await this.#store.replace(space, batch)
    if (isReplaced) this.#mended(batch)
    return isReplaced
  }

  #mended(batch: Batch): void {
    this.mended++
    this.#kernel.emit({ kind: 'mended', where: this.#where, batch })
  }

  /**
   * The power fails, or a process ends: what the ended asked for last and did not get answered may be on the disk or not.
   * It is there before anything is read again. Answers what became of it.
   */
  async crash(isOrderly = false): Promise<{ kept: number; lost: number; isTorn: boolean }> {
    const cut = this.#queue.filter(({ process }) => !process.isAlive)
    this.#queue = this.#queue.filter(({ process }) => process.isAlive)
    const isKept = isOrderly || this.#random.chance(0.3)
    const kept = isKept ? cut.length : this.#random.below(cut.length + 1)
    for (const { write } of cut.slice(0, kept)) {
      // Nobody is told, so nobody minds why.
      await write().catch(() => undefined)
    }
    const lost = cut.length - kept
    // What was torn, recovery finds by its checksum and drops.
    return { kept, lost, isTorn: lost > 0 && this.#random.chance(0.5) }
  }
}
