import { RELAY_NOTES } from '../shared/relay-notes.ts'
import { SERVER_ALONE } from '../shared/reasons.ts'
import type { Facts } from '../subject.ts'

const NO_DATA = 'It is the wire alone.'

export const facts: Facts = {
  packages: ['ws'],
  durability: 'none',
  encryption: 'neither signed nor encrypted',
  history: 'none',
  queries: 'none',
  sync: 'a relay of the harness; a floor, which merges nothing',
  keepsOps: false,
  lacks: {
    openInMemory: NO_DATA,
    openFile: NO_DATA,
    openGroup: NO_DATA,
    cold: NO_DATA,
    late: NO_DATA,
    openReader: NO_DATA,
    openWatchable: NO_DATA,
    openFeed: SERVER_ALONE,
  },
  brief: 'a floor: JSON over a WebSocket, nothing merged',
  notes: RELAY_NOTES,
}
