import { join } from 'node:path'
import { webSocket } from '@driftlog/client'
import { memoryStore } from '@driftlog/core'
import { startChild } from '../shared/child.ts'
import type { Connected, Server } from '../subject.ts'
import { openReplicaOver, ReplicaDevice } from './device.ts'
import type { Announcement } from './server-process.ts'

const PROCESS = new URL('./server-process.ts', import.meta.url)

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

export interface Launched extends Announcement {
  end(): Promise<void>
}

export const launchServer = async (folder: string): Promise<Launched> => {
  const { announcement, end } = await startChild<Announcement>(PROCESS, [join(folder, 'server.db')])
  return { ...announcement, end }
}

export const startServer = async (folder: string): Promise<Server> => {
  const { url, token, end } = await launchServer(folder)
  return {
    async connect() {
      const store = memoryStore()
      const transport = webSocket(url, { token: () => token })
      return new ConnectedDevice(await openReplicaOver(store, { transport }), store)
    },
    close: end,
  }
}
