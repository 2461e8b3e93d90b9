/**
 * Whether others write much in this space just now: then own ops gather for a while before they are sealed, since each batch
 * costs every other device a verification, and with many writers these would be most of all work.
 *
 * Counted in windows that begin with an arrival, so that nothing runs while nothing comes.
 */
import type { Timers } from '@driftlog/core'

const WINDOW_MS = 100
/** So many ops of others in a window are many. Ops and not batches: these get fewer where all gather. */
const MANY_OPS = 16

export class Traffic {
  readonly #timers: Timers
  #ops = 0
  #isBusy = false
  #endWindow: (() => void) | undefined

  constructor(timers: Timers) {
    this.#timers = timers
  }

  get isBusy(): boolean {
    return this.#isBusy
  }

  /** Ops of others came in. */
  came(ops: number): void {
    if (ops === 0) return
    this.#ops += ops
    if (this.#ops >= MANY_OPS) this.#isBusy = true
    this.#endWindow ??= this.#timers.schedule(WINDOW_MS, () => this.#next())
  }

  #next(): void {
    const ops = this.#ops
    this.#endWindow = undefined
    this.#ops = 0
    this.#isBusy = ops >= MANY_OPS
    // One more, and then it is quiet, unless something comes.
    if (ops > 0) this.#endWindow = this.#timers.schedule(WINDOW_MS, () => this.#next())
  }

  stop(): void {
    this.#endWindow?.()
    this.#endWindow = undefined
  }
}
