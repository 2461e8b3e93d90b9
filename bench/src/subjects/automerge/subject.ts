import { documentAbilities } from '../shared/documents.ts'
import type { Subject } from '../subject.ts'
import { AutomergeDevice } from './device.ts'
import { startServer } from './server.ts'

export const automerge: Subject = {
  ...documentAbilities({ create: () => new AutomergeDevice(), load: (saved) => new AutomergeDevice(saved) }),
  startServer,
}
