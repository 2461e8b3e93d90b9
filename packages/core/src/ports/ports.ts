/**
 * What the outside world gives to Driftlog. All of it is passed in: replay and simulation run the production code with
 * other providers, and so see every decision again.
 */

/** Wall-clock time in milliseconds since the Unix epoch. It may jump; nothing relies on it rising. */
export interface WallClock {
  now(): number
}

export interface Timers {
  /** Calls `run` once, `delayMs` or more from now; 0: in the next turn of the event loop. The returned function cancels it. */
  schedule(delayMs: number, run: () => void): () => void
}

export interface Randomness {
  /** `length` unpredictable bytes. Keys and identifiers are made of them. */
  bytes(length: number): Uint8Array
}

export interface Ports {
  readonly clock: WallClock
  readonly timers: Timers
  readonly random: Randomness
}
