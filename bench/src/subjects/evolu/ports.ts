/**
 * What Evolu's three threads (tab, shared worker, database worker) say to each other, in one thread: its own stand-ins
 * wait a millisecond for every message. Nothing is cloned.
 */
import { setImmediate } from 'node:timers'
import type {
  CreateMessageChannel,
  MessagePort,
  NativeMessagePort,
  SharedWorker,
  SharedWorkerSelf,
  Worker,
  WorkerSelf,
} from '@evolu/common'

class Port {
  peer: Port | undefined
  readonly #waiting: unknown[] = []
  #handler: ((message: never) => void) | null = null
  #isQueued = false

  get onMessage(): ((message: never) => void) | null {
    return this.#handler
  }

  /** Messages wait for a handler. */
  set onMessage(handler) {
    this.#handler = handler
    this.#deliverSoon()
  }

  readonly postMessage = (message: unknown): void => this.peer?.take(message)

  get native(): this {
    return this
  }

  private take(message: unknown): void {
    this.#waiting.push(message)
    this.#deliverSoon()
  }

  #deliverSoon(): void {
    if (this.#isQueued || this.#handler === null || this.#waiting.length === 0) return
    this.#isQueued = true
    setImmediate(() => {
      this.#isQueued = false
      for (const message of this.#waiting.splice(0)) this.#handler?.(message as never)
    })
  }

  [Symbol.dispose](): void {
    this.#handler = null
    this.#waiting.length = 0
  }
}

const pair = (): readonly [Port, Port] => {
  const [one, other] = [new Port(), new Port()]
  one.peer = other
  other.peer = one
  return [one, other]
}

export const createMessageChannel: CreateMessageChannel = () => {
  const [port1, port2] = pair()
  return { port1, port2, [Symbol.dispose]: () => {} } as never
}

export const createMessagePort = <Input, Output>(native: NativeMessagePort<Input, Output>) =>
  native as unknown as MessagePort<Input, Output>

export const createWorker = <Input, Output>(start: (self: WorkerSelf<Input, Output>) => void) => {
  const [outside, inside] = pair()
  start(inside as never)
  return outside as unknown as Worker<Input, Output>
}

export const createSharedWorker = <Input, Output>(
  start: (self: SharedWorkerSelf<Input, Output>) => void,
): SharedWorker<Input, Output> => {
  const [outside, inside] = pair()
  const self: SharedWorkerSelf<Input, Output> = { onConnect: null, [Symbol.dispose]: () => {} }
  start(self)
  self.onConnect?.(inside as never)
  return { port: outside as never, [Symbol.dispose]: () => {} }
}
