import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import WebSocket from 'ws'
import { startChild } from '../shared/child.ts'
import type { Connected, Server } from '../subject.ts'
import { YjsDevice } from './device.ts'

const PROCESS = new URL('./server-process.ts', import.meta.url)

class ConnectedDevice extends YjsDevice implements Connected {
  private readonly socket: HocuspocusProviderWebsocket
  private readonly provider: HocuspocusProvider

  constructor(url: string) {
    super()
    this.socket = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket })
    this.provider = new HocuspocusProvider({ websocketProvider: this.socket, name: 'tasks', document: this.doc })
    this.provider.attach()
  }

  async watchTitle(id: string, seen: (title: string) => void): Promise<() => void> {
    const row = this.rows.get(id)!
    const tell = (): void => seen(row.get('title') as string)
    row.observe(tell)
    tell()
    return () => row.unobserve(tell)
  }

  acknowledged(): Promise<void> {
    return this.until('unsyncedChanges', () => !this.provider.hasUnsyncedChanges)
  }

  inSync(): Promise<void> {
    return this.until('synced', () => this.provider.isSynced)
  }

  private until(event: string, isReached: () => boolean): Promise<void> {
    if (isReached()) return Promise.resolve()
    return new Promise((resolve) => {
      const look = (): void => {
        if (!isReached()) return
        this.provider.off(event, look)
        resolve()
      }
      this.provider.on(event, look)
    })
  }

  override async close(): Promise<void> {
    this.provider.destroy()
    this.socket.destroy()
    await super.close()
  }
}

export const startServer = async (): Promise<Server> => {
  const { announcement: url, end } = await startChild<string>(PROCESS)
  return { connect: async () => new ConnectedDevice(url), close: end }
}
