/**
 * A connection of its own for the log of members alone: for who is not a member yet, or founds a space, and so is not let in to
 * sync. Request and answer, one at a time.
 */
import {
  type ClientMessage,
  DriftlogError,
  MAX_ENTRY_BYTES,
  PROTOCOL_VERSION,
  type ServerMessage,
  type Timers,
} from '@driftlog/core'
import type { Connection, Transport } from '../transport/transport.ts'

const ANSWER_MS = 20_000

type Request = Extract<ClientMessage, { id: number }> & { type: 'entries' | 'propose' }
type EntryPage = Extract<ServerMessage, { type: 'entries' }>
type Answer = EntryPage | Extract<ServerMessage, { type: 'proposed' }>

export interface TalkOptions {
  readonly transport: Transport
  readonly space: string
  readonly pass: Uint8Array
  readonly timers: Timers
}

/** Opens a connection, does the work, and closes it. Rejects with what the server refuses, UNAVAILABLE where it does not answer. */
export const talk = async <T>(options: TalkOptions, work: (talk: MemberTalk) => Promise<T>): Promise<T> => {
  const opened = new MemberTalk(options)
  try {
    await opened.opened
    return await work(opened)
  } finally {
    opened.close()
  }
}

export class MemberTalk {
  readonly #options: TalkOptions
  readonly #connection: Connection
  readonly opened: Promise<void>
  #isGreeted = false
  #lastId = 0
  #waiting: { resolve(answer: Answer): void; reject(error: unknown): void } | undefined
  #failure: DriftlogError | undefined

  constructor(options: TalkOptions) {
    this.#options = options
    const { transport, space, timers } = options
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const stop = timers.schedule(ANSWER_MS, () => this.#fail(new DriftlogError('UNAVAILABLE')))
    this.opened = promise.finally(stop)
    this.#waiting = { resolve: () => {}, reject }
    this.#connection = transport.connect(space, {
      opened: () => {
        this.#waiting = undefined
        resolve()
      },
      message: (message) => this.#hear(message),
      closed: (failure) => this.#fail(new DriftlogError(failure?.code ?? 'UNAVAILABLE', '', { ...failure?.details })),
    })
  }

  /** A page of the entries after a position. */
  async entries(after: number): Promise<Pick<EntryPage, 'entries' | 'more'>> {
    const answer = await this.#ask({ type: 'entries', id: ++this.#lastId, after })
    if (answer.type !== 'entries') throw new DriftlogError('PROTOCOL_VIOLATION')
    return answer
  }

  /** Answers where the entry stands. */
  async propose(entry: Uint8Array): Promise<number> {
    if (entry.length > MAX_ENTRY_BYTES) throw new DriftlogError('TOO_LARGE', 'an entry')
    const answer = await this.#ask({ type: 'propose', id: ++this.#lastId, entry })
    if (answer.type !== 'proposed') throw new DriftlogError('PROTOCOL_VIOLATION')
    return answer.position
  }

  close(): void {
    this.#connection.close()
  }

  async #ask(request: Request): Promise<Answer> {
    const { transport, space, pass, timers } = this.#options
    if (this.#failure !== undefined) throw this.#failure
    const hello = { type: 'hello', protocol: PROTOCOL_VERSION, space, pass } as const
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    this.#waiting = { resolve, reject }
    const stop = timers.schedule(ANSWER_MS, () => this.#fail(new DriftlogError('UNAVAILABLE')))
    // A round trip is a session by itself.
    this.#connection.send(this.#isGreeted && transport.mode === 'live' ? [request] : [hello, request])
    this.#isGreeted = true
    try {
      return await promise
    } finally {
      stop()
      this.#waiting = undefined
    }
  }

  #hear(message: ServerMessage): void {
    if (message.type === 'refused') {
      const error = new DriftlogError(message.code, '', { ...message.details })
      if (message.id === undefined) this.#fail(error)
      else this.#waiting?.reject(error)
    } else if ((message.type === 'entries' || message.type === 'proposed') && message.id === this.#lastId) {
      this.#waiting?.resolve(message)
    }
  }

  #fail(error: DriftlogError): void {
    this.#failure ??= error
    this.#waiting?.reject(this.#failure)
  }
}
