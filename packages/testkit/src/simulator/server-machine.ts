/** The server: a machine with a disk and a clock, on which a server runs most of the time. */
import { createServer, type DriftlogServer, type Logger } from '@driftlog/server'
import { DeviceClock } from './device-clock.ts'
import { SimulatedDisk } from './disk.ts'
import { SPACE } from './disk-copy.ts'
import type { Kernel } from './kernel.ts'
import { SimulatedProcess } from './process.ts'
import type { Random } from './random.ts'
import type { Seams } from './seams.ts'

interface Running {
  readonly process: SimulatedProcess
  readonly server: DriftlogServer
}

export const tokenOf = (machine: number): string => `machine-${machine}`

export class ServerMachine {
  readonly clock: DeviceClock
  readonly disk: SimulatedDisk
  readonly #kernel: Kernel
  readonly #random: Random
  readonly #seams: Seams
  #running: Running | undefined
  #runs = 0
  /** Machines whose token is not accepted now, and until when. */
  readonly #refusedUntilMs = new Map<string, number>()

  constructor(kernel: Kernel, random: Random, seams: Seams) {
    this.#kernel = kernel
    this.#random = random
    this.#seams = seams
    this.clock = new DeviceClock(kernel.time)
    this.disk = new SimulatedDisk(kernel, 'server', random.stream('disk'), () => this.clock.latestMs)
  }

  /** undefined while it is down. */
  readonly running = (): Running | undefined => this.#running

  start(): void {
    if (this.#running !== undefined) return
    const run = this.#runs++
    const process = new SimulatedProcess(this.#kernel, 'server', this.clock, this.#random.stream(`run ${run}`))
    const store = this.disk.open(process)
    const server = createServer({
      store: this.#seams.store?.(store, undefined) ?? store,
      ports: this.#seams.ports?.(process.ports, undefined) ?? process.ports,
      auth: { check: async (token) => this.#grant(token) },
      logger: this.#logger(process),
      limits: { messagesPerSecond: 1e6, bytesPerSecond: 1e9 },
    })
    this.#kernel.trace.note('server', 'starts')
    this.#running = { process, server }
  }

  #grant(token: string) {
    if ((this.#refusedUntilMs.get(token) ?? 0) > this.#kernel.time.nowMs) return undefined
    return { subject: token, roleIn: (space: string) => (space === SPACE ? ('writer' as const) : undefined) }
  }

  #logger(process: SimulatedProcess): Logger {
    const nothing = (): void => undefined
    return {
      debug: nothing,
      info: nothing,
      warn: nothing,
      error: (fields, message) => {
        // A store that fails is one of the faults; a session that fails is a bug.
        if (process.isAlive && message === 'a session failed') this.#kernel.failed('server', JSON.stringify(fields))
      },
    }
  }

  /** In good order: sockets are told, and what was asked of the disk is done. */
  async stop(): Promise<void> {
    this.#running?.server.close()
    this.#end()
    await this.disk.crash(true)
  }

  refuseToken(machine: number, forMs: number): void {
    this.#refusedUntilMs.set(tokenOf(machine), this.#kernel.time.nowMs + forMs)
  }

  heal(): void {
    this.clock.correct()
    this.disk.heal()
    this.#refusedUntilMs.clear()
    this.start()
  }

  /** Not in good order. Resolves when the disk is as a restart finds it. */
  async crash(): Promise<void> {
    this.#end()
    const { kept, lost, isTorn } = await this.disk.crash()
    this.#kernel.trace.note('server', 'crashed', kept, lost, isTorn ? 'torn' : '')
  }

  #end(): void {
    const running = this.#running
    this.#running = undefined
    running?.process.end()
  }
}
