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
} from '@driftlog/client'
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
import { createServer, passes } from '@driftlog/server'

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
  readonly key: InstallationKey
}

export class PruningSpace {
  readonly medium = memoryMedium()
  readonly store: BatchStore = memoryStore(this.medium)
  readonly #devices = new Set<Device>()
  readonly #server = createServer({
    store: this.store,
    auth: passes(),
    limits: { messagesPerSecond: 1e6, bytesPerSecond: 1e9 },
  })

  readonly transport: Transport = http('http://server.test', {
    fetch: async (url, init) => this.#server.app.request(url as string, init),
    pollMs: 20,
  })

  async open(key: InstallationKey, store: BatchStore, afterOps = 20): Promise<Device> {
    const { transport } = this
    const device = await openReplica({ schema, space, key, store, transport, ports, pruning: { afterOps, lagMs: 0 } })
    this.#devices.add(device)
    return device
  }

  async found(afterOps?: number): Promise<Installed> {
    const [key, store] = [newInstallationKey(), memoryStore()]
    await foundSpace({ space, store, key })
    const device = await this.open(key, store, afterOps)
    await device.sync()
    return { device, store, key }
  }

  async join(by: Installed, role: 'reader' | 'writer' = 'writer', afterOps?: number): Promise<Installed> {
    const [key, store] = [newInstallationKey(), memoryStore()]
    const invitation = await by.device.members!.invite({ role })
    await joinSpace({ space, store, transport: this.transport, key, by: { invitation } })
    return { device: await this.open(key, store, afterOps), store, key }
  }

  async reopen(installed: Installed, afterOps?: number): Promise<void> {
    await installed.device.close()
    installed.device = await this.open(installed.key, installed.store, afterOps)
  }

  async close(): Promise<void> {
    for (const device of this.#devices) await device.close().catch(() => undefined)
    this.#server.close()
  }
}

export const bytesOf = async (store: BatchStore): Promise<{ batches: number; bytes: number }> => {
  const { batches } = await store.readAfter(space, startCursor, { batches: 1e6, bytes: 1e9 })
  return { batches: batches.length, bytes: batches.reduce((sum, { batch }) => sum + batch.bytes.length, 0) }
}
