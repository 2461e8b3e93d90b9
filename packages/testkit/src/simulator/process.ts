/**
 * A process (or tab, or server) from its start to its end, and the ports that the product gets in it.
 *
 * Invariants:
 * - after its end nothing that it does reaches anything outside: its timers do not fire, its calls are not answered;
 * - while it sleeps nothing reaches it; what was due then comes when it wakes, in the same order.
 */
import type { Ports } from '@driftlog/core'
import type { DeviceClock } from './device-clock.ts'
import type { Kernel } from './kernel.ts'
import type { Random } from './random.ts'

export class SimulatedProcess {
  readonly name: string
  readonly ports: Ports
  readonly #kernel: Kernel
  #isAlive = true
  #sleepsUntilMs = 0
  /** What was due while it slept. */
  readonly #sleepers = new Set<() => void>()
  #callsLeft = Number.POSITIVE_INFINITY
  #onLastCall: () => void = () => undefined
  readonly #endings: (() => void)[] = []

  constructor(kernel: Kernel, name: string, clock: DeviceClock, random: Random) {
    this.#kernel = kernel
    this.name = name
    this.ports = {
      clock: {
        now: () => {
          this.call('clock')
          return clock.now()
        },
      },
      timers: {
        schedule: (delayMs, run) => {
          this.call('timer')
          return this.later(delayMs, run)
        },
      },
      random: {
        bytes: (length) => {
          this.call('random')
          return random.bytes(length)
        },
      },
    }
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  /** Counts a call of a port. Answers whether the process lives on. */
  call(port: string): boolean {
    if (!this.#isAlive) return false
    this.#kernel.trace.note(this.name, port)
    if (--this.#callsLeft > 0) return true
    this.#callsLeft = Number.POSITIVE_INFINITY
    this.#onLastCall()
    return this.#isAlive
  }

  /** Lets it make so many more calls; in the last of them `end` is called. */
  limitCalls(calls: number, end: () => void): void {
    this.#callsLeft = calls
    this.#onLastCall = end
  }

  /** Runs something in this process after a while: not before it wakes, and not if it has ended. */
  later(delayMs: number, run: () => void): () => void {
    let isCancelled = false
    const wake = (): void => {
      if (!this.#isAlive) return
      const asleepMs = this.#sleepsUntilMs - this.#kernel.time.nowMs
      if (asleepMs > 0) {
        const wakeEarlier = (): void => {
          if (isCancelled) return
          cancel()
          cancel = this.#kernel.time.after(0, wake)
        }
        this.#sleepers.add(wakeEarlier)
        cancel = this.#kernel.time.after(asleepMs, () => {
          this.#sleepers.delete(wakeEarlier)
          wake()
        })
      } else run()
    }
    let cancel = this.#kernel.time.after(delayMs, wake)
    return () => {
      isCancelled = true
      cancel()
    }
  }

  sleep(forMs: number): void {
    this.#sleepsUntilMs = Math.max(this.#sleepsUntilMs, this.#kernel.time.nowMs + forMs)
  }

  /** Wakes it, and takes back the limit. */
  heal(): void {
    this.#sleepsUntilMs = 0
    // In the order in which they were due: else a later frame would overtake those that came in its sleep.
    for (const wakeEarlier of this.#sleepers) wakeEarlier()
    this.#sleepers.clear()
    this.#callsLeft = Number.POSITIVE_INFINITY
  }

  get isAsleep(): boolean {
    return this.#sleepsUntilMs > this.#kernel.time.nowMs
  }

  onEnd(ending: () => void): void {
    this.#endings.push(ending)
  }

  end(): void {
    if (!this.#isAlive) return
    this.#isAlive = false
    for (const ending of this.#endings) ending()
  }
}
