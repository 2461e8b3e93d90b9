import { SERVER_ALONE } from '../shared/reasons.ts'
import type { Facts } from '../subject.ts'

const IN_MEMORY = 'Its memory adapter keeps nothing, and its LevelDB adapter writes without asking for an fsync.'
const ROUND = 'in memory; its replication with a database in the same process, which shows no bytes'

export const facts: Facts = {
  packages: ['pouchdb-core', 'pouchdb-adapter-memory', 'pouchdb-replication'],
  durability: 'that of the adapter; memory adapter here',
  encryption: 'neither signed nor encrypted',
  history: 'the tree of revisions of each row, with the bodies until it is compacted',
  queries: 'by id here; Mango and map/reduce are plug-ins; a feed of changes',
  sync: 'CouchDB; of rows changed on both sides one revision is shown, the others stay as conflicts',
  keepsOps: true,
  lacks: {
    openFile: IN_MEMORY,
    cold: IN_MEMORY,
    openReader: 'It would measure what W5 does: its replication knows databases, not authors.',
    openWatchable: 'It has a feed of changes, no live queries.',
    startServer: 'Its server is CouchDB, which does not come from npm.',
    openFeed: SERVER_ALONE,
  },
  brief: 'neither signed nor encrypted; revisions of each row',
  notes: { W3: ROUND, W5: ROUND },
}
