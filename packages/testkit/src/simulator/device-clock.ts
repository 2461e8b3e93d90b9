/** A device's wall clock: off from the start, too fast or too slow, and set by hand. */
import type { VirtualTime } from './time.ts'

export class DeviceClock {
  readonly #time: VirtualTime
  /** At true time `#sinceMs` it showed `#shownMs`, and has run at `#rate` since. */
  #sinceMs: number
  #shownMs: number
  #rate = 1
  /** The latest that it ever told. */
  latestMs = 0

  constructor(time: VirtualTime, offsetMs = 0) {
    this.#time = time
    this.#sinceMs = time.nowMs
    this.#shownMs = time.nowMs + offsetMs
  }

  now(): number {
    const nowMs = Math.floor(this.#shown())
    this.latestMs = Math.max(this.latestMs, nowMs)
    return nowMs
  }

  /** How far it is ahead of the true time. */
  get offsetMs(): number {
    return this.#shown() - this.#time.nowMs
  }

  jump(byMs: number): void {
    this.#set(this.#shown() + byMs, this.#rate)
  }

  /** 1: right. */
  runAt(rate: number): void {
    this.#set(this.#shown(), rate)
  }

  /** Shows the true time from now on. */
  correct(): void {
    this.#set(this.#time.nowMs, 1)
  }

  #shown(): number {
    return this.#shownMs + (this.#time.nowMs - this.#sinceMs) * this.#rate
  }

  #set(shownMs: number, rate: number): void {
    this.#shownMs = shownMs
    this.#sinceMs = this.#time.nowMs
    this.#rate = rate
  }
}
