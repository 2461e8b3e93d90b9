/**
 * The link between a device and the server: how long messages take on it, and what is wrong with it now. Faults of single
 * frames are armed and hit the next frame that they fit, whichever connection it is on.
 */
import type { FaultKind } from './faults.ts'
import type { Kernel } from './kernel.ts'
import type { Random } from './random.ts'

export type Direction = 'up' | 'down'
export type FrameFault = Extract<
  FaultKind,
  'loseAck' | 'dropFrame' | 'duplicateFrame' | 'reorderFrame' | 'delayFrame' | 'garbageFrame'
>

interface Armed {
  readonly fault: FrameFault
  readonly direction: Direction
  /** Frames that pass before it hits. */
  skip: number
}

/** A connection that goes with its link. */
export interface Connected {
  /** The connection is gone; both sides are told, sooner or later. */
  cut(): void
  /** Nothing gets through any more, and nobody is told. */
  silence(direction: Direction): void
}

export class Link {
  readonly machine: number
  readonly random: Random
  readonly connections = new Set<Connected>()
  readonly #kernel: Kernel
  readonly #latencyMs: number
  #armed: Armed[] = []
  #partitionedUntilMs = 0
  #cloggedUntilMs = 0

  constructor(kernel: Kernel, machine: number, random: Random) {
    this.#kernel = kernel
    this.machine = machine
    this.random = random
    this.#latencyMs = random.spread(...kernel.options.latencyMs)
  }

  /** When a message that is sent now arrives, before what is wrong with it. */
  arrivalMs(): number {
    const latencyMs = this.#latencyMs * (0.75 + 0.5 * this.random.fraction())
    return Math.max(this.#kernel.time.nowMs + latencyMs, this.#cloggedUntilMs)
  }

  get isPartitioned(): boolean {
    return this.#partitionedUntilMs > this.#kernel.time.nowMs
  }

  /** What is to happen to this frame. `isAck` is asked only where it matters. */
  strike(direction: Direction, isAck: () => boolean): FrameFault | undefined {
    this.#kernel.messages++
    if (this.#armed.length === 0) return undefined
    for (const armed of this.#armed) {
      if (armed.direction !== direction || (armed.fault === 'loseAck' && !isAck())) continue
      if (armed.skip-- > 0) continue
      this.#armed = this.#armed.filter((other) => other !== armed)
      this.#kernel.fault(armed.fault, this.machine, direction)
      return armed.fault
    }
    return undefined
  }

  arm(fault: FrameFault, direction: Direction, skip: number): void {
    this.#armed.push({ fault, direction, skip })
  }

  partition(forMs: number): void {
    this.#partitionedUntilMs = this.#kernel.time.nowMs + forMs
    const broken = [...this.connections]
    for (const connection of broken) {
      connection.silence('up')
      connection.silence('down')
    }
    // What was open finds out when packets flow again, if not before.
    this.#kernel.time.after(forMs, () => {
      for (const connection of broken) connection.cut()
    })
  }

  /** What is sent is held back, and comes all at once. */
  clog(forMs: number): void {
    this.#cloggedUntilMs = this.#kernel.time.nowMs + forMs
  }

  cut(): void {
    for (const connection of this.connections) connection.cut()
  }

  heal(): void {
    this.#armed = []
    this.#partitionedUntilMs = 0
    this.#cloggedUntilMs = 0
  }
}
