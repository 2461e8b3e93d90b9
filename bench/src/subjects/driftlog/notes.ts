const COMMON = 'signed, not encrypted; every op kept'
const FULL = 'SQLite, WAL with synchronous=FULL'

const PLACES: Readonly<Record<string, string>> = {
  'W1-durable': `${FULL}, group commit`,
  'W1-fsync': `${FULL}, one commit an op`,
  W3: 'in memory; batches of up to 1,000 ops, through both sides of the sync protocol in one process, without sockets',
  W4: `from an SQLite file of batches of 100 ops; the whole log is replayed`,
  W5: 'in memory; batches of 100 ops, through both sides of the sync protocol in one process, without sockets',
  W6: `devices in memory; the server on ${FULL}, which confirms and passes on only what is durable; WebSocket, rate limits off`,
  'W6-ingest': `devices in memory; the server on ${FULL}, group commit; WebSocket, rate limits off; CPU and memory are those of the devices`,
}

/** What a figure of Driftlog includes beside the work that all subjects do. */
export const note = (workload: string): string => `${COMMON}; ${PLACES[workload] ?? 'in memory'}`
