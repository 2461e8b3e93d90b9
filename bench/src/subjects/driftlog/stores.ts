/** Reading and filling stores directly, to prepare what a measurement starts from. */
import type { Batch, BatchStore, VersionVector } from '@driftlog/core'
import { SPACE } from './schema.ts'

const PAGE = { batches: 1_000, bytes: 64_000_000 }
const APPEND_BATCHES = 1_000

/** In arrival order. */
export const batchesAbove = async (store: BatchStore, vector: VersionVector): Promise<Batch[]> => {
  const found: Batch[] = []
  const held = new Map(vector)
  for (let more = true; more; ) {
    const page = await store.readAbove(SPACE, held, PAGE)
    for (const { batch, branch } of page.batches) {
      found.push(batch)
      held.set(branch, batch.header.toSeq)
    }
    more = page.more
  }
  return found
}

export const fillStore = async (store: BatchStore, batches: readonly Batch[]): Promise<void> => {
  for (let from = 0; from < batches.length; from += APPEND_BATCHES) {
    await store.append(SPACE, batches.slice(from, from + APPEND_BATCHES), { allOrNothing: true })
  }
}
