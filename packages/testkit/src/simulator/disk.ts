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
  type BatchPage,
  type BatchStore,
  DriftlogError,
  type MemoryMedium,
  memoryMedium,
  memoryStore,
} from '@driftlog/core'
import { copyMedium, SPACE } from './disk-copy.ts'
import type { Kernel } from './kernel.ts'
import type { SimulatedProcess } from './process.ts'
import type { Random } from './random.ts'

type Append = Parameters<BatchStore['append']>
type DiskFault = 'full' | 'fails' | 'failsLate' | 'slow'

interface Pending {
  readonly process: SimulatedProcess
  readonly args: Append
  readonly latencyMs: number
  readonly resolve: (outcomes: Awaited<ReturnType<BatchStore['append']>>) => void
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
  /** Positions of batches that do not read back. */
  readonly #rotten = new Set<number>()
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

  /** What is durable, for the checkers and for copies. */
  get durable(): BatchStore {
    return this.#store
  }

  /** `onEffect` is called when the fault first meets a call. */
  begin(fault: DiskFault, forMs: number, onEffect: () => void): void {
    this.#faults.set(fault, { untilMs: this.#kernel.time.nowMs + forMs, onEffect })
  }

  heal(): void {
    this.#faults.clear()
  }

  /** One batch of it does not read back any more. */
  async rot(random: Random): Promise<boolean> {
    const { position } = await this.#store.end(SPACE)
    if (position === 0) return false
    this.#rotten.add(random.between(1, position))
    return true
  }

  copy(): Promise<MemoryMedium> {
    return copyMedium(this.#store)
  }

  /** Another medium in its place, a copy that was made before. No process may be running on it. */
  replace(medium: MemoryMedium): void {
    this.#queue = []
    this.#rotten.clear()
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

  /** The store of one process. Whatever the port has beside `append` and what follows here, reads. */
  open(process: SimulatedProcess): BatchStore {
    // Slots and listeners are this process's own, and go with it.
    const own = memoryStore(this.#medium)
    process.onEnd(() => void own.close())
    const append = (...args: Append): ReturnType<BatchStore['append']> => this.#append(process, args)
    const watch: BatchStore['watch'] = (space, listener) => own.watch(space, () => process.later(0, listener))
    return new Proxy(own, {
      get: (target, name) => {
        if (name === 'append') return append
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
          (found) => {
            if (!process.isAlive) return
            const damage = this.#damageIn(found)
            if (damage === undefined) resolve(found)
            else reject(damage)
          },
          (error: Error) => process.isAlive && reject(error),
        )
      }
      if (this.#has('slow')) process.later(this.#random.spread(100, 20_000), perform)
      else perform()
    })
  }

  #damageIn(found: unknown): DriftlogError | undefined {
    if (this.#rotten.size === 0) return undefined
    const { batches = [] } = (found ?? {}) as Partial<BatchPage>
    const damaged = batches.find(({ position }) => this.#rotten.has(position))
    if (damaged === undefined) return undefined
    const { space, device, toSeq } = damaged.batch.header
    return new DriftlogError('STORAGE_DAMAGED', 'simulated', { space, device, toSeq, position: damaged.position })
  }

  #append(process: SimulatedProcess, args: Append): ReturnType<BatchStore['append']> {
    return new Promise((resolve, reject) => {
      const pending = { process, args, latencyMs: this.#latency(), resolve, reject }
      // It is in the queue before the call is counted: a crash at this very call finds it there.
      if (!process.isAlive) return
      this.#queue.push(pending)
      if (process.call('append')) this.#writeNext()
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

  async #settle({ process, args, resolve, reject }: Pending): Promise<void> {
    const fault = this.#has('full') ? 'full' : this.#has('fails') ? 'fails' : undefined
    if (fault !== undefined) {
      reject(new DriftlogError(fault === 'full' ? 'STORAGE_FULL' : 'STORAGE_FAILED', 'simulated'))
      return
    }
    const isLate = this.#has('failsLate')
    try {
      const outcomes = await this.#write(args)
      if (!process.isAlive) return
      if (isLate) reject(new DriftlogError('STORAGE_FAILED', 'simulated, after the work was done'))
      else resolve(outcomes)
    } catch (error) {
      if (process.isAlive) reject(error as Error)
    }
  }

  async #write(args: Append): ReturnType<BatchStore['append']> {
    const outcomes = await this.#store.append(...args)
    const batches = args[1].filter((_, index) => outcomes[index].kind === 'appended')
    if (batches.length > 0) {
      this.#kernel.emit({ kind: 'appended', where: this.#where, batches, latestMs: this.#latestMs() })
    }
    return outcomes
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
    for (const { args } of cut.slice(0, kept)) {
      // Nobody is told, so nobody minds why.
      await this.#write(args).catch(() => undefined)
    }
    const lost = cut.length - kept
    // What was torn, recovery finds by its checksum and drops.
    return { kept, lost, isTorn: lost > 0 && this.#random.chance(0.5) }
  }
}
