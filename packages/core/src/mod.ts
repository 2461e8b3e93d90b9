// clock/
export { compareDevices, type DeviceId, type Dot } from './clock/dot.ts'
export {
  dominates,
  emptyVector,
  equalVectors,
  join,
  missing,
  seqOf,
  type VersionVector,
} from './clock/version-vector.ts'
// codec/
export { ByteReader, ByteWriter, concatBytes, equalBytes } from './codec/bytes.ts'
// crypto/
export { chainNext, chainStart, chainTag, tagKey, UNENCRYPTED_EPOCH_KEY } from './crypto/chain.ts'
export { fingerprint, makeCertificate } from './crypto/identity.ts'
export { cryptoReady, hash, type SigningKeys, signingKeysFromSeed } from './crypto/sodium.ts'
export { DriftlogError, type ErrorCode, isErrorCode } from './errors.ts'
// log/
export { mergeArrivals } from './log/arrival-merge.ts'
export {
  assembleBatch,
  type Batch,
  BATCH_FORMAT,
  type BatchHeader,
  decodeBatch,
  encodeHeader,
  MAX_BATCH_BYTES,
  MAX_BATCH_OPS,
} from './log/batch.ts'
export {
  type AppendOutcome,
  type BatchPage,
  type BatchStore,
  type Cursor,
  type PageLimit,
  type RecordChange,
  startCursor,
  type StoredBatch,
  type Tip,
} from './log/batch-store.ts'
export {
  checkAppend,
  checkSpaceId,
  compareKeys,
  isRefusal,
  judgeBatch,
  undoneOutcomes,
  type Verdict,
} from './log/judge.ts'
export { type MemoryMedium, memoryMedium, memoryStore } from './log/memory-store.ts'
export { cursorOf, PageFiller } from './log/page.ts'
export { signBatch, verifyBatch } from './log/signature.ts'
// ports/
export type { Ports, Randomness, Timers, WallClock } from './ports/ports.ts'
export { systemPorts } from './ports/system.ts'
