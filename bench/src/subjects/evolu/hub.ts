/** A relay in the process of the devices, without sockets; and how one knows that nothing is under way any more. */
import { setImmediate } from 'node:timers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type CreateWebSocket, ok } from '@evolu/common'
import type { EvoluDevice } from './device.ts'
import type { Relay, Send } from './relay.ts'

/** A device puts what it sends next in messages between its own parts, a turn each. */
const QUIET_TURNS = 30

export const HUB_URL = 'ws://hub'

export interface Hub {
  /** What devices sent, and what they were sent. */
  readonly sent: Uint8Array[]
  readonly answered: Uint8Array[]
  readonly createWebSocket: CreateWebSocket
  /** Resolves when all of these devices have all that any of them has. */
  settled(devices: readonly EvoluDevice[]): Promise<void>
}

export const createHub = (relay: Relay): Hub => {
  const [sent, answered]: [Uint8Array[], Uint8Array[]] = [[], []]
  let underWay = 0

  const createWebSocket: CreateWebSocket = (_url, options) => () => {
    let isOpen = false
    const toDevice: Send = (message) => {
      underWay++
      answered.push(message)
      setImmediate(() => {
        underWay--
        if (isOpen) options?.onMessage?.(new Uint8Array(message).buffer)
      })
    }
    setImmediate(() => {
      isOpen = true
      options?.onOpen?.()
    })
    return ok({
      send(data) {
        const message = new Uint8Array(data as Uint8Array)
        underWay++
        sent.push(message)
        setImmediate(() => void relay.take(message, toDevice).finally(() => underWay--))
        return ok()
      },
      getReadyState: () => (isOpen ? 'open' : 'connecting'),
      isOpen: () => isOpen,
      reconnect: () => {
        throw new Error('nothing is lost here')
      },
      async [Symbol.asyncDispose]() {
        isOpen = false
        relay.leave(toDevice)
      },
    })
  }

  const settled = async (devices: readonly EvoluDevice[]): Promise<void> => {
    for (let turns = 0; turns < QUIET_TURNS; turns++) {
      await nextTurn()
      if (underWay > 0 || !devices.every(({ opened }) => opened.isSynced())) turns = 0
    }
  }

  return { sent, answered, createWebSocket, settled }
}
