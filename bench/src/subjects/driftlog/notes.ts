const COMMON = 'signed, not encrypted; every op kept'

/** What a figure of Driftlog includes beside the work that all subjects do. */
export const note = (workload: string): string => {
  if (workload === 'W1-durable') return `${COMMON}; SQLite, WAL with synchronous=FULL, group commit`
  if (workload === 'W1-fsync') return `${COMMON}; SQLite, WAL with synchronous=FULL, one commit an op`
  return `${COMMON}; in memory`
}
