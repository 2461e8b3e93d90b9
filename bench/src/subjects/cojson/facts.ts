import { SERVER_ALONE } from '../shared/reasons.ts'
import type { Facts } from '../subject.ts'

const FULL = 'SQLite, WAL with synchronous=FULL (chosen by the harness)'
const HUB = 'a node that stands for its server, in the process of the devices, messages as JSON, without sockets'
const SERVER = `devices in memory; the server is a node of it with its storage on ${FULL}; WebSocket`

export const facts: Facts = {
  packages: ['cojson', 'cojson-transport-ws', 'better-sqlite3'],
  durability: `that of the storage: ${FULL}, several commits an op`,
  encryption: 'signed and encrypted',
  history: 'every op kept',
  queries: 'none: values by id, subscriptions',
  sync: 'own protocol and server',
  keepsOps: true,
  lacks: {
    openReader: 'Each author is a node that loads all rows first: a thousand of them take hours to make.',
    openWatchable: 'It has no queries.',
    openFeed: SERVER_ALONE,
  },
  brief: 'signed and encrypted; every op kept',
  notes: {
    'W1-insert': 'in memory; a value of its own for each row, in a map of ids',
    'W1-durable': FULL,
    'W1-fsync': FULL,
    W2: 'in memory; a value of its own for each row, which it makes one by one',
    W3: `in memory; ${HUB}`,
    W4: 'from an SQLite file of its storage; every row is loaded',
    W5: `${HUB}; both sides from files of their storage`,
    W6: SERVER,
    'W6-ingest': `${SERVER}; CPU and memory are those of the devices`,
  },
}
