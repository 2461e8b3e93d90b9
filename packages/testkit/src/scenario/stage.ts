/**
 * What the devices of a scenario share: the simulator's time, the server, and who wrote what. Time stands still while a
 * test thinks, and passes only inside of what it asks for.
 *
 * Invariants:
 * - what is asked for is done one after the other, in the order of asking, awaited or not;
 * - a mutation or a read takes no time on the network: what is on its way then comes just so much later.
 */
import { cryptoReady, type Schema } from '@driftlog/core'
import { Kernel } from '../simulator/kernel.ts'
import { type OptionOverrides, optionsOf } from '../simulator/options.ts'
import { ServerMachine } from '../simulator/server-machine.ts'
import type { Host } from './host.ts'
import { Origins } from './origins.ts'

export interface StageOptions {
  readonly seed: number
  readonly simulator: OptionOverrides
  readonly onLine?: ((line: string) => void) | undefined
}

const SECOND_MS = 1_000
const HOUR_MS = 3_600_000

export class Stage {
  readonly kernel: Kernel
  readonly server: ServerMachine
  readonly origins = new Origins()
  readonly hosts: Host<Schema>[] = []
  /** Errors out of the product that nobody asked for. */
  readonly failures: string[] = []
  #last: Promise<unknown> = Promise.resolve()

  constructor({ seed, simulator, onLine }: StageOptions) {
    this.kernel = new Kernel(optionsOf(seed, simulator), {
      onEvent: (event) => {
        if (event.kind === 'appended' && event.where !== 'server') this.origins.appended(event.where, event.batches)
        if (event.kind === 'failed') this.failures.push(`${event.where}: ${event.message}`)
      },
      onLine,
    })
    this.server = new ServerMachine(this.kernel, this.kernel.random.stream('server'), {})
  }

  async begin(): Promise<void> {
    await cryptoReady()
    this.server.start()
  }

  get nowMs(): number {
    return this.kernel.time.nowMs
  }

  /** Does `work` when what was asked for before is done. */
  turn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => undefined)
    return done
  }

  async pass(ms: number): Promise<void> {
    await this.kernel.time.runUntil(this.nowMs + ms)
  }

  /** Lets much time pass: of more than two hours, the middle is skipped, for nothing but heartbeats would come of it. */
  async passLong(ms: number): Promise<void> {
    await this.pass(Math.min(ms, 2 * HOUR_MS))
    if (ms <= 2 * HOUR_MS) return
    this.kernel.time.skip(Math.max(0, ms - 3 * HOUR_MS))
    await this.pass(Math.min(HOUR_MS, ms - 2 * HOUR_MS))
  }

  /** Lets time pass until `isDone`, at most so long. Answers whether it came to that. */
  until(isDone: () => boolean, withinMs: number): Promise<boolean> {
    return this.kernel.time.runUntil(this.nowMs + withinMs, isDone)
  }

  /** Lets time pass until the promise settles, and answers as it does. Rejects where it does not within a virtual hour. */
  async settled<T>(promise: Promise<T>, what: string): Promise<T> {
    let isSettled = false
    const note = (): void => {
      isSettled = true
    }
    promise.then(note, note)
    if (await this.until(() => isSettled, HOUR_MS)) return promise
    throw new Error(`${what} has not come to an end within an hour of virtual time`)
  }

  /** To the next full second, in which nothing happens: so that of two mutations one is the later by any right clock. */
  tick(): void {
    this.kernel.time.skip((Math.floor(this.nowMs / SECOND_MS) + 1) * SECOND_MS - this.nowMs)
  }

  end(): void {
    for (const { process } of this.hosts) process?.end()
    this.server.running()?.process.end()
  }
}
