import { MAX_DRIFT_MS, type WallClock } from '@driftlog/core'

/**
 * This device's clock, set back by what a server found it to be ahead (SPEC BR2). A clock that is behind is left alone: the
 * hybrid clock lifts its stamps.
 */
export class CorrectedClock implements WallClock {
  readonly #clock: WallClock
  #offsetMs: number

  constructor(clock: WallClock, offsetMs: number) {
    this.#clock = clock
    this.#offsetMs = offsetMs
  }

  get offsetMs(): number {
    return this.#offsetMs
  }

  now(): number {
    return this.#clock.now() - this.#offsetMs
  }

  /** The server said what time it is: an offset that is in force follows. Answers whether it changed. */
  follow(serverTimeMs: number): boolean {
    return this.#offsetMs !== 0 && this.setTo(serverTimeMs)
  }

  /** The server refused a stamp as too far ahead. Answers whether the offset changed. */
  setTo(serverTimeMs: number): boolean {
    const ahead = Math.round(this.#clock.now() - serverTimeMs)
    const offsetMs = ahead > MAX_DRIFT_MS ? ahead : 0
    // Messages take time: an offset that is right but for seconds stays.
    const isRight = offsetMs !== 0 && Math.abs(offsetMs - this.#offsetMs) <= MAX_DRIFT_MS / 2
    if (isRight || offsetMs === this.#offsetMs) return false
    this.#offsetMs = offsetMs
    return true
  }
}
