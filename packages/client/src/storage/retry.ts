/** Tries something again after it failed: later and later while it goes on failing, at most one attempt at a time. */
import type { Timers } from '@driftlog/core'

const FIRST_MS = 500
const MOST_MS = 30_000

export class Retry {
  readonly #timers: Timers
  readonly #attempt: () => void
  #failures = 0
  #cancel: (() => void) | undefined

  constructor(timers: Timers, attempt: () => void) {
    this.#timers = timers
    this.#attempt = attempt
  }

  /** It failed (again). */
  later(): void {
    this.#cancel?.()
    const delayMs = Math.min(FIRST_MS * 2 ** this.#failures++, MOST_MS)
    this.#cancel = this.#timers.schedule(delayMs, this.#attempt)
  }

  /** It worked, or is of no interest any more. */
  reset(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#failures = 0
  }
}
