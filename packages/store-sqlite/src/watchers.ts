/**
 * Who wants to know of new batches. What this connection commits is told at once; what others commit is found by a
 * poll, since SQLite tells nobody. It runs only while somebody watches.
 *
 * Invariant: `known` holds, for each watched space, the state of which its listeners have been told.
 */
import type { Timers } from '@driftlog/core'

export interface WatchersDeps {
  readonly timers: Timers
  /** undefined: no other connection can write here. */
  readonly pollMs: number | undefined
  /** A number that differs after another connection has committed. */
  readonly foreignCommits: () => number
  readonly stateOf: (space: string) => WatchedState
  /** Nobody watches a space any more. */
  readonly unwatched: (space: string) => void
}

/** Another one after batches of the space were taken in (`end` is the last position) or replaced (which is counted). */
export interface WatchedState {
  readonly end: number
  readonly replacings: string
}

interface Watched {
  known: WatchedState
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
      watched = { known: this.#deps.stateOf(space), listeners: new Set() }
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
      this.#deps.unwatched(space)
      if (this.#spaces.size === 0) this.#stopPolling()
    }
  }

  isWatched(space: string): boolean {
    return this.#spaces.has(space)
  }

  /** This connection has committed batches. `end`: the last of their positions, where they were all new. */
  committed(space: string, end: number | undefined): void {
    const watched = this.#spaces.get(space)
    if (watched === undefined) return
    try {
      if (end === undefined) this.#look(space, watched)
      else this.#tell(watched, { ...watched.known, end })
    } catch {
      // They are stored all the same. The next poll looks again.
      this.#foreignCommits = -1
    }
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
      for (const [space, watched] of this.#spaces) this.#look(space, watched)
      this.#foreignCommits = foreignCommits
    } catch {
      // Nobody asked for this read, so nobody can be told of its failure; the next poll tries again, and whoever reads
      // meets the same failure with a code.
    }
  }

  #look(space: string, watched: Watched): void {
    const state = this.#deps.stateOf(space)
    if (state.end !== watched.known.end || state.replacings !== watched.known.replacings) this.#tell(watched, state)
  }

  #tell(watched: Watched, state: WatchedState): void {
    watched.known = state
    // Each in a turn of its own: a listener that throws spoils neither the append nor the other listeners.
    for (const listener of watched.listeners) queueMicrotask(listener)
  }
}
