import { damageBatch, memoryMedium, memoryStore } from '@driftlog/core'
import { batchStoreContract } from './contract/batch-store-contract.ts'

const setup = async () => {
  const medium = memoryMedium()
  let store = memoryStore(medium)
  return {
    store,
    async reopen() {
      await store.close()
      store = memoryStore(medium)
      return store
    },
    another: async () => memoryStore(medium),
    damage: async (space: string, position: number) => damageBatch(medium, space, position),
    dispose: () => store.close(),
  }
}

batchStoreContract('memory', setup, { damage: true })
