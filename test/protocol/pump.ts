/**
 * The two session machines in a world made of memory: stores, pipes and timers whose every step is picked by `choose`,
 * so that a schedule replays from its numbers. Both machines, both frame codecs and the memory store are the production
 * code; only the drivers are short ones of their own.
 */
import {
  type BatchStore,
  bareHello,
  type ClientEffect,
  type ClientInput,
  type ClientMessage,
  createServerSession,
  decodeClientExchange,
  decodeClientFrame,
  decodeServerExchange,
  decodeServerFrame,
  encodeExchange,
  encodeFrame,
  memoryStore,
  type ServerEffect,
  type ServerInput,
  type ServerMessage,
  sessionStatus,
  stepClientSession,
  stepServerSession,
  type TimerName,
  tipsDigest,
} from '@driftlog/core'
import { makeTestHistory, type TestBatch } from '@driftlog/testkit'
import { answerClient, answerServer } from './answers.ts'
import { type Backup, Connection, SimClient } from './sim-client.ts'
import { allOf, SPACE, storeOf } from './stores.ts'

const SERVER_TIME = Date.UTC(2026, 5, 1)

/** Picks a whole number in [0, below). */
export type Choose = (below: number) => number

interface Action {
  /** Gone with its connection, where it belongs to one. */
  readonly connection?: Connection
  run(): Promise<void>
}

export class World {
  readonly choose: Choose
  readonly clients: SimClient[]
  server: BatchStore = memoryStore()
  readonly actions: Action[] = []
  nowMs = 0
  steps = 0
  /** How often a session gave up pulling (SYNC9). */
  gaveUp = 0
  /** Every batch that was ever written, by its tag. */
  readonly written = new Map<string, TestBatch>()
  /** Chances of a fault, one in so many; 0: never. */
  faults = { duplicate: 0, clientStore: 0, serverStore: 0, loseExchange: 0 }
  serverTimeMs: number | undefined = SERVER_TIME

  constructor(choose: Choose, modes: readonly ('live' | 'roundTrip')[]) {
    this.choose = choose
    this.clients = modes.map((mode, index) => new SimClient(index, mode))
  }

  #fault(name: keyof World['faults']): boolean {
    const oneIn = this.faults[name]
    return oneIn > 0 && this.choose(oneIn) === 0
  }

  #later(run: () => Promise<void>, connection?: Connection): void {
    this.actions.push(connection === undefined ? { run } : { run, connection })
  }

  /** Does one thing that can happen, or lets the time go on to the next timer. False where nothing is left to do. */
  async step(): Promise<boolean> {
    this.steps++
    while (this.actions.length > 0) {
      const [action] = this.actions.splice(this.choose(this.actions.length), 1)
      if (action.connection !== undefined && !action.connection.isOpen) continue
      await action.run()
      return true
    }
    return this.#nextTimer()
  }

  #nextTimer(): boolean {
    let next: { client: SimClient; name: TimerName; atMs: number } | undefined
    for (const client of this.clients) {
      for (const [name, atMs] of client.timers)
        if (next === undefined || atMs < next.atMs) next = { client, name, atMs }
    }
    if (next === undefined) return false
    this.nowMs = next.atMs
    next.client.timers.delete(next.name)
    this.input(next.client, { kind: 'timer', name: next.name })
    return true
  }

  input(client: SimClient, input: ClientInput): void {
    const { state, effects } = stepClientSession(client.session, input)
    if (state.pullFault !== undefined && client.session.pullFault === undefined) this.gaveUp++
    client.session = state
    for (const effect of effects) this.#perform(client, effect)
  }

  #perform(client: SimClient, effect: ClientEffect): void {
    switch (effect.kind) {
      case 'connect': {
        const connection = new Connection()
        client.connection = connection
        this.#later(async () => this.input(client, { kind: 'connected' }), connection)
        break
      }
      case 'disconnect':
        this.#drop(client)
        break
      case 'send':
        for (const { type } of effect.messages) client.sent.push(type)
        if (client.session.mode === 'roundTrip') this.#exchange(client, effect.messages)
        else for (const message of effect.messages) this.#toServer(client, message)
        break
      case 'greet':
        this.#later(async () => {
          const hello = { ...effect.hello, digest: tipsDigest(await client.store.tips(SPACE)) }
          this.#perform(client, { kind: 'send', messages: [hello] })
        }, client.connection)
        break
      case 'place':
      case 'readPoints':
      case 'readOutbox':
      case 'ingest': {
        const { generation } = client
        this.#later(async () => {
          const { request } = effect
          const answer: ClientInput | undefined = this.#fault('clientStore')
            ? { kind: 'storeFailed', request, code: 'STORAGE_FULL', message: 'full' }
            : await answerClient(client, effect)
          // A process that was started anew hears nothing of what the one before it had asked.
          if (answer !== undefined && generation === client.generation) this.input(client, answer)
        })
        break
      }
      case 'saveCursor':
        client.cursor = effect.cursor
        break
      case 'startTimer':
        client.timers.set(effect.name, this.nowMs + effect.delayMs)
        break
      case 'stopTimer':
        client.timers.delete(effect.name)
        break
      case 'acknowledged':
      case 'serverTime':
      case 'status':
        break
    }
  }

  /** Writes ops at a client, as durable as everything there: after its last, or as a fork after `previous`. */
  async write(client: SimClient, lengths: readonly number[], previous = client.last): Promise<void> {
    const batches = makeTestHistory(client.device, lengths, previous, this.written.size)
    client.last = batches.at(-1)
    for (const batch of batches) this.written.set(batch.header.tagAfter.join(), batch)
    await this.#append(client, batches)
  }

  /** Forks the own history of a client at any place of it, the start included. */
  async fork(client: SimClient, lengths: readonly number[]): Promise<void> {
    const own = (await allOf(client.store)).filter(({ batch }) => batch.header.device === client.device.device)
    const at = own[this.choose(own.length + 1)]
    await this.write(client, lengths, at && this.written.get(at.batch.header.tagAfter.join()))
  }

  async #append(client: SimClient, batches: Parameters<BatchStore['append']>[1]): Promise<void> {
    const outcomes = await client.store.append(SPACE, batches)
    const isRenamed = outcomes.some((outcome) => outcome.kind === 'appended' && outcome.isSplit)
    const held = await client.store.vector(SPACE)
    this.input(client, { kind: isRenamed ? 'renamed' : 'localAppended', held })
  }

  /** Carries all that one client has to another one. */
  async courier(from: SimClient, to: SimClient): Promise<void> {
    await this.#append(
      to,
      (await allOf(from.store)).map(({ batch }) => batch),
    )
  }

  /** A second device with the keys and all of the first. */
  async clone(client: SimClient, mode: 'live' | 'roundTrip'): Promise<SimClient> {
    const clone = new SimClient(this.clients.length, mode, client.device)
    await clone.restart(await client.backUp())
    this.clients.push(clone)
    return clone
  }

  async restore(client: SimClient, backup: Backup): Promise<void> {
    this.#drop(client)
    await client.restart(backup)
  }

  #drop(client: SimClient): void {
    const { connection } = client
    client.connection = undefined
    if (connection === undefined) return
    connection.isOpen = false
    connection.stopWatching?.()
  }

  /** The connection breaks: what was under way on it is lost, either way. */
  breakConnection(client: SimClient): void {
    if (client.connection === undefined) return
    this.#drop(client)
    this.input(client, { kind: 'disconnected' })
  }

  /** The connection dies without a word: only silence tells. */
  killSilently(client: SimClient): void {
    const { connection } = client
    if (connection === undefined) return
    connection.isOpen = false
    connection.stopWatching?.()
  }

  restartServer(): void {
    for (const client of this.clients) this.breakConnection(client)
  }

  /** Yesterday's backup: the first `kept` batches of what the server has. */
  async rollBackServer(kept: number): Promise<void> {
    const batches = (await allOf(this.server)).map(({ batch }) => batch)
    this.server = await storeOf(batches.slice(0, kept))
    this.restartServer()
  }

  /** As above, and then somebody brings back what they have, in any order: a cursor may fit by accident. */
  async refillServer(kept: number, from: SimClient): Promise<void> {
    const batches = (await allOf(this.server)).map(({ batch }) => batch)
    const others = [...(await allOf(from.store)).map(({ batch }) => batch), ...batches]
    for (let index = others.length - 1; index > 0; index--) {
      const other = this.choose(index + 1)
      ;[others[index], others[other]] = [others[other], others[index]]
    }
    this.server = await storeOf([...batches.slice(0, kept), ...others.slice(0, this.choose(others.length + 1))])
    this.restartServer()
  }

  // The socket: two pipes in order. A frame may be seen twice where the other side must bear it.

  #toServer(client: SimClient, message: ClientMessage): void {
    const { connection } = client
    if (connection?.isOpen !== true) return
    const frame = decodeClientFrame(encodeFrame(message))
    connection.toServer.push(frame)
    if (frame.type !== 'hello' && this.#fault('duplicate')) connection.toServer.push(frame)
    this.#flow(connection.toServer, connection, (next) =>
      this.#serve(client, connection, { kind: 'message', message: next }),
    )
  }

  #toClient(client: SimClient, connection: Connection, message: ServerMessage): void {
    const frame = decodeServerFrame(encodeFrame(message))
    connection.toClient.push(frame)
    if (this.#fault('duplicate')) connection.toClient.push(frame)
    this.#flow(connection.toClient, connection, (next) => this.input(client, { kind: 'message', message: next }))
  }

  #flow<T>(pipe: T[], connection: Connection, deliver: (message: T) => void): void {
    // One action for each message, and each delivers the oldest: any order of actions is an order of pipes, not in them.
    for (let count = pipe.length; count > 0; count--) {
      this.#later(async () => {
        const next = pipe.shift()
        if (next !== undefined) deliver(next)
      }, connection)
    }
  }

  #serve(client: SimClient, connection: Connection, input: ServerInput): void {
    if (!connection.isOpen) return
    const { state, effects } = stepServerSession(connection.server, input)
    connection.server = state
    for (const effect of effects) {
      switch (effect.kind) {
        case 'send':
          this.#toClient(client, connection, effect.message)
          break
        case 'close':
          this.#later(async () => this.breakConnection(client), connection)
          break
        case 'watch':
          connection.stopWatching = this.server.watch(SPACE, () =>
            this.#later(async () => this.#serve(client, connection, { kind: 'changed' }), connection),
          )
          break
        default:
          this.#later(async () => this.#serve(client, connection, await this.#answer(client, effect)), connection)
      }
    }
  }

  async #answer({ role }: SimClient, effect: ServerEffect): Promise<ServerInput> {
    const isFailing = effect.kind !== 'authorize' && this.#fault('serverStore')
    if (isFailing) return { kind: 'storeFailed', code: 'STORAGE_FAILED' }
    return answerServer({ store: this.server, role, serverTimeMs: this.serverTimeMs }, effect)
  }

  // HTTP: every exchange is a session of its own; one at a time for a client.

  #exchange(client: SimClient, messages: readonly ClientMessage[]): void {
    const { connection } = client
    if (connection === undefined) return
    connection.toServer.push(...messages)
    this.#later(async () => {
      const sent = connection.toServer.splice(0)
      if (sent.length === 0) return
      const isLostBefore = this.#fault('loseExchange')
      const isLostAfter = this.#fault('loseExchange')
      if (isLostBefore) {
        this.breakConnection(client)
        return
      }
      const opened = sent[0].type === 'hello' ? sent : [bareHello(SPACE), ...sent]
      const answers = decodeServerExchange(
        encodeExchange(await this.#roundTrip(client, decodeClientExchange(encodeExchange(opened)))),
      )
      if (isLostAfter) this.breakConnection(client)
      for (const message of answers) if (connection.isOpen) this.input(client, { kind: 'message', message })
    }, connection)
  }

  async #roundTrip(client: SimClient, messages: readonly ClientMessage[]): Promise<ServerMessage[]> {
    const answers: ServerMessage[] = []
    let session = createServerSession({ space: SPACE, mode: 'roundTrip' })
    const inputs: ServerInput[] = messages.map((message) => ({ kind: 'message', message }))
    for (let input = inputs.shift(); input !== undefined; input = inputs.shift()) {
      const { state, effects } = stepServerSession(session, input)
      session = state
      for (const effect of effects) {
        if (effect.kind === 'send') answers.push(effect.message)
        else if (effect.kind !== 'close') inputs.unshift(await this.#answer(client, effect))
      }
    }
    return answers
  }

  /** Everything is done: no action is left, and every client is connected, caught up and has nothing to push. */
  isQuiet(): boolean {
    return (
      this.actions.every(({ connection }) => connection?.isOpen === false) &&
      this.clients.every(({ session, connection }) => {
        const { online, caughtUp, syncing } = sessionStatus(session)
        return online && caughtUp && !syncing && connection?.isOpen === true
      })
    )
  }
}
