import { once } from 'node:events'
import { join } from 'node:path'
import type { LocalNode } from 'cojson'
import { createWebSocketPeer } from 'cojson-transport-ws'
import WebSocket from 'ws'
import { startChild } from '../shared/child.ts'
import type { Server } from '../subject.ts'
import { createDevice, createNode, crypto, loadDevice, type Secret } from './device.ts'

const PROCESS = new URL('./server-process.ts', import.meta.url)

const connected = async (url: string, secret: Secret): Promise<LocalNode> => {
  const node = createNode(secret)
  const websocket = new WebSocket(url)
  await once(websocket, 'open')
  node.syncManager.addPeer(createWebSocketPeer({ id: 'server', role: 'server', websocket, expectPings: false }))
  return node
}

export const startServer = async (folder: string): Promise<Server> => {
  const { announcement: url, end } = await startChild<string>(PROCESS, [join(folder, 'server.db')])
  const secret = crypto.newRandomAgentSecret()
  const origin = createDevice(await connected(url, secret))
  await origin.acknowledged()
  return {
    connect: async () => loadDevice(await connected(url, secret), origin.index.id),
    async close() {
      await origin.close()
      await end()
    },
  }
}
