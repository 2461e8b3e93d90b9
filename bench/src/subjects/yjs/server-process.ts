import process from 'node:process'
import { Server } from '@hocuspocus/server'

const server = new Server({ address: '127.0.0.1', port: 0, quiet: true, stopOnSignals: false })
await server.listen(0)
process.once('disconnect', () => process.exit(0))
process.send?.(`ws://127.0.0.1:${server.address.port}`)
