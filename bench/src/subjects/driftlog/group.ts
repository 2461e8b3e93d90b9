import { memoryStore } from '@driftlog/core'
import type { Task } from '../../data/tasks.ts'
import type { Group } from '../subject.ts'
import { openDevice, type ReplicaDevice } from './device.ts'
import { hubTransport } from './hub.ts'
import { SPACE } from './schema.ts'
import { batchesAbove, fillStore } from './stores.ts'

/** Everything that the tasks are made of, written by one device. */
export const makeOrigin = async (tasks: readonly Task[]) => {
  const device = await openDevice(memoryStore())
  device.insertAll(tasks)
  await device.stored()
  const batches = await batchesAbove(device.store, new Map())
  await device.close()
  return batches
}

export const openGroup = async (size: number, tasks: readonly Task[]): Promise<Group> => {
  const origin = await makeOrigin(tasks)
  const hub = memoryStore()
  await fillStore(hub, origin)
  const start = await hub.vector(SPACE)
  const devices: ReplicaDevice[] = []
  for (let count = 0; count < size; count++) {
    const store = memoryStore()
    await fillStore(store, origin)
    const device = await openDevice(store, { transport: hubTransport(hub), online: false })
    await device.count()
    devices.push(device)
  }
  return {
    devices,
    async converge() {
      for (const { replica } of devices) replica.setOnline(true)
      // All have pushed after the first round, so all can fetch everything in the second.
      for (let round = 0; round < 2; round++) await Promise.all(devices.map(({ replica }) => replica.sync()))
      return (await batchesAbove(hub, start)).map(({ bytes }) => bytes)
    },
    async close() {
      for (const device of devices) await device.close()
    },
  }
}
