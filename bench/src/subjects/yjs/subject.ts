import { documentAbilities } from '../shared/documents.ts'
import type { Subject } from '../subject.ts'
import { YjsDevice } from './device.ts'
import { startServer } from './server.ts'

export const yjs: Subject = {
  ...documentAbilities({ create: () => new YjsDevice(), load: (saved) => new YjsDevice(saved) }),
  startServer,
}
