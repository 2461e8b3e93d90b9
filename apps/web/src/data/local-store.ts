/** Where this browser keeps a space: its batches, and the vault of its key. Each space by itself, so that one can be removed. */
import { DriftlogError } from '@driftlog/core'
import { indexedDb, type IndexedDbStore } from '@driftlog/store-indexeddb'

const nameOf = (space: string): string => `driftlog-space-${space}`

export const openStore = (space: string): IndexedDbStore => indexedDb(nameOf(space))

/** What is here of a space goes for good. Other windows that show it stop. */
export const deleteStore = (space: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(nameOf(space))
    request.onsuccess = () => resolve()
    request.onerror = () => reject(new DriftlogError('STORAGE_FAILED', '', { space }, { cause: request.error }))
  })
