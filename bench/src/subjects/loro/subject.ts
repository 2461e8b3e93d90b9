import { documentAbilities } from '../shared/documents.ts'
import { startRelay } from '../shared/relay.ts'
import type { Subject } from '../subject.ts'
import { ConnectedLoro } from './connected.ts'
import { LoroDevice } from './device.ts'

export const loro: Subject = {
  ...documentAbilities({ create: () => new LoroDevice(), load: (saved) => new LoroDevice(saved) }),
  startServer: () => startRelay((socket) => new ConnectedLoro(socket)),
}
