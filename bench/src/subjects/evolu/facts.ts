import { SERVER_ALONE } from '../shared/reasons.ts'
import type { Facts } from '../subject.ts'

const FULL = 'SQLite, WAL with synchronous=FULL'
const HUB = 'its relay with SQLite in memory, in the process of the devices, without sockets'
const RELAY = `devices in memory; its relay, put together by the harness, on ${FULL}; WebSocket`

export const facts: Facts = {
  packages: ['@evolu/common', 'better-sqlite3'],
  durability: `an fsync a transaction (${FULL}, chosen by the harness)`,
  encryption: 'encrypted, not signed; encrypted when it is sent, and so not in W1, W2 and W4',
  history: 'every op kept',
  queries: 'SQL (native SQLite by a driver of the harness, which is faster than sql.js), live',
  sync: 'own relay',
  keepsOps: true,
  lacks: {
    openReader: 'Each author is a device that takes in all rows first: a thousand of them take hours to make.',
    openFeed: SERVER_ALONE,
  },
  brief: 'encrypted when sent, not signed; every op kept; native SQLite',
  notes: {
    'W1-durable': FULL,
    'W1-fsync': FULL,
    W3: `in memory; ${HUB}`,
    W4: `from an SQLite file that is both its log and its tables (${FULL})`,
    W5: `the device and ${HUB}, from files; ranges of timestamps are compared`,
    W6: RELAY,
    'W6-ingest': `${RELAY}; CPU and memory are those of the devices`,
  },
}
