import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type History, writeHistory } from '../../data/history.ts'
import type { Task } from '../../data/tasks.ts'
import type { Behind, Group, Subject } from '../subject.ts'
import { PouchDevice } from './device.ts'

const HISTORY_FILE = 'history.json'

const openGroup = async (size: number, tasks: readonly Task[]): Promise<Group> => {
  const hub = new PouchDevice()
  await hub.insertAll(tasks)
  const devices = Array.from({ length: size }, () => new PouchDevice())
  for (const { database } of devices) await database.replicate.from(hub.database)
  return {
    devices,
    async converge() {
      for (const { database } of devices) await database.replicate.to(hub.database)
      for (const { database } of devices) await database.replicate.from(hub.database)
      return undefined
    },
    async close() {
      for (const device of [hub, ...devices]) await device.close()
    },
  }
}

const openBehind = async (folder: string): Promise<Behind> => {
  const { history, behind } = JSON.parse(await readFile(join(folder, HISTORY_FILE), 'utf8')) as Prepared
  const [whole, device] = [new PouchDevice(), new PouchDevice()]
  await writeHistory(whole, history, { to: history.ops - behind })
  await device.database.replicate.from(whole.database)
  await writeHistory(whole, history, { from: history.ops - behind })
  return {
    device,
    travelled: () => undefined,
    async catchUp() {
      await device.database.replicate.from(whole.database)
    },
    async close() {
      for (const one of [device, whole]) await one.close()
    },
  }
}

interface Prepared {
  readonly history: History
  readonly behind: number
}

export const pouchdb: Subject = {
  openInMemory: async () => new PouchDevice(),
  openGroup,
  late: {
    prepare: (folder, history, behind) =>
      writeFile(join(folder, HISTORY_FILE), JSON.stringify({ history, behind } satisfies Prepared)),
    open: openBehind,
  },
}
