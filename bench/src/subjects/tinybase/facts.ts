import { SERVER_ALONE } from '../shared/reasons.ts'
import type { Facts } from '../subject.ts'

const MEMORY = 'devices in memory; its WebSocket server, which passes messages on and keeps nothing'
const UNCONFIRMED = `${MEMORY}, and confirms nothing`

const WHOLE_STATE =
  'its persister for the SQLite of Node, WAL with synchronous=FULL (chosen by the harness); each save is the whole state as JSON'

export const facts: Facts = {
  packages: ['tinybase'],
  durability: 'persisters write the whole state; on SQLite that is one transaction, and an fsync',
  encryption: 'neither signed nor encrypted',
  history: 'the last value and its time of each cell, no ops',
  queries: 'TinyQL (no SQL), live',
  sync: 'own WebSocket server',
  keepsOps: false,
  lacks: { openFeed: SERVER_ALONE },
  brief: 'neither signed nor encrypted; the last value of each cell',
  notes: {
    'W1-durable': WHOLE_STATE,
    'W1-fsync': WHOLE_STATE,
    W3: 'in memory; its synchronizers, all with all, messages as JSON',
    W4: 'from a file of its mergeable content as JSON',
    W5: 'in memory; its synchronizers, which compare hashes, messages as JSON',
    W6: UNCONFIRMED,
    'W6-ingest': `${UNCONFIRMED}; CPU and memory are those of the devices`,
  },
}
