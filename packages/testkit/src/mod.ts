export { batchStoreContract, type StoreUnderTest } from './batch-store-contract.ts'
export {
  makeTestBatch,
  makeTestDevice,
  makeTestHistory,
  mergeTestBatches,
  type TestBatch,
  type TestBatchShape,
  type TestDevice,
} from './test-batches.ts'
