import type { Timers } from '@driftlog/core'

/** Does something for a space a while after it was asked for last. */
export class LaterBySpace {
  readonly #timers: Timers
  readonly #delayMs: number
  readonly #run: (space: string) => void
  readonly #pending = new Map<string, () => void>()

  constructor(timers: Timers, delayMs: number, run: (space: string) => void) {
    this.#timers = timers
    this.#delayMs = delayMs
    this.#run = run
  }

  ask(space: string): void {
    this.#pending.get(space)?.()
    const cancel = this.#timers.schedule(this.#delayMs, () => {
      this.#pending.delete(space)
      this.#run(space)
    })
    this.#pending.set(space, cancel)
  }

  stop(): void {
    for (const cancel of this.#pending.values()) cancel()
    this.#pending.clear()
  }
}
