/** The devices' side of the bare relay. */
import { once } from 'node:events'
import WebSocket from 'ws'
import type { Connected, Server } from '../subject.ts'
import { startChild } from './child.ts'

const PROCESS = new URL('./relay-process.ts', import.meta.url)
const ASK = new Uint8Array(0)

export interface RelaySocket {
  send(message: Uint8Array): void
  receive(taken: (message: Uint8Array) => void): void
  /** Resolves when the relay has all that was sent, and this side all that the relay had by then. */
  acknowledged(): Promise<void>
  close(): void
}

const wrap = (socket: WebSocket): RelaySocket => {
  const waiting: (() => void)[] = []
  const early: Uint8Array[] = []
  let taken = (message: Uint8Array): void => void early.push(message)
  socket.on('message', (message: Buffer) => {
    if (message.length === 0) waiting.shift()?.()
    else taken(message)
  })
  return {
    send: (message) => socket.send(message),
    receive(take) {
      for (const message of early.splice(0)) take(message)
      taken = take
    },
    acknowledged: () =>
      new Promise((resolve) => {
        waiting.push(resolve)
        socket.send(ASK)
      }),
    close: () => socket.close(),
  }
}

export const startRelay = async (open: (socket: RelaySocket) => Connected): Promise<Server> => {
  const { announcement: url, end } = await startChild<string>(PROCESS)
  return {
    async connect() {
      const socket = new WebSocket(url)
      const wrapped = wrap(socket)
      await once(socket, 'open')
      return open(wrapped)
    },
    close: end,
  }
}
