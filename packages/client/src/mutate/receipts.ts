/**
 * What is known of a mutation, as promises made on demand: most are never asked for.
 */
export interface Receipt<T> {
  /** What the mutation's function returned. */
  readonly value: T
  /** The last op of the mutation; undefined where nothing was written. */
  readonly dot: { readonly device: string; readonly seq: number } | undefined
  /** Resolves when the mutation is durable on this device. Rejects with CLOSED if the replica closes before. */
  readonly stored: Promise<void>
  /** Resolves when the mutation is durable at the server. Rejects with CLOSED if the replica closes before. */
  readonly acknowledged: Promise<void>
}

/**
 * Promises for "this seq was reached", settled in any order of asking. What was reached can be lost again: a server that
 * was rolled back has less than it said.
 */
export class Milestones {
  #reached: number
  #abandoned: Error | undefined
  #waiting: { readonly seq: number; readonly resolve: () => void; readonly reject: (error: Error) => void }[] = []

  readonly #wanted: () => void

  /** `wanted`: called whenever somebody waits for what is not reached yet. */
  constructor(reached: number, wanted: () => void) {
    this.#reached = reached
    this.#wanted = wanted
  }

  get reached(): number {
    return this.#reached
  }

  reach(seq: number): void {
    this.#reached = seq
    if (this.#waiting.length === 0) return
    const due = this.#waiting.filter((wait) => wait.seq <= seq)
    this.#waiting = this.#waiting.filter((wait) => wait.seq > seq)
    for (const { resolve } of due) resolve()
  }

  when(seq: number): Promise<void> {
    if (seq <= this.#reached) return Promise.resolve()
    if (this.#abandoned !== undefined) return Promise.reject(this.#abandoned)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ seq, resolve, reject })
      this.#wanted()
    })
  }

  /** Nothing more will be reached. */
  abandon(error: Error): void {
    this.#abandoned = error
    const waiting = this.#waiting
    this.#waiting = []
    for (const { reject } of waiting) reject(error)
  }
}

/** A class, for objects with getters of their own are slow to make. */
class OpReceipt<T> implements Receipt<T> {
  readonly value: T
  readonly dot: Receipt<T>['dot']
  readonly #stored: Milestones
  readonly #acknowledged: Milestones

  constructor(value: T, dot: Receipt<T>['dot'], stored: Milestones, acknowledged: Milestones) {
    this.value = value
    this.dot = dot
    this.#stored = stored
    this.#acknowledged = acknowledged
  }

  get stored(): Promise<void> {
    return this.#stored.when(this.dot?.seq ?? 0)
  }

  get acknowledged(): Promise<void> {
    return this.#acknowledged.when(this.dot?.seq ?? 0)
  }
}

export const createReceipt = <T>(
  value: T,
  dot: Receipt<T>['dot'],
  stored: Milestones,
  acknowledged: Milestones,
): Receipt<T> => new OpReceipt(value, dot, stored, acknowledged)
