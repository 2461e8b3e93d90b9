import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { endOfHistory, type History, writeHistory } from '../../data/history.ts'
import type { Task } from '../../data/tasks.ts'
import type { Behind, Group, Subject } from '../subject.ts'
import { openBackend } from './backend.ts'
import { openDevice } from './device.ts'

const HISTORY_FILE = 'history.json'

const openGroup = async (size: number, tasks: readonly Task[]): Promise<Group> => {
  const hub = await openDevice()
  await hub.insertAll(tasks)
  const backend = openBackend(hub)
  const devices = await Promise.all(Array.from({ length: size }, openDevice))
  const replications = devices.map((device) => backend.connect(device))
  for (const replication of replications) {
    await replication.awaitInSync()
    await replication.pause()
  }
  const start = backend.sent.length
  return {
    devices,
    async converge() {
      // All have pushed after the first round, so all can fetch everything in the second.
      for (let round = 0; round < 2; round++) {
        for (const replication of replications) {
          if (round === 0) await replication.start()
          replication.reSync()
          await replication.awaitInSync()
        }
      }
      return backend.sent.slice(start)
    },
    async close() {
      for (const replication of replications) await replication.cancel()
      for (const device of devices) await device.close()
    },
  }
}

/** It holds no history, so the state at that time is all that there is to make. */
const openBehind = async (folder: string): Promise<Behind> => {
  const { history, behind } = JSON.parse(await readFile(join(folder, HISTORY_FILE), 'utf8')) as Prepared
  const [hub, device] = [await openDevice(), await openDevice()]
  await hub.insertAll(endOfHistory(history, history.ops - behind))
  const backend = openBackend(hub)
  const replication = backend.connect(device)
  await replication.awaitInSync()
  await writeHistory(hub, history, { from: history.ops - behind })
  const start = backend.answered.length
  return {
    device,
    travelled: () => backend.answered.slice(start),
    async catchUp() {
      replication.reSync()
      await replication.awaitInSync()
    },
    async close() {
      await replication.cancel()
      for (const one of [device, hub]) await one.close()
    },
  }
}

interface Prepared {
  readonly history: History
  readonly behind: number
}

export const rxdb: Subject = {
  openInMemory: openDevice,
  openGroup,
  late: {
    prepare: (folder, history, behind) =>
      writeFile(join(folder, HISTORY_FILE), JSON.stringify({ history, behind } satisfies Prepared)),
    open: openBehind,
  },
  openWatchable: openDevice,
}
