import process from 'node:process'
import { Repo } from '@automerge/automerge-repo'
import { WebSocketServerAdapter } from '@automerge/automerge-repo-network-websocket'
import { WebSocketServer } from 'ws'
import type { Doc } from './rows.ts'

export interface Announcement {
  readonly url: string
  readonly document: string
}

const sockets = new WebSocketServer({ host: '127.0.0.1', port: 0 })
// The types of the adapter were made with another version of those of ws.
const repo = new Repo({ network: [new WebSocketServerAdapter(sockets as never)] })
const handle = repo.create<Doc>({ tasks: {} })
const announce = (): void => {
  const address = sockets.address()
  if (address === null || typeof address !== 'object') return
  process.send?.({ url: `ws://127.0.0.1:${address.port}`, document: handle.url } satisfies Announcement)
}
if (sockets.address() === null) sockets.on('listening', announce)
else announce()
process.once('disconnect', () => process.exit(0))
