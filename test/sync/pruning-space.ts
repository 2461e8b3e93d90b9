/** A space that prunes, with a server in this process: its installations, what they write, and how far pruning has come. */
import {
  foundSpace,
  http,
  type InstallationKey,
  joinSpace,
  newInstallationKey,
  openReplica,
  type Replica,
  type Transport,
  webSocket,
} from '@driftlog/client'
import {
  type BatchStore,
  ByteReader,
  decodeStanding,
  defineSchema,
  DriftlogError,
  f,
  fromBase64Url,
  installationSecrets,
  type MemberSecrets,
  Membership,
  type MemoryMedium,
  memoryMedium,
  memoryStore,
  Pruning,
  type Ports,
  startCursor,
  systemPorts,
  table,
} from '@driftlog/core'
import { createServer, listen, passes } from '@driftlog/server'

export const schema = defineSchema({
  version: 1,
  tables: {
    tasks: table({
      title: f.string(),
      done: f.boolean().default(false),
      votes: f.counter(),
      tags: f.set(f.string()),
      steps: f.list(f.string()),
    }),
  },
})
export type Device = Replica<typeof schema>

export const space = 'team'

/** What is waited for on purpose takes no time; how long an answer may take stays as it is. */
export const ports: Ports = {
  ...systemPorts,
  timers: {
    schedule: (delayMs, run) => systemPorts.timers.schedule(delayMs <= 6_000 ? delayMs / 50 : delayMs, run),
  },
}

export interface Installed {
  device: Device
  readonly store: BatchStore
  readonly medium: MemoryMedium
  readonly key: InstallationKey
}

const SECRET_CHECK_BYTES = 4

export const keysOf = ({ key }: Pick<Installed, 'key'>): MemberSecrets =>
  installationSecrets(fromBase64Url(key.slice(key.indexOf('-') + 1)).slice(SECRET_CHECK_BYTES))

export const publicKeyOf = (installed: Pick<Installed, 'key'>): Uint8Array => keysOf(installed).signing.publicKey

/** Stores that fail from their n-th write on, as where a process is killed before it, until they go on. */
export interface Stopping {
  readonly hasStopped: boolean
  /** For a while nothing was written. */
  readonly isQuiet: boolean
  around(store: BatchStore): BatchStore
  goOn(): void
}

const QUIET_MS = 1_500

export const stoppingAt = (at: number): Stopping => {
  let writes = 0
  let isOver = false
  let lastMs = Date.now()
  const write = <T>(run: () => Promise<T>): Promise<T> => {
    lastMs = Date.now()
    if (!isOver && ++writes >= at) return Promise.reject(new DriftlogError('STORAGE_FAILED', 'stopped'))
    return run()
  }
  return {
    get hasStopped() {
      return writes >= at
    },
    get isQuiet() {
      return Date.now() - lastMs > QUIET_MS
    },
    around: (store) =>
      new Proxy(store, {
        get: (target, name) => {
          const value: unknown = Reflect.get(target, name)
          if (typeof value !== 'function') return value
          const call = value.bind(target) as (...args: unknown[]) => Promise<unknown>
          const isWrite = name === 'append' || name === 'prune' || name === 'plant'
          return isWrite ? (...args: unknown[]) => write(() => call(...args)) : call
        },
      }),
    goOn: () => {
      isOver = true
    },
  }
}

export class PruningSpace {
  readonly medium = memoryMedium()
  readonly store: BatchStore = memoryStore(this.medium)
  /** Of the devices that are opened from now on. */
  ports = ports
  /** What the server's store does at its writes. */
  failing: Stopping | undefined
  readonly #devices = new Set<Device>()
  readonly #server = createServer({
    store: new Proxy(this.store, {
      get: (target, name) => {
        const store = this.failing?.around(target) ?? target
        const value: unknown = Reflect.get(store, name)
        return typeof value === 'function' ? value.bind(store) : value
      },
    }),
    auth: passes(),
    limits: { messagesPerSecond: 1e6, bytesPerSecond: 1e9 },
  })

  /** Instead of round trips. */
  async listen(): Promise<void> {
    this.#listening = await listen(this.#server, { port: 0, hostname: '127.0.0.1' })
    this.transport = webSocket(this.#listening.url)
  }

  #listening: Awaited<ReturnType<typeof listen>> | undefined

  transport: Transport = http('http://server.test', {
    fetch: async (url, init) => this.#server.app.request(url as string, init),
    pollMs: 20,
  })

  async open(
    key: InstallationKey,
    store: BatchStore,
    afterOps = 20,
    transport: Transport | 'none' = this.transport,
  ): Promise<Device> {
    const way = transport === 'none' ? {} : { transport }
    const device = await openReplica({
      schema,
      space,
      key,
      store,
      ...way,
      ports: this.ports,
      pruning: { afterOps, lagMs: 0 },
    })
    this.#devices.add(device)
    return device
  }

  async found(afterOps?: number): Promise<Installed> {
    const [key, medium] = [newInstallationKey(), memoryMedium()]
    const store = memoryStore(medium)
    await foundSpace({ space, store, key })
    const device = await this.open(key, store, afterOps)
    await device.sync()
    return { device, store, medium, key }
  }

  async join(by: Installed, role: 'reader' | 'writer' = 'writer', afterOps?: number): Promise<Installed> {
    const [key, medium] = [newInstallationKey(), memoryMedium()]
    const store = memoryStore(medium)
    const invitation = await by.device.members!.invite({ role })
    await joinSpace({ space, store, transport: this.transport, key, by: { invitation } })
    return { device: await this.open(key, store, afterOps), store, medium, key }
  }

  async reopen(installed: Installed, afterOps?: number): Promise<void> {
    await installed.device.close()
    installed.device = await this.open(installed.key, installed.store, afterOps)
  }

  /** What counts at the server. */
  async standing(): Promise<Pruning> {
    const membership = new Membership(space)
    for (const { value } of await this.store.records(space, 'member/')) membership.append(value, true)
    const [record] = await this.store.records(space, 'pruning/standing')
    if (record === undefined) return new Pruning(membership)
    const reader = new ByteReader(record.value)
    reader.varint()
    reader.varint()
    return Pruning.of(membership, decodeStanding(reader.raw(reader.remaining)))
  }

  async close(): Promise<void> {
    for (const device of this.#devices) await device.close().catch(() => undefined)
    await this.#listening?.close()
    this.#server.close()
  }
}

export const bytesOf = async (store: BatchStore): Promise<{ batches: number; bytes: number }> => {
  const { batches } = await store.readAfter(space, startCursor, { batches: 1e6, bytes: 1e9 })
  return { batches: batches.length, bytes: batches.reduce((sum, { batch }) => sum + batch.bytes.length, 0) }
}
