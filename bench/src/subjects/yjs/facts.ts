import { SERVER_ALONE } from '../shared/reasons.ts'
import type { Facts } from '../subject.ts'

export const facts: Facts = {
  packages: ['yjs', '@hocuspocus/server', '@hocuspocus/provider'],
  durability: 'none of its own: the app stores bytes',
  encryption: 'neither signed nor encrypted',
  history: 'the id of every write; overwritten values are collected (its default)',
  queries: 'none: maps by id, observers',
  sync: 'Hocuspocus',
  keepsOps: true,
  lacks: {
    openFile: 'Its stores for Node are y-leveldb, which writes without asking for an fsync, and those of a server.',
    openWatchable: 'It has no queries.',
    openFeed: SERVER_ALONE,
  },
  brief: 'neither signed nor encrypted; overwritten values are collected',
  notes: {
    W3: 'in memory; one update since the common state vector a replica',
    W4: 'from a file of one update',
    W5: 'in memory; one update since the state vector',
    W6: 'devices and Hocuspocus in memory, no extension that stores; WebSocket',
    'W6-ingest':
      'devices and Hocuspocus in memory, no extension that stores; WebSocket; CPU and memory are those of the devices',
  },
}
