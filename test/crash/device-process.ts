/**
 * `node device-process.ts <file> <port>`: a device that writes until it is killed. Says `ready <device>`, then
 * `stored <seq>` and `acknowledged <seq>` for each of its ops as its receipts do.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { sqlite } from '@driftlog/store-sqlite'
import { leaveMark, openDevice } from './home.ts'

/** Bounds the work of one life, should nobody kill it. */
const MAX_OPS = 5_000
const MAX_UNACKNOWLEDGED = 200

const [file, port] = process.argv.slice(2)
const replica = await openDevice(sqlite(file), Number(port))
const say = (line: string): void => void process.stdout.write(`${line}\n`)
say(`ready ${replica.device}`)

for (let op = 1; op <= MAX_OPS; op++) {
  while (replica.status.pending > MAX_UNACKNOWLEDGED || replica.status.readOnly) await pause(5)
  const { dot, stored, acknowledged } = leaveMark(replica)
  void stored.then(() => say(`stored ${dot?.seq}`))
  void acknowledged.then(() => say(`acknowledged ${dot?.seq}`))
  // Some ops share an append, some have one of their own.
  if (op % 3 === 0) await pause(op % 7)
}
await pause(60_000)
