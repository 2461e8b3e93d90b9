/** Connects the synchronizers of stores in one process, with messages as JSON, as its WebSocket synchronizer sends them. */
import { setImmediate } from 'node:timers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { MergeableStore } from 'tinybase'
import { createCustomSynchronizer, type Receive, type Synchronizer } from 'tinybase/synchronizers'

const ENCODER = new TextEncoder()
/** Whoever is alone at first waits in vain; whoever is not must wait out a busy machine. */
export const ALONE_SECONDS = 0.01
const REQUEST_SECONDS = 60
/** Answers wait for promises of the library, so that one empty turn does not mean that all is said. */
const QUIET_TURNS = 20

type Message = Parameters<Receive> extends [unknown, ...infer Rest] ? Rest : never

export interface Bus {
  /** Each message once, however many took it in. */
  readonly sent: readonly Uint8Array[]
  join(store: MergeableStore, requestSeconds?: number): Synchronizer
  /** Resolves when nothing is under way any more. */
  quiet(): Promise<void>
}

export const createBus = (): Bus => {
  const receivers = new Map<string, Receive>()
  const sent: Uint8Array[] = []
  let underWay = 0

  const deliver = (from: string, to: string, text: string): void => {
    underWay++
    setImmediate(() => {
      underWay--
      receivers.get(to)?.(from, ...(JSON.parse(text) as Message))
    })
  }

  const quiet = async (): Promise<void> => {
    for (let turns = 0; turns < QUIET_TURNS; turns++) {
      await nextTurn()
      if (underWay > 0) turns = 0
    }
  }

  return {
    sent,
    quiet,
    join(store, requestSeconds = REQUEST_SECONDS) {
      const own = String(receivers.size)
      return createCustomSynchronizer(
        store,
        (to, ...message) => {
          const text = JSON.stringify(message)
          sent.push(ENCODER.encode(text))
          const all = to === null ? [...receivers.keys()] : [to]
          for (const other of all) if (other !== own) deliver(own, other, text)
        },
        (receive) => receivers.set(own, receive),
        () => receivers.delete(own),
        requestSeconds,
      )
    },
  }
}
