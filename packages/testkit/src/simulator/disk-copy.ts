/** Backups and clones of a medium, made through the port: whatever a store keeps inside, a copy reads the same. */
import { type BatchStore, type MemoryMedium, memoryMedium, memoryStore, startCursor } from '@driftlog/core'

export const SPACE = 'home'

const everything = { batches: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER }

export const batchesOf = async (store: BatchStore): Promise<Awaited<ReturnType<BatchStore['readAfter']>>['batches']> =>
  (await store.readAfter(SPACE, startCursor, everything)).batches

export const copyMedium = async (store: BatchStore): Promise<MemoryMedium> => {
  const medium = memoryMedium()
  const batches = (await batchesOf(store)).map(({ batch }) => batch)
  const records = await store.records(SPACE, '')
  await memoryStore(medium).append(SPACE, batches, { records })
  return medium
}
