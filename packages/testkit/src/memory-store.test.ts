import { memoryMedium, memoryStore } from '@driftlog/core'
import { batchStoreContract } from './contract/batch-store-contract.ts'

batchStoreContract('memory', async () => {
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
    dispose: () => store.close(),
  }
})
