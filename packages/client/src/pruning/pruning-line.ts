/** Asks the server about pruning, on the connection that ops are synced over: one question at a time, each answered or failed. */
import {
  type Batch,
  type ClientMessage,
  decodeBatch,
  decodePruningAnswer,
  type DeviceId,
  DriftlogError,
  encodePruningRequest,
  encodeVector,
  type PruningAnswer,
  type PruningRequest,
  type ServerMessage,
  type Timers,
  type VersionVector,
} from '@driftlog/core'
import type { MembersLine } from '../members/members-sync.ts'

/** Apart from those of the session, and of the members. */
const FIRST_ID = 2 ** 29
const ANSWER_MS = 20_000

interface Question {
  readonly id: number
  readonly resolve: (answer: PruningAnswer) => void
  readonly reject: (error: unknown) => void
}

interface Paging {
  readonly id: number
  readonly resolve: (page: ServerMessage & { type: 'page' }) => void
  readonly reject: (error: unknown) => void
}

export class PruningLine {
  readonly line: MembersLine
  readonly #timers: Timers
  #nextId = FIRST_ID
  #question: Question | undefined
  #paging: Paging | undefined
  #tail: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(line: MembersLine, timers: Timers) {
    this.line = line
    this.#timers = timers
  }

  /** Rejects as the server refuses, and with UNAVAILABLE where no answer comes. */
  ask(request: PruningRequest): Promise<PruningAnswer> {
    const asked = this.#tail.then(() => this.#ask(request))
    this.#tail = asked.catch(() => undefined)
    return asked
  }

  async #ask(request: PruningRequest): Promise<PruningAnswer> {
    if (this.#isClosed) throw new DriftlogError('UNAVAILABLE')
    const { promise, resolve, reject } = Promise.withResolvers<PruningAnswer>()
    const id = this.#nextId++
    this.#question = { id, resolve, reject }
    const stop = this.#timers.schedule(ANSWER_MS, () => {
      reject(new DriftlogError('UNAVAILABLE'))
      this.line.lost()
    })
    this.line.connection()?.send([{ type: 'call', id, body: encodePruningRequest(request) }])
    try {
      return await promise
    } finally {
      stop()
      this.#question = undefined
    }
  }

  /** What the server holds above a vector, whose keys are branches. */
  pull(above: VersionVector): Promise<readonly Batch[]> {
    const pulled = this.#tail.then(() => this.#pull(new Map(above)))
    this.#tail = pulled.catch(() => undefined)
    return pulled
  }

  async #pull(above: Map<DeviceId, number>): Promise<readonly Batch[]> {
    const batches: Batch[] = []
    let page = await this.#page({ above: encodeVector(above) })
    for (;;) {
      batches.push(...page.batches.map((bytes) => decodeBatch(bytes)))
      if (!page.more) return batches
      page = await this.#page({ after: page.cursor })
    }
  }

  async #page(
    from: Pick<ClientMessage & { type: 'pull' }, 'above' | 'after'>,
  ): Promise<ServerMessage & { type: 'page' }> {
    if (this.#isClosed) throw new DriftlogError('UNAVAILABLE')
    const { promise, resolve, reject } = Promise.withResolvers<ServerMessage & { type: 'page' }>()
    const id = this.#nextId++
    this.#paging = { id, resolve, reject }
    const stop = this.#timers.schedule(ANSWER_MS, () => {
      reject(new DriftlogError('UNAVAILABLE'))
      this.line.lost()
    })
    this.line.connection()?.send([{ type: 'pull', id, ...from }])
    try {
      return await promise
    } finally {
      stop()
      this.#paging = undefined
    }
  }

  /** Whether the message was an answer to this. */
  hear(message: ServerMessage): boolean {
    if (message.type === 'page') {
      // Live pages are for nobody before the session has heard of its welcome.
      if (message.id === undefined || message.id < FIRST_ID) return false
      if (message.id === this.#paging?.id) this.#paging.resolve(message)
      return true
    }
    if (message.type !== 'reply' && message.type !== 'refused') return false
    const { id } = message
    if (id === undefined || id < FIRST_ID || id >= this.#nextId) return false
    if (message.type === 'refused' && id === this.#paging?.id) {
      this.#paging.reject(new DriftlogError(message.code, '', { ...message.details }))
      return true
    }
    const question = this.#question
    if (question?.id !== id) return true
    if (message.type === 'refused') question.reject(new DriftlogError(message.code, '', { ...message.details }))
    else this.#answered(question, message.body)
    return true
  }

  #answered(question: Question, body: Uint8Array): void {
    try {
      question.resolve(decodePruningAnswer(body))
    } catch (error) {
      question.reject(error)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#question?.reject(new DriftlogError('UNAVAILABLE'))
    this.#paging?.reject(new DriftlogError('UNAVAILABLE'))
  }
}
