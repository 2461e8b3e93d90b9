import type { RelaySocket } from '../shared/relay.ts'
import type { Connected } from '../subject.ts'
import { LoroDevice } from './device.ts'

export class ConnectedLoro extends LoroDevice implements Connected {
  private readonly socket: RelaySocket

  constructor(socket: RelaySocket) {
    super()
    this.socket = socket
    this.doc.subscribeLocalUpdates((update) => socket.send(update))
    socket.receive((update) => this.doc.import(update))
  }

  async watchTitle(id: string, seen: (title: string) => void): Promise<() => void> {
    const row = this.row(id)!
    const tell = (): void => seen(row.get('title') as string)
    const stop = row.subscribe(tell)
    tell()
    return stop
  }

  acknowledged(): Promise<void> {
    return this.socket.acknowledged()
  }

  inSync(): Promise<void> {
    return this.socket.acknowledged()
  }

  override async close(): Promise<void> {
    this.socket.close()
    await super.close()
  }
}
