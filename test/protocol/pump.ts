/**
 * The two session machines in a world made of memory: stores, pipes and timers whose every step is picked by `choose`,
 * so that a schedule replays from its numbers. Both machines, both frame codecs and the memory store are the production
 * code; only the drivers are short ones of their own.
 */
import {
  type Batch,
  type BatchStore,
  bareHello,
  type ClientEffect,
  type ClientInput,
  type ClientMessage,
  type ClientSession,
  createClientSession,
  createServerSession,
  type Cursor,
  decodeClientExchange,
  decodeClientFrame,
  decodeServerExchange,
  decodeServerFrame,
  DriftlogError,
  encodeExchange,
  encodeFrame,
  memoryStore,
  type RefusedDevice,
  type ServerEffect,
  type ServerInput,
  type ServerMessage,
  type ServerSession,
  sessionStatus,
  startCursor,
  stepClientSession,
  stepServerSession,
  type TimerName,
  type Tip,
} from '@driftlog/core'
import { makeTestHistory, makeTestDevice, type TestBatch, type TestDevice } from '@driftlog/testkit'

export const SPACE = 'home'
const SERVER_TIME = Date.UTC(2026, 5, 1)
const everything = { batches: 1_000_000, bytes: Number.MAX_SAFE_INTEGER }

/** Picks a whole number in [0, below). */
export type Choose = (below: number) => number

interface Action {
  /** Gone with its connection, where it belongs to one. */
  readonly connection?: Connection
  run(): Promise<void>
}

class Connection {
  isOpen = true
  readonly toServer: ClientMessage[] = []
  readonly toClient: ServerMessage[] = []
  server: ServerSession = createServerSession({ space: SPACE, mode: 'live' })
  stopWatching: (() => void) | undefined
}

export class SimClient {
  readonly device: TestDevice
  readonly store: BatchStore = memoryStore()
  readonly timers = new Map<TimerName, number>()
  readonly sent: ClientMessage['type'][] = []
  session: ClientSession
  cursor: Cursor | undefined
  connection: Connection | undefined
  last: TestBatch | undefined
  written = 0

  constructor(index: number, mode: 'live' | 'roundTrip') {
    this.device = makeTestDevice(SPACE, index)
    this.session = createClientSession({ space: SPACE, mode, seed: index, held: new Map() })
  }
}

export class World {
  readonly choose: Choose
  readonly clients: SimClient[]
  server: BatchStore = memoryStore()
  readonly actions: Action[] = []
  nowMs = 0
  steps = 0
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
      case 'readOutbox':
        this.#later(async () => {
          const page = await client.store.readAbove(SPACE, effect.above, effect.limit)
          const batches = page.batches.map(({ batch }) => batch)
          this.input(client, { kind: 'outboxRead', request: effect.request, batches, more: page.more })
        })
        break
      case 'ingest':
        this.#later(() => this.#ingest(client, effect))
        break
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

  async #ingest(client: SimClient, { request, batches, cursor }: ClientEffect & { kind: 'ingest' }): Promise<void> {
    if (this.#fault('clientStore')) {
      this.input(client, { kind: 'storeFailed', request, code: 'STORAGE_FULL', message: 'full' })
      return
    }
    const outcomes = await client.store.append(SPACE, batches)
    const refused = batches.flatMap(({ header: { device } }, index): RefusedDevice[] => {
      const outcome = outcomes[index]
      if (outcome.kind === 'gap') return [{ device, code: 'GAP', details: { have: outcome.have } }]
      return outcome.kind === 'fork' ? [{ device, code: 'FORK', details: { have: outcome.have } }] : []
    })
    if (!refused.some(({ code }) => code === 'GAP')) client.cursor = cursor
    this.input(client, { kind: 'stored', request, held: await client.store.vector(SPACE), refused })
  }

  /** Writes ops at a client, as durable as everything there. */
  async write(client: SimClient, lengths: readonly number[]): Promise<void> {
    const batches = makeTestHistory(client.device, lengths, client.last, client.written++)
    client.last = batches.at(-1)
    await client.store.append(SPACE, batches)
    this.input(client, { kind: 'localAppended', held: await client.store.vector(SPACE) })
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
    const page = await this.server.readAfter(SPACE, startCursor, everything)
    const older = memoryStore()
    await older.append(
      SPACE,
      page.batches.slice(0, kept).map(({ batch }) => batch),
    )
    this.server = older
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
          this.#later(async () => this.#serve(client, connection, await this.#answer(effect)), connection)
      }
    }
  }

  async #answer(effect: ServerEffect): Promise<ServerInput> {
    const store = this.server
    if (effect.kind !== 'authorize' && this.#fault('serverStore'))
      return { kind: 'storeFailed', code: 'STORAGE_FAILED' }
    try {
      switch (effect.kind) {
        case 'authorize':
          return { kind: 'authorized', role: 'writer', serverTimeMs: this.serverTimeMs }
        case 'look': {
          const end = await store.end(SPACE)
          const vector = await store.vector(SPACE)
          return { kind: 'looked', end, vector, cursorValid: await isValid(store, effect.cursor) }
        }
        case 'readTips': {
          const tips = new Map<Batch['header']['device'], Tip>()
          for (const device of effect.devices) {
            const tip = await store.tip(SPACE, device)
            if (tip !== undefined) tips.set(device, tip)
          }
          return { kind: 'tipsRead', tips }
        }
        case 'append':
          return { kind: 'appended', outcomes: await store.append(SPACE, effect.batches) }
        case 'readAbove':
          return { kind: 'pageRead', page: await store.readAbove(SPACE, effect.vector, smaller(effect.limit)) }
        case 'readAfter':
          return { kind: 'pageRead', page: await store.readAfter(SPACE, effect.cursor, smaller(effect.limit)) }
        case 'watch':
        case 'send':
        case 'close':
          throw new Error('no question')
      }
    } catch (error) {
      if (error instanceof DriftlogError) return { kind: 'storeFailed', code: error.code }
      throw error
    }
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
        encodeExchange(await this.#roundTrip(decodeClientExchange(encodeExchange(opened)))),
      )
      if (isLostAfter) this.breakConnection(client)
      for (const message of answers) if (connection.isOpen) this.input(client, { kind: 'message', message })
    }, connection)
  }

  async #roundTrip(messages: readonly ClientMessage[]): Promise<ServerMessage[]> {
    const answers: ServerMessage[] = []
    let session = createServerSession({ space: SPACE, mode: 'roundTrip' })
    const inputs: ServerInput[] = messages.map((message) => ({ kind: 'message', message }))
    for (let input = inputs.shift(); input !== undefined; input = inputs.shift()) {
      const { state, effects } = stepServerSession(session, input)
      session = state
      for (const effect of effects) {
        if (effect.kind === 'send') answers.push(effect.message)
        else if (effect.kind !== 'close') inputs.unshift(await this.#answer(effect))
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

// Small pages, so that short histories have many.
const smaller = ({ bytes }: { readonly bytes: number }): { batches: number; bytes: number } => ({ batches: 3, bytes })

const isValid = async (store: BatchStore, cursor: Cursor | undefined): Promise<boolean> => {
  if (cursor === undefined) return false
  try {
    await store.readAfter(SPACE, cursor, { batches: 1, bytes: 1 })
    return true
  } catch {
    return false
  }
}

/** What a store holds: for each device its batches, in order of seq. */
export const contents = async (store: BatchStore): Promise<Map<string, string[]>> => {
  const { batches } = await store.readAfter(SPACE, startCursor, everything)
  const all = new Map<string, string[]>()
  for (const { batch } of batches) {
    const { device, fromSeq, toSeq, tagAfter } = batch.header
    all.set(device, [...(all.get(device) ?? []), `${fromSeq}-${toSeq} ${tagAfter.join('.')}`])
  }
  return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)))
}
