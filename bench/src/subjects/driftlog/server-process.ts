/** A real server over SQLite in a process of its own. It ends when its parent says so, or is gone. */
import process from 'node:process'
import { createServer, jwt, listen, mintToken } from '@driftlog/server'
import { sqlite } from '@driftlog/store-sqlite'
import { SPACE } from './schema.ts'

const SECRET = 'a secret of the benchmark alone, known to all'
const HOUR_SECONDS = 3600
/** The rates that a server grants a connection by default would be what is measured. */
const UNLIMITED = { messagesPerSecond: 1e9, bytesPerSecond: 1e12 }

export interface Announcement {
  readonly url: string
  readonly token: string
}

const serve = async (path: string): Promise<void> => {
  const store = sqlite(path)
  const server = createServer({ store, auth: jwt({ secret: SECRET }), limits: UNLIMITED })
  const listening = await listen(server, { port: 0 })
  const token = await mintToken({
    secret: SECRET,
    subject: 'bench',
    spaces: { [SPACE]: 'writer' },
    expiresInSeconds: HOUR_SECONDS,
    nowMs: Date.now(),
  })
  process.once('disconnect', () => {
    void listening
      .close()
      .then(() => store.close())
      .finally(() => process.exit(0))
  })
  process.send?.({ url: listening.url, token } satisfies Announcement)
}

await serve(process.argv[2])
