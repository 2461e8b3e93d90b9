import process from 'node:process'
import { createWebSocketPeer } from 'cojson-transport-ws'
import { WebSocketServer } from 'ws'
import { createNode } from './device.ts'
import { openStorage } from './storage.ts'

const node = createNode()
node.setStorage(openStorage(process.argv[2]))
const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
let peers = 0
server.on('connection', (websocket) => {
  const id = `device-${peers++}`
  node.syncManager.addPeer(createWebSocketPeer({ id, role: 'client', websocket, expectPings: false }))
})
server.on('listening', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') process.send?.(`ws://127.0.0.1:${address.port}`)
})
process.once('disconnect', () => process.exit(0))
