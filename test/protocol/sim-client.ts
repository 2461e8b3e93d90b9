/** A device in the world of the pump: its store, its session, and whether it may push. */
import {
  type BatchStore,
  type ClientMessage,
  type ClientSession,
  createClientSession,
  createServerSession,
  type Cursor,
  memoryStore,
  type ServerMessage,
  type ServerSession,
  type TimerName,
} from '@driftlog/core'
import { makeTestDevice, type TestBatch, type TestDevice } from '@driftlog/testkit'
import { allOf, SPACE, storeOf } from './stores.ts'

/** Two pipes, and the server's end of them. */
export class Connection {
  isOpen = true
  readonly toServer: ClientMessage[] = []
  readonly toClient: ServerMessage[] = []
  server: ServerSession = createServerSession({ space: SPACE, mode: 'live' })
  stopWatching: (() => void) | undefined
}

/** What a restored backup brings back. */
export interface Backup {
  readonly store: BatchStore
  readonly cursor: Cursor | undefined
  readonly last: TestBatch | undefined
}

export class SimClient {
  readonly device: TestDevice
  readonly #mode: 'live' | 'roundTrip'
  store: BatchStore = memoryStore()
  readonly timers = new Map<TimerName, number>()
  readonly sent: ClientMessage['type'][] = []
  session: ClientSession
  cursor: Cursor | undefined
  connection: Connection | undefined
  /** SYNC6: what the server lets it do. */
  role: 'reader' | 'writer' = 'writer'
  /** Counts its processes. */
  generation = 0
  /** The batch that the next one goes on from. */
  last: TestBatch | undefined

  constructor(index: number, mode: 'live' | 'roundTrip', device = makeTestDevice(SPACE, index)) {
    this.device = device
    this.#mode = mode
    this.session = createClientSession({ space: SPACE, mode, seed: index, held: new Map() })
  }

  async backUp(): Promise<Backup> {
    const store = await storeOf((await allOf(this.store)).map(({ batch }) => batch))
    return { store, cursor: this.cursor, last: this.last }
  }

  /** Starts anew on what a backup holds. */
  async restart({ store, cursor, last }: Backup): Promise<void> {
    const held = await store.vector(SPACE)
    this.session = createClientSession({
      space: SPACE,
      mode: this.#mode,
      seed: 1,
      held,
      ...(cursor !== undefined && { cursor }),
    })
    Object.assign(this, { store, cursor, last })
    this.timers.clear()
    this.generation++
  }
}
