/** Stores that meet: several with edits of their own, and one that lacks what another has. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type History, writeHistory } from '../../data/history.ts'
import type { Task, Update } from '../../data/tasks.ts'
import type { Behind, Group } from '../subject.ts'
import { ALONE_SECONDS, createBus } from './bus.ts'
import { TinyDevice } from './device.ts'

const WHOLE = 'whole.json'
const BEHIND = 'behind.json'

const makeOrigin = (tasks: readonly Task[]): Uint8Array => {
  const device = new TinyDevice()
  device.insertAll(tasks)
  return device.save()
}

export const openGroup = async (size: number, tasks: readonly Task[]): Promise<Group> => {
  const origin = makeOrigin(tasks)
  const devices = Array.from({ length: size }, () => new TinyDevice(origin))
  const bus = createBus()
  const synchronizers = devices.map(({ store }) => bus.join(store))
  return {
    devices,
    async converge() {
      await Promise.all(synchronizers.map((synchronizer) => synchronizer.startSync()))
      await bus.quiet()
      return bus.sent
    },
    async close() {
      for (const synchronizer of synchronizers) await synchronizer.destroy()
    },
  }
}

export const prepareBehind = async (folder: string, history: History, behind: number): Promise<void> => {
  const device = new TinyDevice()
  await writeHistory(device, history, { to: history.ops - behind })
  await writeFile(join(folder, BEHIND), device.save())
  await writeHistory(device, history, { from: history.ops - behind })
  await writeFile(join(folder, WHOLE), device.save())
}

export const openBehind = async (folder: string): Promise<Behind> =>
  behindOf(new TinyDevice(await readFile(join(folder, BEHIND))), new TinyDevice(await readFile(join(folder, WHOLE))))

export const openReader = async (tasks: readonly Task[], authors: readonly (readonly Update[])[]): Promise<Behind> => {
  const origin = makeOrigin(tasks)
  const whole = new TinyDevice(origin)
  for (const updates of authors) {
    const author = new TinyDevice(origin)
    for (const { id, change } of updates) author.update(id, change)
    whole.store.applyMergeableChanges(author.store.getMergeableContent())
  }
  return behindOf(new TinyDevice(origin), whole)
}

const behindOf = async (device: TinyDevice, whole: TinyDevice): Promise<Behind> => {
  const bus = createBus()
  const other = bus.join(whole.store, ALONE_SECONDS)
  await other.startSync()
  const start = bus.sent.length
  const own = bus.join(device.store)
  return {
    device,
    travelled: () => bus.sent.slice(start),
    async catchUp() {
      await own.startSync()
      await bus.quiet()
    },
    async close() {
      for (const synchronizer of [own, other]) await synchronizer.destroy()
    },
  }
}
