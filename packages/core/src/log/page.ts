import type { BatchPage, Cursor, PageLimit, StoredBatch } from './batch-store.ts'

/**
 * Fills one page in arrival order under both bounds. Its invariants: a page that was offered a batch is not empty, so a
 * reader with limits too small for one batch still makes progress; and what cannot be read ends the page before it, so
 * that a reader comes to it with nothing else in hand.
 */
export class PageFiller {
  readonly #limit: PageLimit
  readonly #batches: StoredBatch[] = []
  #bytes = 0
  #more = false

  constructor(limit: PageLimit) {
    this.#limit = limit
  }

  /** How many more batches can fit at most, 0 once the page is full. For adapters that fetch several at a time. */
  get room(): number {
    if (this.#more) return 0
    return Math.max(this.#batches.length === 0 ? 1 : 0, this.#limit.batches - this.#batches.length)
  }

  /**
   * Offers the next batch that matches, of `size` bytes; `read` is called where it fits. False: the page is complete and
   * more remain. Throws what `read` does where the page has nothing yet.
   */
  offer(size: number, read: () => StoredBatch): boolean {
    if (this.#batches.length > 0) {
      if (this.#batches.length >= this.#limit.batches || this.#bytes + size > this.#limit.bytes) return this.#end()
    }
    let stored: StoredBatch
    try {
      stored = read()
    } catch (error) {
      if (this.#batches.length === 0) throw error
      // Nothing is lost by it: who goes on from here meets it again, as the first of the next page.
      return this.#end()
    }
    this.#batches.push(stored)
    this.#bytes += size
    return true
  }

  #end(): false {
    this.#more = true
    return false
  }

  /** Says that more match, to an adapter that knows so without reading the next batch. */
  markMore(): void {
    this.#more = true
  }

  /** `end`: the end of the store, for an empty page. */
  page(end: () => Cursor): BatchPage {
    const last = this.#batches.at(-1)
    const cursor = last === undefined ? end() : cursorOf(last)
    return { batches: this.#batches, cursor, more: this.#more }
  }
}

/** The tag is copied: a view would keep the whole batch alive for as long as the cursor. */
export const cursorOf = (stored: StoredBatch): Cursor => ({
  position: stored.position,
  tag: stored.batch.header.tagAfter.slice(),
})
