import { join } from 'node:path'
import { type BatchStore, equalVectors, memoryStore } from '@driftlog/core'
import { sqlite } from '@driftlog/store-sqlite'
import type { History } from '../../data/history.ts'
import type { Behind } from '../subject.ts'
import { openDevice } from './device.ts'
import { writeHistory } from './history.ts'
import { hubTransport } from './hub.ts'
import { SPACE } from './schema.ts'
import { batchesAbove, fillStore } from './stores.ts'

/** What the author wrote, all of it; and the store of the device that lacks its end. */
const WHOLE = 'whole.db'
const BEHIND = 'behind.db'

export const prepareBehind = async (folder: string, history: History, behind: number): Promise<void> => {
  const whole = sqlite(join(folder, WHOLE))
  const author = await openDevice(whole)
  await writeHistory(author, history, 0, history.ops - behind)
  const store = sqlite(join(folder, BEHIND))
  await fillStore(store, await batchesAbove(whole, new Map()))
  await store.close()
  await writeHistory(author, history, history.ops - behind)
  await author.close()
}

/** All of it in memory: no figure of W5 rests on a disk. */
export const openBehind = async (folder: string): Promise<Behind> => {
  const [hub, store] = [memoryStore(), memoryStore()]
  for (const [file, copy] of [
    [WHOLE, hub],
    [BEHIND, store],
  ] as const) {
    const kept = sqlite(join(folder, file))
    await fillStore(copy, await batchesAbove(kept, new Map()))
    await kept.close()
  }
  return behindHub(store, hub)
}

/** A device over `store` that lacks what else the hub has. */
export const behindHub = async (store: BatchStore, hub: BatchStore): Promise<Behind> => {
  const end = await hub.vector(SPACE)
  const missing = await batchesAbove(hub, await store.vector(SPACE))
  const device = await openDevice(store, { transport: hubTransport(hub), online: false })
  return {
    device,
    travelled: () => missing.map(({ bytes }) => bytes),
    async catchUp() {
      device.replica.setOnline(true)
      await device.replica.sync()
      if (!equalVectors(device.replica.projected(), end)) throw new Error('something is still missing')
    },
    close: () => device.close(),
  }
}
