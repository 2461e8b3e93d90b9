import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { webSocket } from '@driftlog/client'
import { memoryStore } from '@driftlog/core'
import type { Connected, Server } from '../subject.ts'
import { openReplicaOver, ReplicaDevice } from './device.ts'
import type { Announcement } from './server-process.ts'

const PROCESS = fileURLToPath(new URL('./server-process.ts', import.meta.url))
const END_WITHIN_MS = 5_000

class ConnectedDevice extends ReplicaDevice implements Connected {
  async watchTitle(id: string, seen: (title: string) => void): Promise<() => void> {
    const rows$ = this.replica.watch((db) => db.selectFrom('tasks').where('id', '=', id).select('title'))
    const subscription = rows$.subscribe((rows) => {
      if (rows.length > 0) seen(rows[0].title)
    })
    await this.count()
    return () => subscription.unsubscribe()
  }

  async acknowledged(): Promise<void> {
    await this.last?.acknowledged
  }

  inSync(): Promise<void> {
    return this.replica.sync()
  }
}

export const startServer = async (folder: string): Promise<Server> => {
  const child = fork(PROCESS, [join(folder, 'server.db')])
  const { url, token } = await announcement(child)
  return {
    async connect() {
      const store = memoryStore()
      const transport = webSocket(url, { token: () => token })
      return new ConnectedDevice(await openReplicaOver(store, { transport }), store)
    },
    close: () => end(child),
  }
}

const announcement = (child: ChildProcess): Promise<Announcement> =>
  new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as Announcement))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the server ended (${code})`)))
  })

const end = async (child: ChildProcess): Promise<void> => {
  const exited = once(child, 'exit')
  child.disconnect()
  const limit = new AbortController()
  const inTime = await Promise.race([exited, setTimeout(END_WITHIN_MS, undefined, { signal: limit.signal })])
  limit.abort()
  if (inTime === undefined) child.kill('SIGKILL')
}
