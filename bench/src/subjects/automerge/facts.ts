import { SERVER_ALONE } from '../shared/reasons.ts'
import type { Facts } from '../subject.ts'

const MEMORY = 'devices and automerge-repo server in memory, which confirms nothing; WebSocket'

export const facts: Facts = {
  packages: ['@automerge/automerge', '@automerge/automerge-repo', '@automerge/automerge-repo-network-websocket'],
  durability: 'none of its own: the app, or a storage adapter, stores bytes',
  encryption: 'hashed, neither signed nor encrypted',
  history: 'every op kept',
  queries: 'none: objects by key, change callbacks',
  sync: 'automerge-repo',
  keepsOps: true,
  lacks: {
    openFile: 'Its storage adapter for files writes without an fsync.',
    openWatchable: 'It has no queries.',
    openFeed: SERVER_ALONE,
  },
  brief: 'hashed, neither signed nor encrypted; every op kept',
  notes: {
    W3: 'in memory; all changes since the common heads a replica',
    W4: 'from a file of one saved document',
    W5: 'in memory; all changes since the heads',
    W6: MEMORY,
    'W6-ingest': `${MEMORY}; CPU and memory are those of the devices`,
  },
}
