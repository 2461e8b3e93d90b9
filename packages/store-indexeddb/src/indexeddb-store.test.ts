import 'fake-indexeddb/auto'
import { batchStoreContract } from '@driftlog/testkit'
import { openDB } from 'idb'
import { afterEach, beforeEach, describe, vi } from 'vitest'
import { indexedDb } from './mod.ts'

let names = 0

const setup = async () => {
  const name = `contract-${names++}`
  const open = [indexedDb(name)]
  return {
    store: open[0],
    async reopen() {
      await open.at(-1)?.close()
      open.push(indexedDb(name))
      return open[open.length - 1]
    },
    async another() {
      open.unshift(indexedDb(name))
      return open[0]
    },
    async damage(space: string, position: number) {
      const database = await openDB(name)
      const row = (await database.get('batch', [space, position])) as { bytes: Uint8Array }
      row.bytes[row.bytes.length >> 1] ^= 4
      await database.put('batch', row)
      database.close()
    },
    async dispose() {
      for (const store of open) await store.close()
    },
  }
}

batchStoreContract('IndexedDB', setup, { damage: true })

describe('without Web Locks', () => {
  beforeEach(() => void vi.stubGlobal('navigator', {}))
  afterEach(() => void vi.unstubAllGlobals())
  batchStoreContract('IndexedDB', setup, { damage: true })
})
