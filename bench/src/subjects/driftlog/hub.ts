/**
 * A server without sockets: the server's side of the protocol over a store in memory, in the process of the devices. So
 * what W3 and W5 count is the work of the devices, as for peers that hand bytes to each other.
 */
import { setImmediate } from 'node:timers'
import type { Connection, Transport, TransportEvents } from '@driftlog/client'
import {
  type BatchStore,
  createServerSession,
  readAdmission,
  type ServerEffect,
  type ServerInput,
  stepServerSession,
} from '@driftlog/core'

export const hubTransport = (store: BatchStore): Transport => ({
  mode: 'live',
  connect: (space, events) => connect(store, space, events),
})

const connect = (store: BatchStore, space: string, events: TransportEvents): Connection => {
  let session = createServerSession({ space, mode: 'live' })
  let stopWatching = (): void => {}
  let isClosed = false

  const take = (input: ServerInput): void => {
    if (isClosed) return
    const step = stepServerSession(session, input)
    session = step.state
    for (const effect of step.effects) {
      if (effect.kind === 'send') events.message(effect.message)
      else if (effect.kind === 'watch') stopWatching = store.watch(space, () => take({ kind: 'changed' }))
      else if (effect.kind === 'close') throw new Error(`the hub refused a device: ${effect.code}`)
      else void answerOf(store, space, effect).then(take)
    }
  }

  setImmediate(() => events.opened())
  return {
    send(messages) {
      for (const message of messages) take({ kind: 'message', message })
    },
    close() {
      isClosed = true
      stopWatching()
    },
  }
}

type Asked = Exclude<ServerEffect, { kind: 'send' | 'watch' | 'close' }>

const answerOf = async (store: BatchStore, space: string, effect: Asked): Promise<ServerInput> => {
  switch (effect.kind) {
    case 'readEntries':
    case 'propose':
    case 'call':
      throw new Error('the space has no members')
    case 'authorize':
      return { kind: 'authorized', role: 'writer', serverTimeMs: Date.now() }
    case 'look': {
      const end = await store.end(space)
      return { kind: 'looked', end, tips: await store.tips(space), cursorValid: effect.cursor !== undefined }
    }
    case 'readAdmission':
      return readAdmission(store, space, effect)
    case 'append': {
      const { batches, records, allOrNothing } = effect
      return { kind: 'appended', outcomes: await store.append(space, batches, { records, allOrNothing }) }
    }
    case 'findCommon':
      return { kind: 'commonFound', seq: await store.common(space, effect.device, effect.points) }
    case 'readAbove':
      return { kind: 'pageRead', page: await store.readAbove(space, effect.vector, effect.limit) }
    case 'readAfter':
      return { kind: 'pageRead', page: await store.readAfter(space, effect.cursor, effect.limit) }
  }
}
