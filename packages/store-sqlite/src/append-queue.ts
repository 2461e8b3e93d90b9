/**
 * Group commit: calls that are asked for while others wait share one transaction, and so one fsync.
 *
 * Invariants:
 * - calls are committed in the order in which they were asked for;
 * - a call settles only after its commit has returned, or has failed;
 * - a failing call fails alone: where a group fails, each of its calls is tried by itself.
 *
 *     push ──► waiting ──(one turn of the event loop)──► group ──► commit ──► settle
 */
export interface QueuedCall<Request, Result> {
  readonly request: Request
  resolve(result: Result): void
  reject(error: unknown): void
}

export interface AppendQueueDeps<Request, Result> {
  /** Runs later what collects the group; the longer it waits, the larger the groups. */
  readonly defer: (run: () => void) => void
  /** All of them in one transaction, one result each; throws if nothing was committed. */
  readonly commit: (requests: readonly Request[]) => readonly Result[]
  /** Whether the failure has nothing to do with what the calls contain, so that trying them singly cannot help. */
  readonly isHopeless: (error: unknown) => boolean
  readonly sizeOf: (request: Request) => number
}

/** Bounds how long one transaction keeps the event loop and how much it adds to the write-ahead log. */
const MAX_GROUP_BYTES = 8_000_000

export class AppendQueue<Request, Result> {
  readonly #deps: AppendQueueDeps<Request, Result>
  #waiting: QueuedCall<Request, Result>[] = []
  #isDeferred = false

  constructor(deps: AppendQueueDeps<Request, Result>) {
    this.#deps = deps
  }

  push(request: Request): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject })
      this.#defer()
    })
  }

  /** Commits everything that waits, now. */
  drain(): void {
    while (this.#waiting.length > 0) this.#commit(this.#nextGroup())
  }

  #defer(): void {
    if (this.#isDeferred) return
    this.#isDeferred = true
    this.#deps.defer(() => {
      this.#isDeferred = false
      if (this.#waiting.length === 0) return
      this.#commit(this.#nextGroup())
      // The rest takes another turn, so that a long queue does not starve the event loop.
      if (this.#waiting.length > 0) this.#defer()
    })
  }

  #nextGroup(): QueuedCall<Request, Result>[] {
    let bytes = 0
    let length = 0
    while (length < this.#waiting.length) {
      bytes += this.#deps.sizeOf(this.#waiting[length].request)
      if (length > 0 && bytes > MAX_GROUP_BYTES) break
      length++
    }
    const group = this.#waiting.slice(0, length)
    this.#waiting = this.#waiting.slice(length)
    return group
  }

  #commit(group: readonly QueuedCall<Request, Result>[]): void {
    let results: readonly Result[]
    try {
      results = this.#deps.commit(group.map(({ request }) => request))
    } catch (error) {
      if (group.length > 1 && !this.#deps.isHopeless(error)) for (const call of group) this.#commit([call])
      else for (const call of group) call.reject(error)
      return
    }
    for (const [index, call] of group.entries()) call.resolve(results[index])
  }
}
