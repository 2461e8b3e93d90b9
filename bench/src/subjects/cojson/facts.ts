import { SERVER_ALONE } from '../shared/reasons.ts'
import type { Facts } from '../subject.ts'

const NOT_YET = 'Its exchange between nodes is not measured yet.'

export const facts: Facts = {
  packages: ['cojson'],
  durability: 'that of the storage; none here',
  encryption: 'signed and encrypted',
  history: 'every op kept',
  queries: 'none: values by id, subscriptions',
  sync: 'own protocol and server; not measured yet',
  keepsOps: true,
  lacks: {
    openFile: 'Its storages promise no fsync.',
    openGroup: NOT_YET,
    cold: 'It starts from a storage, which is not measured yet.',
    late: NOT_YET,
    openReader: NOT_YET,
    openWatchable: 'It has no queries.',
    startServer: NOT_YET,
    openFeed: SERVER_ALONE,
  },
  brief: 'signed and encrypted; every op kept',
  notes: {
    'W1-insert': 'in memory; a value of its own for each row, in a map of ids',
    W2: 'in memory; a value of its own for each row, which it makes one by one',
  },
}
