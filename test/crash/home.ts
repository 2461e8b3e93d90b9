/** What the processes of the crash test have in common. */
import { newSpaceKey, openReplica, type Replica, webSocket } from '@driftlog/client'
import { type BatchStore, defineSchema, f, table } from '@driftlog/core'
import { mintToken } from '@driftlog/server'

export const secret = 'a secret of at least thirty-two characters'

/** The processes are several, and the key is one. */
const key = newSpaceKey({ bytes: (length) => new Uint8Array(length).fill(5) })

export const schema = defineSchema({
  version: 1,
  tables: { marks: table({ by: f.string() }), totals: table({ count: f.counter() }) },
})

/** Follows the server on loopback. */
export const openDevice = (store: BatchStore, port: number): Promise<Replica<typeof schema>> =>
  openReplica({ schema, space: 'home', key, store, transport: webSocket(`http://127.0.0.1:${port}`, { token }) })

const token = (): Promise<string> =>
  mintToken({ secret, subject: 'crash', spaces: { home: 'writer' }, expiresInSeconds: 600, nowMs: Date.now() })

/** One op each: a row that tells it apart, and one more in the total. */
export const leaveMark = (replica: Replica<typeof schema>) =>
  replica.mutate((tx) => {
    tx.marks.insert({ by: replica.device })
    if (tx.totals.get('all') === undefined) tx.totals.insert({ id: 'all', count: 1 })
    else tx.totals.update('all', { count: f.increment(1) })
  })
