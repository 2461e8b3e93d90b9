/**
 * One direction of a live connection.
 *
 * Invariants:
 * - it hands over in order, but for a frame that was swapped with the next;
 * - after a lost frame it hands over nothing: a lost packet holds up all that follow, until someone gives up.
 */
import { decodeServerFrame } from '@driftlog/core'
import type { Kernel } from './kernel.ts'
import type { Direction, FrameFault, Link } from './link.ts'
import type { SimulatedProcess } from './process.ts'

export interface PipeParts {
  readonly kernel: Kernel
  readonly link: Link
  readonly direction: Direction
  /** Of the client, for the trace. */
  readonly name: string
  readonly from: () => SimulatedProcess | undefined
  readonly to: () => SimulatedProcess | undefined
  readonly receive: (data: ArrayBuffer) => void
  /** Ends the connection. */
  readonly cut: () => void
}

export class Pipe {
  readonly #parts: PipeParts
  #lastArrivalMs = 0
  /** Waits to be overtaken by the next frame. */
  #swapped: ArrayBuffer | undefined
  isSilent = false
  /** Bytes that are on their way. */
  bytes = 0

  constructor(parts: PipeParts) {
    this.#parts = parts
  }

  /** When what is sent now arrives: not before what was sent before it. */
  arrivalMs(delayMs = 0): number {
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, this.#parts.link.arrivalMs() + delayMs)
    return this.#lastArrivalMs
  }

  /** `sent` is called when it has left. */
  send(data: Uint8Array, sent?: () => void): void {
    const { kernel, link, name, direction, from } = this.#parts
    if (from()?.call('send') !== true) return
    kernel.trace.noteBytes(name, direction, data)
    if (this.isSilent) {
      sent?.()
      return
    }
    const fault = link.strike(direction, () => decodeServerFrame(data).type === 'pushed')
    this.#carry(fault, data.slice().buffer, sent)
  }

  #carry(fault: FrameFault | undefined, data: ArrayBuffer, sent?: () => void): void {
    const { kernel, link, cut } = this.#parts
    switch (fault) {
      case 'loseAck':
      case 'dropFrame':
        this.isSilent = true
        kernel.time.after(link.random.spread(100, 90_000), cut)
        sent?.()
        return
      case 'garbageFrame':
        this.#deliver(garbled(data, link), 0, sent)
        return
      case 'reorderFrame':
        this.#swapped = data
        sent?.()
        // Where nothing follows, it comes late.
        kernel.time.after(1_000, () => this.#deliverSwapped())
        return
      case 'delayFrame':
        this.#deliver(data, link.random.spread(500, 40_000), sent)
        return
      case 'duplicateFrame':
        this.#deliver(data.slice(0), 0)
        break
      case undefined:
        break
    }
    this.#deliver(data, 0, sent)
    this.#deliverSwapped()
  }

  #deliverSwapped(): void {
    const swapped = this.#swapped
    this.#swapped = undefined
    if (swapped !== undefined) this.#deliver(swapped, 0)
  }

  #deliver(data: ArrayBuffer, delayMs: number, sent?: () => void): void {
    const { kernel, receive } = this.#parts
    const receiver = this.#parts.to()
    this.bytes += data.byteLength
    kernel.time.at(this.arrivalMs(delayMs), () => {
      this.bytes -= data.byteLength
      sent?.()
      if (this.isSilent || receiver?.isAlive !== true) return
      if (receiver.isAsleep) receiver.later(0, () => receive(data))
      else receive(data)
    })
  }
}

/** No frame at all, or the beginning of one. */
const garbled = (data: ArrayBuffer, link: Link): ArrayBuffer =>
  link.random.chance(0.5)
    ? (link.random.bytes(link.random.between(0, 60)).buffer as ArrayBuffer)
    : data.slice(0, link.random.below(Math.max(1, data.byteLength - 1)))
