/**
 * Who wants to know of new batches. What this connection commits is told at once; what others commit is found by a
 * poll, since SQLite tells nobody. It runs only while somebody watches.
 *
 * Invariant: `known` holds, for each watched space, the last position of which its listeners have been told.
 */
import type { Timers } from '@driftlog/core'

export interface WatchersDeps {
  readonly timers: Timers
  /** undefined: no other connection can write here. */
  readonly pollMs: number | undefined
  /** A number that differs after another connection has committed. */
  readonly foreignCommits: () => number
  /** The last position of a space, 0 where it is empty. */
  readonly endOf: (space: string) => number
}

interface Watched {
  known: number
  readonly listeners: Set<() => void>
}

export class Watchers {
  readonly #deps: WatchersDeps
  readonly #spaces = new Map<string, Watched>()
  #foreignCommits = -1
  #cancelPoll: (() => void) | undefined

  constructor(deps: WatchersDeps) {
    this.#deps = deps
  }

  watch(space: string, listener: () => void): () => void {
    let watched = this.#spaces.get(space)
    if (watched === undefined) {
      watched = { known: this.#deps.endOf(space), listeners: new Set() }
      this.#spaces.set(space, watched)
    }
    const { listeners } = watched
    // Wrapped, so that one function may watch twice and each watch ends by itself, at once.
    const watching = (): void => {
      if (listeners.has(watching)) listener()
    }
    listeners.add(watching)
    this.#schedulePoll()
    return () => {
      if (!listeners.delete(watching) || listeners.size > 0) return
      this.#spaces.delete(space)
      if (this.#spaces.size === 0) this.#stopPolling()
    }
  }

  /** This connection has committed batches, the last of them at `position`. */
  committed(space: string, position: number): void {
    const watched = this.#spaces.get(space)
    if (watched !== undefined) tell(watched, position)
  }

  stop(): void {
    for (const { listeners } of this.#spaces.values()) listeners.clear()
    this.#spaces.clear()
    this.#stopPolling()
  }

  #schedulePoll(): void {
    const { pollMs, timers } = this.#deps
    if (pollMs === undefined || this.#cancelPoll !== undefined) return
    this.#cancelPoll = timers.schedule(pollMs, () => {
      this.#cancelPoll = undefined
      this.#poll()
      if (this.#spaces.size > 0) this.#schedulePoll()
    })
  }

  #stopPolling(): void {
    this.#cancelPoll?.()
    this.#cancelPoll = undefined
  }

  #poll(): void {
    try {
      const foreignCommits = this.#deps.foreignCommits()
      if (foreignCommits === this.#foreignCommits) return
      for (const [space, watched] of this.#spaces) tell(watched, this.#deps.endOf(space))
      this.#foreignCommits = foreignCommits
    } catch {
      // Nobody asked for this read, so nobody can be told of its failure; the next poll tries again, and whoever reads
      // meets the same failure with a code.
    }
  }
}

const tell = (watched: Watched, position: number): void => {
  if (position <= watched.known) return
  watched.known = position
  // Each in a turn of its own: a listener that throws spoils neither the append nor the other listeners.
  for (const listener of watched.listeners) queueMicrotask(listener)
}
