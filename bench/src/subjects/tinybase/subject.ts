import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeHistory } from '../../data/history.ts'
import type { Subject } from '../subject.ts'
import { TinyDevice } from './device.ts'
import { DurableTiny } from './durable.ts'
import { openBehind, openGroup, openReader, prepareBehind } from './exchange.ts'
import { startServer } from './server.ts'
import { WatchableTiny } from './watchable.ts'

const COLD_FILE = 'content.json'

export const tinybase: Subject = {
  openInMemory: async () => new TinyDevice(),
  openFile: async (path) => new DurableTiny(path),
  openGroup,
  cold: {
    async prepare(folder, history) {
      const device = new TinyDevice()
      await writeHistory(device, history)
      await writeFile(join(folder, COLD_FILE), device.save())
    },
    open: async (folder) => new TinyDevice(await readFile(join(folder, COLD_FILE))),
  },
  late: { prepare: prepareBehind, open: openBehind },
  openReader,
  openWatchable: async () => new WatchableTiny(),
  startServer,
}
