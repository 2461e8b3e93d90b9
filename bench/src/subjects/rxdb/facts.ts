import { SERVER_ALONE } from '../shared/reasons.ts'
import type { Facts } from '../subject.ts'

const IN_MEMORY =
  'Its memory storage keeps nothing; its free storage for SQLite is a trial that refuses the 501st document; the others that persist are for browsers or need a database server.'
const ROUND = 'in memory; its replication protocol against a collection in the same process, rows as JSON'

export const facts: Facts = {
  packages: ['rxdb'],
  durability: 'that of the storage; memory storage here',
  encryption: 'neither signed nor encrypted',
  history: 'the last state and a revision of each row, no ops',
  queries: 'Mango, live',
  sync: 'replication protocol against a backend of the app; of a row changed on both sides the backend wins (its default)',
  keepsOps: false,
  lacks: {
    openFile: IN_MEMORY,
    cold: IN_MEMORY,
    openReader: 'It needs a backend for each author.',
    startServer: 'It brings no server that stands for one: a backend is the work of the app.',
    openFeed: SERVER_ALONE,
  },
  brief: 'neither signed nor encrypted; the last state of each row',
  notes: { W3: ROUND, W5: ROUND },
}
