import { join } from 'node:path'
import { startChild } from '../shared/child.ts'
import type { Server, Subject } from '../subject.ts'
import { openDevice } from './device.ts'
import { openBehind, openGroup, openLoneDevice, prepareBehind, writeInGroups } from './exchange.ts'

const COLD_FILE = 'device.db'
const PROCESS = new URL('./relay-process.ts', import.meta.url)

const startServer = async (folder: string): Promise<Server> => {
  const { announcement: url, end } = await startChild<string>(PROCESS, [join(folder, 'relay.db')])
  return {
    async connect() {
      const device = await openDevice()
      device.join(url)
      return device
    },
    close: end,
  }
}

export const evolu: Subject = {
  openInMemory: openLoneDevice,
  openFile: (path) => openDevice({ path }),
  openGroup,
  cold: {
    async prepare(folder, history) {
      const device = await openDevice({ path: join(folder, COLD_FILE) })
      await writeInGroups(device, history)
      await device.close()
    },
    open: (folder) => openDevice({ path: join(folder, COLD_FILE) }),
  },
  late: { prepare: prepareBehind, open: openBehind },
  openWatchable: () => openDevice(),
  startServer,
}
