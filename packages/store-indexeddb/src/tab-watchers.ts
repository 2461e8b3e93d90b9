/**
 * Who wants to know of new batches: this store's listeners at once, those of other tabs through a BroadcastChannel,
 * which carries the name of a space and nothing else. Where there is none, other tabs are not seen.
 */
export class TabWatchers {
  readonly #channelName: string
  readonly #spaces = new Map<string, Set<() => void>>()
  #channel: BroadcastChannel | undefined
  #stopped = false

  constructor(name: string) {
    this.#channelName = `driftlog:${name}`
  }

  watch(space: string, listener: () => void): () => void {
    this.#connect()
    const listeners = this.#spaces.get(space) ?? new Set()
    this.#spaces.set(space, listeners)
    // Wrapped, so that one function may watch twice and each watch ends by itself, at once.
    const watching = (): void => {
      if (listeners.has(watching)) listener()
    }
    listeners.add(watching)
    return () => void listeners.delete(watching)
  }

  /** This store has committed batches. */
  committed(space: string): void {
    if (this.#stopped) return
    this.#tell(space)
    this.#connect()
    this.#channel?.postMessage(space)
  }

  stop(): void {
    this.#stopped = true
    for (const listeners of this.#spaces.values()) listeners.clear()
    this.#channel?.close()
    this.#channel = undefined
  }

  #connect(): void {
    if (this.#channel !== undefined || typeof BroadcastChannel === 'undefined') return
    const channel = new BroadcastChannel(this.#channelName)
    // Any script of the origin may post here: a hint at most, and only to listeners that exist.
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === 'string') this.#tell(data)
    }
    // In Node an open channel keeps the process alive.
    ;(channel as { unref?: () => void }).unref?.()
    this.#channel = channel
  }

  #tell(space: string): void {
    // Each in a turn of its own: a listener that throws spoils neither the append nor the other listeners.
    for (const listener of this.#spaces.get(space) ?? []) queueMicrotask(listener)
  }
}
