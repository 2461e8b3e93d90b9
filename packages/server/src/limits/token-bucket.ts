/**
 * A token bucket that goes into debt: what has come is let in, and what is owed is waited off before the next. So a
 * message larger than the bucket passes, once, and the long-run rate holds all the same.
 */
export class TokenBucket {
  readonly #perMs: number
  readonly #capacity: number
  #level: number
  #atMs: number

  constructor(perSecond: number, burstSeconds: number, nowMs: number) {
    this.#perMs = perSecond / 1_000
    this.#capacity = perSecond * burstSeconds
    this.#level = this.#capacity
    this.#atMs = nowMs
  }

  /** Takes `amount` and answers how many milliseconds to wait until nothing is owed; 0: none. */
  take(amount: number, nowMs: number): number {
    this.#level = this.#refilled(nowMs) - amount
    this.#atMs = nowMs
    return this.#level >= 0 ? 0 : Math.ceil(-this.#level / this.#perMs)
  }

  /** How long to wait, as things stand, without taking anything. */
  owedMs(nowMs: number): number {
    const level = this.#refilled(nowMs)
    return level >= 0 ? 0 : Math.ceil(-level / this.#perMs)
  }

  #refilled(nowMs: number): number {
    // A wall clock may jump back: then no time has passed.
    const elapsedMs = Math.max(0, nowMs - this.#atMs)
    return Math.min(this.#capacity, this.#level + elapsedMs * this.#perMs)
  }
}

/** Messages and bytes of one connection or subject. */
export class RateMeter {
  readonly #messages: TokenBucket
  readonly #bytes: TokenBucket

  constructor(
    limits: { readonly messagesPerSecond: number; readonly bytesPerSecond: number; readonly burstSeconds: number },
    nowMs: number,
  ) {
    this.#messages = new TokenBucket(limits.messagesPerSecond, limits.burstSeconds, nowMs)
    this.#bytes = new TokenBucket(limits.bytesPerSecond, limits.burstSeconds, nowMs)
  }

  /** Counts, and answers how many milliseconds to wait before the next. */
  take(messages: number, bytes: number, nowMs: number): number {
    return Math.max(this.#messages.take(messages, nowMs), this.#bytes.take(bytes, nowMs))
  }

  owedMs(nowMs: number): number {
    return Math.max(this.#messages.owedMs(nowMs), this.#bytes.owedMs(nowMs))
  }
}
