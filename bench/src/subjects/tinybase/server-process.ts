import process from 'node:process'
import { createWsServer } from 'tinybase/synchronizers/synchronizer-ws-server'
import { WebSocketServer } from 'ws'

const sockets = new WebSocketServer({ host: '127.0.0.1', port: 0 })
createWsServer(sockets)
sockets.on('listening', () => {
  const address = sockets.address()
  if (address !== null && typeof address === 'object') process.send?.(`ws://127.0.0.1:${address.port}/tasks`)
})
process.once('disconnect', () => process.exit(0))
