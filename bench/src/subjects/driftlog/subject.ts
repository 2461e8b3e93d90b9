import { join } from 'node:path'
import { memoryStore } from '@driftlog/core'
import { sqlite } from '@driftlog/store-sqlite'
import type { Subject } from '../subject.ts'
import { openBehind, prepareBehind } from './behind.ts'
import { openDevice } from './device.ts'
import { openFeed } from './feed.ts'
import { openGroup } from './group.ts'
import { writeHistory } from './history.ts'
import { openReader } from './reader.ts'
import { startServer } from './server.ts'
import { openWatchable } from './watchable.ts'

const COLD_FILE = 'device.db'

export const driftlog: Subject = {
  openInMemory: () => openDevice(memoryStore()),
  openFile: (path) => openDevice(sqlite(path)),
  openGroup,
  cold: {
    async prepare(folder, history) {
      const device = await openDevice(sqlite(join(folder, COLD_FILE)))
      await writeHistory(device, history)
      // As an app that was used: it showed something.
      await device.count()
      await device.close()
    },
    open: (folder) => openDevice(sqlite(join(folder, COLD_FILE))),
  },
  late: { prepare: prepareBehind, open: openBehind },
  openReader,
  openWatchable,
  startServer,
  openFeed,
}
