import type { Facts } from '../subject.ts'

const IN_MEMORY = 'It is a database in memory.'
const NO_WIRE = 'It is a floor of the work on rows, not of the wire.'
const NO_MERGE = 'It merges nothing.'

export const autocommitFacts: Facts = {
  packages: ['sql.js'],
  durability: 'none',
  encryption: 'neither signed nor encrypted',
  history: 'none',
  queries: 'SQL, not live',
  sync: 'none',
  keepsOps: false,
  lacks: {
    openFile: IN_MEMORY,
    openGroup: NO_MERGE,
    cold: 'See sqljs-guarded.',
    late: NO_MERGE,
    openReader: NO_MERGE,
    openWatchable: 'Its queries are not live.',
    startServer: NO_MERGE,
    openFeed: NO_MERGE,
  },
  brief: 'a floor: SQL alone, no history',
  notes: { W2: 'in memory, one transaction' },
}

export const guardedFacts: Facts = {
  ...autocommitFacts,
  sync: 'none; a floor, whose ops of one session the harness carries as JSON',
  history: 'a clock a cell, no ops',
  lacks: {
    openFile: IN_MEMORY,
    late: 'It keeps no log to catch up from.',
    openWatchable: 'Its queries are not live.',
    startServer: NO_WIRE,
    openFeed: NO_WIRE,
  },
  brief: 'a floor: SQL guarded by a clock a cell, all in one open transaction, no history',
  notes: { W3: 'in memory; ops as JSON', W4: 'from a file of the database' },
}
