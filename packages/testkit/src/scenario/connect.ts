/** A device's way to the server: the client's real transports over a simulated link, with pushes that break in the middle. */
import { http, type Transport, webSocket, type WebSocketOptions } from '@driftlog/client'
import { decodeClientFrame } from '@driftlog/core'
import type { Link } from '../simulator/link.ts'
import { fetchOver } from '../simulator/round-trips.ts'
import { tokenOf } from '../simulator/server-machine.ts'
import { type ClientSocket, Wire, type WireEnds } from '../simulator/wire.ts'

const POLL_MS = 15_000
/** Longer than any frame is on its way. */
const BROKEN_AFTER_MS = 5_000

/** What is to happen to the next push of a device. */
export class PushBreaker {
  #arrives: number | undefined

  /** The connection breaks in the next push, after so many frames: their answers but for the last one come back. */
  arm(arrives: number): void {
    this.#arrives = arrives
  }

  /** Puts itself between a socket and its wire. */
  guard(socket: ClientSocket, link: Link, after: (delayMs: number, run: () => void) => void): ClientSocket {
    const send = socket.send
    let isBroken = false
    socket.send = (data) => {
      if (isBroken) return
      if (this.#arrives === undefined || !isPush(data)) {
        send(data)
        return
      }
      this.#arrives--
      if (this.#arrives >= 0) send(data)
      if (this.#arrives > 0) return
      this.#arrives = undefined
      isBroken = true
      for (const connection of link.connections) connection.silence('down')
      after(BROKEN_AFTER_MS, () => link.cut())
    }
    return socket
  }
}

const isPush = (data: Uint8Array): boolean => decodeClientFrame(data).type === 'push'

export interface Way {
  readonly ends: WireEnds
  readonly machine: number
  readonly isRoundTrip: boolean
  readonly breaker: PushBreaker
}

export const transportOver = ({ ends, machine, isRoundTrip, breaker }: Way): Transport => {
  const token = (): string => tokenOf(machine)
  if (isRoundTrip) return http('http://server.test', { token, fetch: fetchOver(ends), pollMs: POLL_MS })
  const Connecting = function Connecting() {
    return breaker.guard(new Wire(ends).socket, ends.link, (delayMs, run) => void ends.kernel.time.after(delayMs, run))
  }
  return webSocket('ws://server.test', { token, WebSocket: Connecting as unknown as WebSocketOptions['WebSocket'] })
}
