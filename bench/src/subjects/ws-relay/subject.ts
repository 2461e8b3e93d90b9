import { startRelay } from '../shared/relay.ts'
import type { Subject } from '../subject.ts'
import { PlainDevice } from './device.ts'

export const wsRelay: Subject = { startServer: () => startRelay((socket) => new PlainDevice(socket)) }
