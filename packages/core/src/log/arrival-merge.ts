/**
 * Merges per-device runs of batches into arrival order, lazily: the cost is one look-up per device and one per batch
 * taken, however long the histories are. Within a device positions rise with seqs (STORE1, STORE5), which is what makes
 * a merge of heads enough.
 */
export interface Arrival {
  readonly position: number
}

/** `heads`: the first wanted arrival of each device. `next`: the one after it of the same device. */
export const mergeArrivals = function* <T extends Arrival>(
  heads: Iterable<T>,
  next: (arrival: T) => T | undefined,
): Generator<T, void, undefined> {
  const heap = [...heads].sort((a, b) => a.position - b.position)
  while (heap.length > 0) {
    const least = heap[0]
    yield least
    const replacement = next(least) ?? heap.pop()
    // The popped last one may be the least itself: then the heap is empty and done.
    if (replacement === undefined || heap.length === 0) return
    sink(heap, replacement)
  }
}

/** Puts `arrival` in place of the root of the binary heap and lets it sink to where it belongs. */
const sink = <T extends Arrival>(heap: T[], arrival: T): void => {
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && heap[child + 1].position < heap[child].position) child++
    if (heap[child].position >= arrival.position) break
    heap[at] = heap[child]
    at = child
  }
  heap[at] = arrival
}
