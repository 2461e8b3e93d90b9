import process from 'node:process'
import { WebSocketServer } from 'ws'
import { openRelay, type Send } from './relay.ts'

const relay = await openRelay({ path: process.argv[2] })
const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
server.on('connection', (socket) => {
  const send: Send = (message) => socket.send(message)
  socket.on('message', (message: Buffer) => void relay.take(new Uint8Array(message), send))
  socket.on('close', () => relay.leave(send))
})
server.on('listening', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') process.send?.(`ws://127.0.0.1:${address.port}`)
})
process.once('disconnect', () => process.exit(0))
