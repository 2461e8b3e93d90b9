export { batchStoreContract } from './contract/batch-store-contract.ts'
export type { StoreUnderTest } from './contract/setup.ts'
export {
  makeTestBatch,
  makeTestDevice,
  makeTestHistory,
  mergeTestBatches,
  type TestBatch,
  type TestBatchShape,
  type TestDevice,
} from './test-batches.ts'
