/** What all parts of a simulated world share: its time, its randomness, its trace, and who listens to what happens. */
import { DriftlogError, isErrorCode } from '@driftlog/core'
import type { SimulatorEvent } from './events.ts'
import type { FaultKind, Tally } from './faults.ts'
import type { SimulatorOptions } from './options.ts'
import { Random } from './random.ts'
import { VirtualTime } from './time.ts'
import { Trace } from './trace.ts'

export interface KernelListeners {
  readonly onEvent?: (event: SimulatorEvent) => void
  readonly onLine?: (line: string) => void
}

export class Kernel {
  readonly options: SimulatorOptions
  readonly random: Random
  readonly time = new VirtualTime()
  readonly trace: Trace
  readonly tally: Tally = {}
  /** Messages that were put on a link. */
  messages = 0
  readonly #onEvent: (event: SimulatorEvent) => void

  constructor(options: SimulatorOptions, listeners: KernelListeners) {
    this.options = options
    this.random = Random.of(options.seed)
    this.trace = new Trace(this.time, listeners.onLine)
    this.#onEvent = listeners.onEvent ?? (() => undefined)
  }

  emit(event: SimulatorEvent): void {
    this.#onEvent(event)
  }

  /** A fault took effect. */
  fault(fault: FaultKind, machine: number | undefined, words = ''): void {
    this.tally[fault] = (this.tally[fault] ?? 0) + 1
    this.trace.note('fault', fault, machine ?? 'server', words)
    this.emit({ kind: 'fault', fault, machine })
  }

  /** An error came out of the product. */
  failed(where: string, error: unknown): void {
    const code = error instanceof DriftlogError && isErrorCode(error.code) ? error.code : undefined
    const message = error instanceof Error ? (code === undefined ? String(error.stack) : error.message) : String(error)
    this.trace.note('failed', where, code ?? message.slice(0, 200))
    this.emit({ kind: 'failed', where, code, message })
  }
}
