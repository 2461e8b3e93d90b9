/**
 * One WebSocket: frames in, frames out, and what a stranger may cost.
 *
 * Invariants:
 * - SOCK1 a socket that has not said a valid hello in time is closed; nothing is read for it before;
 * - SOCK2 a frame is binary, within the limit, and decodes, or the socket is closed with a coded refusal;
 * - SOCK3 what comes too fast is not read from the network: pausing costs the sender time and us nothing but what one
 *   read had brought already, which waits in `held`;
 * - SOCK4 what a reader does not take is bounded: a full send buffer gets nothing more (one frame may stand out), and one
 *   that stays full too long ends the socket; the device pulls from its cursor later;
 * - SOCK5 after the end no timer runs and the store is no longer watched.
 */
import {
  type ClientMessage,
  decodeClientFrame,
  DriftlogError,
  encodeFrame,
  type ErrorCode,
  refusal,
  type ServerMessage,
} from '@driftlog/core'
import type { WebSocket } from 'ws'
import { RateMeter } from '../limits/token-bucket.ts'
import type { ServerParts } from '../parts.ts'
import { SessionDriver } from '../session/session-driver.ts'

/** What a session needs of a socket of `ws`; frames come to it by `received`, and the end by `ended`. */
export type ServerSocket = Pick<
  WebSocket,
  'readyState' | 'OPEN' | 'isPaused' | 'bufferedAmount' | 'pause' | 'resume' | 'close' | 'terminate'
> & {
  send(data: Uint8Array, sent: () => void): void
  ping(): void
  on(event: 'pong', listener: () => void): unknown
}

/** Messages that may wait in the session before the network is made to wait. */
const FULL_QUEUE = 16
/** Frames that one read of the network may bring. Who packs more into it means harm. */
const MAX_HELD = 10_000

// RFC 6455, section 7.4.1.
const GOING_AWAY = 1001
const PROTOCOL_ERROR = 1002
const UNSUPPORTED = 1003
const POLICY = 1008
const TRY_AGAIN = 1013

const closeCodeOf = (code: ErrorCode): number => {
  switch (code) {
    case 'MALFORMED':
    case 'PROTOCOL_VERSION':
    case 'PROTOCOL_VIOLATION':
    case 'TOO_LARGE':
      return PROTOCOL_ERROR
    case 'UNAVAILABLE':
    case 'RATE_LIMITED':
      return TRY_AGAIN
    default:
      return POLICY
  }
}

export class SocketSession {
  readonly #parts: ServerParts
  readonly #socket: ServerSocket
  readonly #driver: SessionDriver
  readonly #rates: RateMeter
  readonly #timers = new Map<'hello' | 'heartbeat' | 'slow' | 'pace', () => void>()
  readonly #onEnd: () => void
  readonly #held: unknown[] = []
  #isPumping = false
  #isAlive = true
  #isCongested = false
  #isEnded = false

  constructor(parts: ServerParts, socket: ServerSocket, space: string, onEnd: () => void) {
    const { ports, limits, logger } = parts
    this.#parts = parts
    this.#socket = socket
    this.#onEnd = onEnd
    this.#rates = new RateMeter(limits, ports.clock.now())
    this.#driver = new SessionDriver({
      space,
      mode: 'live',
      store: parts.store,
      auth: parts.auth,
      members: parts.members,
      prunings: parts.prunings,
      clock: ports.clock,
      clockFloorMs: limits.clockFloorMs,
      logger,
      send: (message) => this.#send(message),
      closed: (code) => {
        logger.info({ code, space }, 'a session was refused')
        this.#finish(closeCodeOf(code), code)
      },
    })
    this.#startTimer('hello', limits.helloMs, () => {
      if (!this.#driver.isGreeted) this.#refuse('UNAUTHORIZED')
    })
    this.#heartbeat()
    socket.on('pong', () => {
      this.#isAlive = true
    })
  }

  received(data: unknown): void {
    if (this.#isEnded) return
    this.#isAlive = true
    this.#held.push(data)
    if (this.#held.length > MAX_HELD) this.#refuse('RATE_LIMITED')
    else this.#pump()
  }

  /** Takes what is held while the rates and the session allow, and reads from the network only while nothing is held. */
  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    while (!this.#isEnded && !this.#mustWait && this.#held.length > 0) this.#take(this.#held.shift())
    this.#isPumping = false
    if (this.#isEnded || this.#socket.readyState !== this.#socket.OPEN) return
    if (this.#mustWait && !this.#socket.isPaused) this.#socket.pause()
    else if (!this.#mustWait && this.#socket.isPaused) this.#socket.resume()
  }

  get #mustWait(): boolean {
    return this.#timers.has('pace') || this.#driver.waiting >= FULL_QUEUE
  }

  #take(data: unknown): void {
    if (!(data instanceof ArrayBuffer)) {
      this.#send(refusal('MALFORMED'))
      this.#finish(UNSUPPORTED, 'MALFORMED')
      return
    }
    const owedMs = this.#rates.take(1, data.byteLength, this.#parts.ports.clock.now())
    if (owedMs > 0) this.#startTimer('pace', owedMs, () => this.#pump())
    const message = this.#decode(new Uint8Array(data))
    if (message !== undefined) this.#driver.input({ kind: 'message', message })
  }

  #decode(frame: Uint8Array): ClientMessage | undefined {
    try {
      return decodeClientFrame(frame)
    } catch (error) {
      if (!(error instanceof DriftlogError)) throw error
      this.#refuse(error.code)
      return undefined
    }
  }

  #send(message: ServerMessage): void {
    const { limits } = this.#parts
    if (this.#isEnded) return
    this.#socket.send(encodeFrame(message), () => this.#sent())
    if (!this.#isCongested && this.#socket.bufferedAmount > limits.sendBufferBytes) {
      this.#isCongested = true
      this.#startTimer('slow', limits.slowReaderMs, () => {
        this.#parts.logger.info({ bytes: this.#socket.bufferedAmount }, 'a slow reader was dropped')
        this.terminate()
      })
      this.#driver.input({ kind: 'congested' })
    }
    // What was answered may make room for what was held back.
    this.#pump()
  }

  #sent(): void {
    if (this.#isEnded || !this.#isCongested) return
    if (this.#socket.bufferedAmount > this.#parts.limits.sendBufferBytes / 2) return
    this.#isCongested = false
    this.#stopTimer('slow')
    this.#driver.input({ kind: 'drained' })
  }

  #heartbeat(): void {
    this.#startTimer('heartbeat', this.#parts.limits.heartbeatMs, () => {
      // A paused socket cannot show that it lives; it is paused for a bounded time.
      if (!this.#isAlive && !this.#socket.isPaused) {
        this.terminate()
        return
      }
      this.#isAlive = false
      this.#socket.ping()
      this.#heartbeat()
    })
  }

  #refuse(code: ErrorCode): void {
    this.#send(refusal(code))
    this.#finish(closeCodeOf(code), code)
  }

  #finish(closeCode: number, reason: string): void {
    if (this.#isEnded) return
    // The other side's close frame has to be read.
    if (this.#socket.isPaused) this.#socket.resume()
    this.#socket.close(closeCode, reason)
    this.ended()
  }

  /** The server stops. */
  goAway(): void {
    this.#finish(GOING_AWAY, 'UNAVAILABLE')
  }

  /** Without a farewell, for who would not read it. */
  terminate(): void {
    this.#socket.terminate()
    this.ended()
  }

  /** The connection is gone, or is being closed. */
  ended(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
    this.#held.length = 0
    this.#driver.close()
    this.#onEnd()
  }

  #startTimer(name: 'hello' | 'heartbeat' | 'slow' | 'pace', delayMs: number, run: () => void): void {
    this.#stopTimer(name)
    const cancel = this.#parts.ports.timers.schedule(delayMs, () => {
      this.#timers.delete(name)
      run()
    })
    this.#timers.set(name, cancel)
  }

  #stopTimer(name: 'hello' | 'heartbeat' | 'slow' | 'pace'): void {
    this.#timers.get(name)?.()
    this.#timers.delete(name)
  }
}
