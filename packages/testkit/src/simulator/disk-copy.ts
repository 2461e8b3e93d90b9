/** What is on a medium, past what rotted there. */
import { type BatchStore, type MemoryMedium, quarantining, startCursor, type StoredBatch } from '@driftlog/core'

export const SPACE = 'home'

const everything = { batches: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER }

/** All batches in order of arrival, as they were before anything rotted. */
export const batchesIn = (medium: MemoryMedium): readonly StoredBatch[] => medium.spaces.get(SPACE)?.batches ?? []

/** Positions of batches that do not read back. */
export const damagedIn = (medium: MemoryMedium): ReadonlySet<number> => medium.spaces.get(SPACE)?.damaged ?? new Set()

/** What a process would read of a store: neither what is damaged nor what goes on from that. */
export const batchesOf = async (store: BatchStore): Promise<readonly StoredBatch[]> => {
  const reading = quarantining(store)
  const readAll = async (): Promise<StoredBatch[]> => {
    const batches: StoredBatch[] = []
    // A page ends before what is damaged.
    for (let cursor = startCursor, more = true; more; ) {
      const page = await reading.readAfter(SPACE, cursor, everything)
      batches.push(...page.batches)
      cursor = page.cursor
      more = page.more
    }
    return batches
  }
  const batches = await readAll()
  // Damage that was met on the way may give what is before it another name.
  return reading.damaged().length === 0 ? batches : readAll()
}
