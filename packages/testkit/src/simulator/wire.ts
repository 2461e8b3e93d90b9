/**
 * A live connection: a WebSocket for the client's transport at one end, a socket for the server's session at the other,
 * and two pipes in order between them.
 *
 * Invariants:
 * - each side is told of the end at most once, and hears nothing after it;
 * - a side whose process has ended is told nothing.
 */
import type { AcceptedSocket, DriftlogServer, ServerSocket } from '@driftlog/server'
import { SPACE } from './disk-copy.ts'
import type { Kernel } from './kernel.ts'
import type { Connected, Direction, Link } from './link.ts'
import { Pipe } from './pipe.ts'
import type { SimulatedProcess } from './process.ts'

const OPEN = 1
const CLOSED = 3

/** What the client's transport uses of a WebSocket. */
export interface ClientSocket {
  binaryType: string
  readyState: number
  onopen: (() => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: (() => void) | null
  onerror: (() => void) | null
  send(data: Uint8Array): void
  close(): void
}

export interface WireEnds {
  readonly kernel: Kernel
  readonly link: Link
  readonly client: SimulatedProcess
  /** The server that runs now; undefined while there is none. */
  readonly server: () => { readonly process: SimulatedProcess; readonly server: DriftlogServer } | undefined
}

export class Wire implements Connected {
  readonly socket: ClientSocket
  readonly #ends: WireEnds
  readonly #up: Pipe
  readonly #down: Pipe
  #accepted: AcceptedSocket | undefined
  #serverProcess: SimulatedProcess | undefined
  #serverState: ServerSocket['readyState'] = OPEN
  #isPaused = false
  readonly #held: ArrayBuffer[] = []
  #onPong: () => void = () => undefined

  constructor(ends: WireEnds) {
    this.#ends = ends
    const { kernel, link, client } = ends
    const parts = { kernel, link, name: client.name, cut: () => this.cut() }
    const server = (): SimulatedProcess | undefined => this.#serverProcess
    const toClient = (data: ArrayBuffer): void => this.socket.onmessage?.({ data })
    this.#up = new Pipe({
      ...parts,
      direction: 'up',
      from: () => client,
      to: server,
      receive: (data) => this.#toServer(data),
    })
    this.#down = new Pipe({ ...parts, direction: 'down', from: server, to: () => client, receive: toClient })
    this.socket = {
      binaryType: 'arraybuffer',
      readyState: 0,
      onopen: null,
      onmessage: null,
      onclose: null,
      onerror: null,
      send: (data) => this.#up.send(data),
      close: () => this.#closedByClient(),
    }
    ends.client.call('connect')
    ends.kernel.emit({ kind: 'dials', name: ends.client.name, atMs: ends.kernel.time.nowMs })
    ends.link.connections.add(this)
    // A process that ends takes its sockets with it; where the power fails, nobody tells the server.
    ends.client.onEnd(() => this.#endServer(ends.link.random.chance(0.3)))
    ends.kernel.time.at(ends.link.arrivalMs(), () => this.#connect())
  }

  #connect(): void {
    const { kernel, link, client } = this.#ends
    if (!client.isAlive || this.socket.readyState === CLOSED) return
    const running = this.#ends.server()
    if (link.isPartitioned || running === undefined) {
      client.later(running === undefined ? 10 : link.random.between(1_000, 20_000), () => this.#tellClient())
      return
    }
    const accepted = running.server.accept(this.#serverSocket(), SPACE)
    if (accepted === undefined) {
      this.#tellClientLater()
      return
    }
    this.#accepted = accepted
    this.#serverProcess = running.process
    running.process.onEnd(() => {
      this.#accepted = undefined
      // A power failure tells nobody: the client's next packet after the restart does.
      this.#tellClientLater(link.random.chance(0.3) ? link.random.between(100, 20_000) : 0)
    })
    kernel.time.at(link.arrivalMs(), () => {
      if (this.socket.readyState !== 0 || !client.isAlive) return
      client.later(0, () => {
        if (this.socket.readyState !== 0) return
        this.socket.readyState = OPEN
        this.socket.onopen?.()
      })
    })
  }

  #serverSocket(): ServerSocket {
    const state = (): ServerSocket['readyState'] => this.#serverState
    const isPaused = (): boolean => this.#isPaused
    const waiting = (): number => this.#down.bytes
    return {
      OPEN,
      get readyState() {
        return state()
      },
      get isPaused() {
        return isPaused()
      },
      get bufferedAmount() {
        return waiting()
      },
      pause: () => {
        this.#isPaused = true
      },
      resume: () => this.#resume(),
      send: (data, sent) => this.#down.send(data, sent),
      ping: () => this.#ping(),
      on: (_, listener) => {
        this.#onPong = listener
      },
      close: () => this.#closedByServer(),
      terminate: () => this.#closedByServer(),
    }
  }

  #resume(): void {
    this.#isPaused = false
    for (let data = this.#held.shift(); data !== undefined && !this.#isPaused; data = this.#held.shift()) {
      this.#accepted?.received(data)
    }
  }

  #toServer(data: ArrayBuffer): void {
    if (this.#isPaused) this.#held.push(data)
    else this.#accepted?.received(data)
  }

  /** The platform's answer to a ping: no page is asked for it, but a device that sleeps does not give one. */
  #ping(): void {
    const { kernel, link, client } = this.#ends
    kernel.time.at(link.arrivalMs() + link.arrivalMs() - kernel.time.nowMs, () => {
      const isHeard = !this.#up.isSilent && !this.#down.isSilent && client.isAlive && !client.isAsleep
      if (isHeard && this.#serverProcess?.isAlive === true && this.socket.readyState === OPEN) this.#onPong()
    })
  }

  #closedByClient(): void {
    if (this.socket.readyState === CLOSED) return
    this.socket.readyState = CLOSED
    this.#endServer(this.#up.isSilent)
  }

  #endServer(isSilent: boolean): void {
    const { kernel, link } = this.#ends
    link.connections.delete(this)
    if (isSilent) return
    kernel.time.at(this.#up.arrivalMs(), () => this.#tellServer())
  }

  #closedByServer(): void {
    if (this.#serverState === CLOSED) return
    this.#serverState = CLOSED
    this.#accepted = undefined
    if (!this.#down.isSilent) this.#tellClientLater()
  }

  #tellServer(): void {
    if (this.#serverState === CLOSED) return
    this.#serverState = CLOSED
    if (this.#serverProcess?.isAlive === true) this.#accepted?.ended()
  }

  #tellClientLater(delayMs = 0): void {
    const { kernel, client } = this.#ends
    kernel.time.at(this.#down.arrivalMs(delayMs), () => client.later(0, () => this.#tellClient()))
  }

  #tellClient(): void {
    const { link, client } = this.#ends
    link.connections.delete(this)
    if (this.socket.readyState === CLOSED || !client.isAlive) return
    this.socket.readyState = CLOSED
    this.socket.onclose?.()
  }

  cut(): void {
    this.#ends.link.connections.delete(this)
    this.silence('up')
    this.silence('down')
    this.#ends.kernel.time.at(this.#ends.link.arrivalMs(), () => this.#tellServer())
    this.#tellClientLater()
  }

  silence(direction: Direction): void {
    const pipe = direction === 'up' ? this.#up : this.#down
    pipe.isSilent = true
  }
}
