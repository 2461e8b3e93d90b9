/** A server in this process and devices of it: no network, and the tests' own pace. */
import { http, newSpaceKey, openReplica, type Replica, type ReplicaKey } from '@driftlog/client'
import {
  type BatchStore,
  defineSchema,
  f,
  memoryMedium,
  memoryStore,
  type Ports,
  startCursor,
  systemPorts,
  table,
} from '@driftlog/core'
import { createServer, jwt, mintToken } from '@driftlog/server'

export const schema = defineSchema({
  version: 1,
  tables: { tasks: table({ title: f.string(), done: f.boolean().default(false), votes: f.counter() }) },
})

/** The key of the space `home`. */
export const key = newSpaceKey()

export type Device = Replica<typeof schema>

export const secret = 'a secret of at least thirty-two characters'

export const token = (): Promise<string> =>
  mintToken({ secret, subject: 'test', spaces: { home: 'writer' }, expiresInSeconds: 600, nowMs: Date.now() })

/** Every delay is at most a few milliseconds, in the order of the real ones. */
export const hastyPorts: Ports = {
  ...systemPorts,
  timers: {
    schedule: (delayMs, run) => systemPorts.timers.schedule(Math.min(delayMs / 200, 20), run),
  },
}

export class InProcess {
  readonly #key: ReplicaKey

  constructor(spaceKey: ReplicaKey = key) {
    this.#key = spaceKey
  }

  readonly serverMedium = memoryMedium()
  readonly serverStore: BatchStore = memoryStore(this.serverMedium)
  readonly #server = createServer({
    store: this.serverStore,
    auth: jwt({ secret }),
    limits: { messagesPerSecond: 1e6, bytesPerSecond: 1e9 },
  })
  readonly #devices: Device[] = []

  async health(): Promise<unknown> {
    return (await this.#server.app.request('/healthz')).json()
  }

  /** While set, no request gets through. */
  isCut = false

  readonly #fetch: typeof fetch = async (url, init) => {
    if (this.isCut) throw new TypeError('no network')
    return this.#server.app.request(url as string, init)
  }

  async open(store: BatchStore = memoryStore(), ports: Ports = systemPorts): Promise<Device> {
    const transport = http('http://server.test', { token, fetch: this.#fetch, pollMs: 20 })
    const device = await openReplica({ schema, space: 'home', key: this.#key, store, transport, ports })
    this.#devices.push(device)
    return device
  }

  /** What a backup of a disk has, on a disk of its own. */
  async copyOf(store: BatchStore): Promise<BatchStore> {
    const copy = memoryStore()
    const { batches } = await store.readAfter('home', startCursor, { batches: 1e6, bytes: 1e9 })
    const records = await store.records('home', '')
    await copy.append(
      'home',
      batches.map(({ batch }) => batch),
      { records },
    )
    return copy
  }

  async close(): Promise<void> {
    for (const device of this.#devices.splice(0)) await device.close().catch(() => undefined)
  }
}
