import { createWsSynchronizer, type WsSynchronizer } from 'tinybase/synchronizers/synchronizer-ws-client'
import WebSocket from 'ws'
import { startChild } from '../shared/child.ts'
import type { Connected, Server } from '../subject.ts'
import { TinyDevice } from './device.ts'

const PROCESS = new URL('./server-process.ts', import.meta.url)

class ConnectedDevice extends TinyDevice implements Connected {
  private synchronizer: WsSynchronizer<WebSocket> | undefined

  async connect(url: string): Promise<this> {
    this.synchronizer = await createWsSynchronizer(this.store, new WebSocket(url))
    await this.synchronizer.startSync()
    return this
  }

  async watchTitle(id: string, seen: (title: string) => void): Promise<() => void> {
    const listener = this.store.addCellListener('tasks', id, 'title', () =>
      seen(this.store.getCell('tasks', id, 'title') as string),
    )
    return () => this.store.delListener(listener)
  }

  /** The server confirms nothing. */
  async acknowledged(): Promise<void> {}

  async inSync(): Promise<void> {
    await this.synchronizer?.load()
  }

  override async close(): Promise<void> {
    await this.synchronizer?.destroy()
  }
}

export const startServer = async (): Promise<Server> => {
  const { announcement: url, end } = await startChild<string>(PROCESS)
  return { connect: () => new ConnectedDevice().connect(url), close: end }
}
