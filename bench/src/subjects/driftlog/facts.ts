import type { Facts } from '../subject.ts'

const FULL = 'SQLite, WAL with synchronous=FULL'
const NO_SOCKETS = 'through both sides of the sync protocol in one process, without sockets'

export const facts: Facts = {
  packages: [],
  durability: `fsync before a write counts as stored (${FULL})`,
  encryption: 'end-to-end encrypted and signed',
  history: 'every op kept',
  queries: 'SQL (sql.js), live',
  sync: 'own server',
  keepsOps: true,
  lacks: {},
  brief: 'end-to-end encrypted and signed; every op kept',
  notes: {
    'W1-durable': `${FULL}, group commit`,
    'W1-fsync': `${FULL}, one commit an op`,
    W3: `in memory; batches of up to 1,000 ops, ${NO_SOCKETS}`,
    W4: 'from an SQLite file of batches of 100 ops and the local snapshot that closing leaves',
    W5: `in memory; batches of 100 ops, ${NO_SOCKETS}`,
    W6: `devices in memory; the server on ${FULL}, which confirms and passes on only what is durable; WebSocket, rate limits off`,
    'W6-ingest': `devices in memory; the server on ${FULL}, group commit; WebSocket, rate limits off; CPU and memory are those of the devices`,
  },
}

export const plainFacts: Facts = {
  ...facts,
  encryption: 'neither encrypted nor signed (a hash stands for a signature)',
  brief: 'neither encrypted nor signed; every op kept',
  lacks: { startServer: 'its server checks signatures', openFeed: 'its server checks signatures' },
}
