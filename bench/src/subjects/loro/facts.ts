import { RELAY_NOTES } from '../shared/relay-notes.ts'
import { SERVER_ALONE } from '../shared/reasons.ts'
import type { Facts } from '../subject.ts'

export const facts: Facts = {
  packages: ['loro-crdt'],
  durability: 'none of its own: the app stores bytes',
  encryption: 'neither signed nor encrypted',
  history: 'every op kept',
  queries: 'none: maps by id, JSONPath, subscriptions',
  sync: 'none of its own: a relay of the harness carries its updates',
  keepsOps: true,
  lacks: {
    openFile: 'It comes without a store: the app writes its bytes.',
    openWatchable: 'It has no live queries.',
    openFeed: SERVER_ALONE,
  },
  brief: 'neither signed nor encrypted; every op kept',
  notes: {
    W3: 'in memory; one update since the common version a replica',
    W4: 'from a file of one snapshot, which it decodes when it needs to',
    W5: 'in memory; one update since the version',
    ...RELAY_NOTES,
  },
}
