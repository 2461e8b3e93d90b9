import { join } from 'node:path'
import { memoryStore } from '@driftlog/core'
import { sqlite } from '@driftlog/store-sqlite'
import type { Subject } from '../subject.ts'
import { openBehind, prepareBehind } from './behind.ts'
import { openDevice } from './device.ts'
import { openGroup } from './group.ts'
import { writeHistory } from './history.ts'
import { note } from './notes.ts'
import { startServer } from './server.ts'

const COLD_FILE = 'device.db'

export const driftlog: Subject = {
  name: 'driftlog',
  note,
  openInMemory: () => openDevice(memoryStore()),
  openFile: (path) => openDevice(sqlite(path)),
  async prepareCold(folder, history) {
    const device = await openDevice(sqlite(join(folder, COLD_FILE)))
    await writeHistory(device, history)
    await device.close()
  },
  openCold: (folder) => openDevice(sqlite(join(folder, COLD_FILE))),
  openGroup,
  prepareBehind,
  openBehind,
  startServer,
}
