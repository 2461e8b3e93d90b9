/** `node server-process.ts <file> <port>`: a server until it is killed. Says `ready <port>`. */
import { createServer, jwt, listen } from '@driftlog/server'
import { sqlite } from '@driftlog/store-sqlite'
import { secret } from './home.ts'

const [file, port] = process.argv.slice(2)
const server = createServer({ store: sqlite(file), auth: jwt({ secret }) })
const listening = await listen(server, { port: Number(port), hostname: '127.0.0.1' })
process.stdout.write(`ready ${listening.port}\n`)
