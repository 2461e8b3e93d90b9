/**
 * Virtual time: a queue of events, and a clock that goes from one to the next. Between two events everything that was
 * promised runs to its end, so what the product does in one event is done at one moment of virtual time.
 *
 * Invariants:
 * - events come in order of time, and of scheduling where two are due together;
 * - the time never goes back, and stands still while an event runs.
 */
import { setImmediate as onNextTurn } from 'node:timers'

/** A moment when no clock of the product can be taken for wrong. */
export const START_MS = Date.UTC(2026, 5, 1)

const TURNS_AT_ONCE = 64

interface Entry {
  atMs: number
  readonly order: number
  run: (() => void) | undefined
}

export class VirtualTime {
  #nowMs = START_MS
  #scheduled = 0
  /** A binary heap, the next event first. */
  readonly #heap: Entry[] = []
  /** Events that have run. */
  steps = 0

  get nowMs(): number {
    return this.#nowMs
  }

  /** The returned function cancels it. */
  after(delayMs: number, run: () => void): () => void {
    const entry: Entry = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#scheduled++, run }
    this.#push(entry)
    return () => {
      entry.run = undefined
    }
  }

  at(atMs: number, run: () => void): () => void {
    return this.after(atMs - this.#nowMs, run)
  }

  /** Lets time pass in which nothing happens: whatever is due comes so much later. */
  skip(byMs: number): void {
    this.#nowMs += byMs
    for (const entry of this.#heap) entry.atMs += byMs
  }

  /** Runs what is due until then, or until `isDone`. Answers whether `isDone` ended it. */
  runUntil(untilMs: number, isDone: () => boolean = () => false): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let isOver = false
      let queued = 0
      const end = (isDone: boolean): void => {
        isOver = true
        if (!isDone) this.#nowMs = Math.max(this.#nowMs, untilMs)
        resolve(isDone)
      }
      const turn = (): void => {
        queued--
        if (isOver) return
        try {
          if (isDone()) end(true)
          else if (!this.#runNext(untilMs)) end(false)
        } catch (error) {
          isOver = true
          reject(error as Error)
        }
        if (!isOver && queued === 0) queue()
      }
      // Between two of them all promises that can settle do so. The platform looks for input only after the last.
      const queue = (): void => {
        for (; queued < TURNS_AT_ONCE; queued++) onNextTurn(turn)
      }
      queue()
    })
  }

  /** False where nothing is due until then. */
  #runNext(untilMs: number): boolean {
    for (;;) {
      const next = this.#heap[0]
      if (next === undefined || next.atMs > untilMs) return false
      this.#pop()
      const { run } = next
      if (run === undefined) continue
      this.#nowMs = next.atMs
      this.steps++
      run()
      return true
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let index = heap.length
    for (let up = (index - 1) >> 1; index > 0 && isBefore(entry, heap[up]); up = (index - 1) >> 1) {
      heap[index] = heap[up]
      index = up
    }
    heap[index] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let index = 0
    for (;;) {
      let down = index * 2 + 1
      if (down >= heap.length) break
      if (down + 1 < heap.length && isBefore(heap[down + 1], heap[down])) down++
      if (!isBefore(heap[down], last)) break
      heap[index] = heap[down]
      index = down
    }
    heap[index] = last
  }
}

const isBefore = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
