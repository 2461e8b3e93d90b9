/**
 * The least that a server can do: passes each message to all others, keeps them all for whoever comes later, and answers
 * an empty message with an empty one, so that a device knows that what it sent before has arrived.
 */
import process from 'node:process'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
const kept: RawData[] = []
const sockets = new Set<WebSocket>()

server.on('connection', (socket) => {
  for (const message of kept) socket.send(message)
  sockets.add(socket)
  socket.on('close', () => sockets.delete(socket))
  socket.on('message', (message: Buffer) => {
    if (message.length === 0) {
      socket.send(message)
      return
    }
    kept.push(message)
    for (const other of sockets) if (other !== socket) other.send(message)
  })
})
server.on('listening', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') process.send?.(`ws://127.0.0.1:${address.port}`)
})
process.once('disconnect', () => process.exit(0))
