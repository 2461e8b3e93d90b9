import type { Subject } from '../subject.ts'
import { openBehind, openCold, openFile, openGroup, openLoneDevice, prepareBehind, prepareCold } from './exchange.ts'
import { startServer } from './server.ts'

/** The core of Jazz. */
export const cojson: Subject = {
  openInMemory: openLoneDevice,
  openFile,
  openGroup,
  cold: { prepare: prepareCold, open: openCold },
  late: { prepare: prepareBehind, open: openBehind },
  startServer,
}
