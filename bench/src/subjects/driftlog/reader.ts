import { memoryStore } from '@driftlog/core'
import type { Task, Update } from '../../data/tasks.ts'
import type { Behind } from '../subject.ts'
import { behindHub } from './behind.ts'
import { openDevice } from './device.ts'
import { makeOrigin } from './group.ts'
import { SPACE } from './schema.ts'
import { batchesAbove, fillStore } from './stores.ts'

export const openReader = async (tasks: readonly Task[], authors: readonly (readonly Update[])[]): Promise<Behind> => {
  const origin = await makeOrigin(tasks)
  const [hub, own] = [memoryStore(), memoryStore()]
  for (const store of [hub, own]) await fillStore(store, origin)
  const start = await own.vector(SPACE)
  for (const updates of authors) {
    const store = memoryStore()
    await fillStore(store, origin)
    const device = await openDevice(store)
    for (const { id, change } of updates) device.update(id, change)
    await device.stored()
    await fillStore(hub, await batchesAbove(store, start))
    await device.close()
  }
  return behindHub(own, hub)
}
