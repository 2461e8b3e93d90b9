// cells/
export { type CellState, hasSiblings, isContest, writesOf } from './cells/cell-state.ts'
export type { OpIndex } from './cells/ops.ts'
export type { Row, TableCells, Write } from './cells/row.ts'
export { type LifeSide, lifeSides, lifeVerdict, type SettledWrite } from './cells/settled.ts'
// clock/
export { compareDevices, type DeviceId, type Dot, isDeviceId } from './clock/dot.ts'
export {
  HLC_EPOCH_MS,
  type Hlc,
  hlcFromMs,
  hlcToMs,
  isCoarseWithinDrift,
  isWithinDrift,
  MAX_DRIFT_MS,
  MAX_HLC,
} from './clock/hlc.ts'
export {
  decodeVector,
  dominates,
  emptyVector,
  encodeVector,
  equalVectors,
  join,
  missing,
  seqOf,
  type VersionVector,
} from './clock/version-vector.ts'
// codec/
export { ByteReader, ByteWriter, concatBytes, equalBytes, fromBase64Url, toBase64Url } from './codec/bytes.ts'
export { checksum } from './codec/checksum.ts'
export { deflate, inflate } from './codec/deflate.ts'
// crypto/
export { chainNext, chainStart, chainTag, tagKey, UNENCRYPTED_EPOCH_KEY } from './crypto/chain.ts'
export { CIPHER_OVERHEAD_BYTES, decrypt, deriveKey, encrypt, padded, type Unopened } from './crypto/cipher.ts'
export { certifiedInstallation, fingerprint, makeCertificate } from './crypto/identity.ts'
export { EPOCH_KEY_BYTES, Keyring } from './crypto/keyring.ts'
export {
  argon2id,
  cryptoReady,
  hash,
  type KdfCost,
  seedOf,
  type SigningKeys,
  signingKeysFromSeed,
} from './crypto/sodium.ts'
export { DriftlogError, type ErrorCode, isErrorCode } from './errors.ts'
// laws/
export { cellLawOf, MAX_REASON_LENGTH } from './laws/cell-laws.ts'
export { elementLife, type Elements, isObserved, isWrittenLast, valueKey } from './laws/elements.ts'
export { type List, listItem, type ListItemState, placedItems } from './laws/list.ts'
export { positionsBetween } from './laws/positions.ts'
export { reopenedCandidates, reopenedValue } from './laws/reopened.ts'
export { shown as shownTree, type Tree, valueAt } from './laws/tree.ts'
export { diff, type PathChange } from './laws/tree-diff.ts'
export { addToCounter, type CounterTotal } from './laws/counter.ts'
export { type DeleteLaw, isLive, type Life } from './laws/life.ts'
// log/
export { mergeArrivals } from './log/arrival-merge.ts'
export {
  assembleBatch,
  type Batch,
  BATCH_FORMAT,
  type BatchHeader,
  chainStartOf,
  decodeBatch,
  encodeHeader,
  encodeShifts,
  firstTagOf,
  isSpaceId,
  MAX_BATCH_BYTES,
  MAX_BATCH_OPS,
  MAX_SHIFTS,
  type RunEnd,
  type Shift,
} from './log/batch.ts'
export { branchId } from './log/branch.ts'
export {
  type AppendOptions,
  type AppendOutcome,
  type BatchPage,
  type BatchStore,
  type Cursor,
  type Floor,
  type NamedRun,
  type PageLimit,
  type Point,
  type PlantedFloor,
  type PruneOutcome,
  type PrunePoint,
  type RecordChange,
  startCursor,
  type StoredBatch,
  type Tip,
} from './log/batch-store.ts'
export {
  type BranchStart,
  checkAppend,
  checkSpaceId,
  commonPoint,
  compareKeys,
  type DeviceTree,
  type HeldBranch,
  highestOf,
  holderOf,
  isRefusal,
  judgeBatch,
  judgePoint,
  notReplaced,
  recordExists,
  runsOnPath,
  type Split,
  undoneOutcomes,
  UNPRUNED,
} from './log/judge.ts'
export { copyMedium, damageBatch, type MemoryMedium, memoryMedium } from './log/memory-medium.ts'
export { memoryStore } from './log/memory-store.ts'
export { cursorOf, PageFiller } from './log/page.ts'
export { damageError } from './log/quarantine.ts'
export { type DamageChange, quarantining, type QuarantiningStore } from './log/quarantining.ts'
export { openBatch } from './log/seal.ts'
export { signBatch, verifyBatch } from './log/signature.ts'
export { damagedBatch, decodeStored, type StoredPlace, type StoredRow } from './log/stored-batch.ts'
export type { Members } from './log/chain-index.ts'
export { type Backlog, type CheckedBatch, OpLog } from './log/op-log.ts'
export { sealShifts, Writer, type WriterIdentity, type WriterKeys, type Written } from './log/writer.ts'
export { restoreSnapshot, saveSnapshot, type SleepingSnapshot } from './snapshot/snapshot.ts'
// base/
export type { Base } from './base/base.ts'
export { decodeBase } from './base/base-bytes.ts'
export { type BaseDifference, compareBases } from './base/compare-bases.ts'
export { foldBase, type FoldedBase, type FoldInput } from './base/fold-base.ts'
export { openBase, type OpenedBase, type OpenOptions } from './base/open-base.ts'
// membership/
export {
  type Deed,
  type DeedOutline,
  encodeEntry,
  type Entry,
  entryHash,
  type History,
  isEntry,
  MAX_ENTRY_BYTES,
  readEntry,
  type Role,
  type Rotation,
  signJoin,
  START_HASH,
} from './membership/entry.ts'
export { makeRotation, openEpochKeys, sealEpochKey } from './membership/epoch-keys.ts'
export { type Installation, type Invitation, type Member, memberIdOf, Membership } from './membership/membership.ts'
export { makePass, MAX_PASS_MS, type Pass, readPass } from './membership/pass.ts'
export {
  installationSecrets,
  invitationSecrets,
  type MemberSecrets,
  type PublicKeys,
  publicKeysOf,
  SECRET_BYTES,
} from './membership/secrets.ts'
// op/
export { byRow, type NewChange, type RowChanges } from './op/author.ts'
export { type DotRef, deviceOfRef } from './op/dot-ref.ts'
export { Law } from './op/law.ts'
export { idSource } from './op/row-id.ts'
export type { Shape } from './op/run.ts'
export { equalValues, type Value } from './op/value.ts'
// ports/
export type { Ports, Randomness, Timers, WallClock } from './ports/ports.ts'
export { systemPorts } from './ports/system.ts'
// projection/
export { Projector } from './projection/projector.ts'
export { candidatesOf, type RegisterCandidate } from './projection/view/choose.ts'
export type { Conflict, ConflictCandidate } from './projection/view/conflict.ts'
export { type CandidateJson, type ConflictRow, CONFLICTS, ConflictTable } from './projection/view/conflict-table.ts'
export { SchemaView } from './projection/view/schema-view.ts'
export { type Difference, whatIf } from './projection/view/what-if.ts'
export { createQueryBuilder, type QueryBuilder } from './projection/tables/query-builder.ts'
export { reconcileRows } from './projection/tables/reconcile.ts'
export { type RowGuard, rowGuard } from './projection/tables/row-guard.ts'
export type { DirtyRows } from './projection/tables/row-reader.ts'
export { createTables, type Tables } from './projection/tables/tables.ts'
export { tablesRead } from './projection/tables/tables-read.ts'
// protocol/
export { sessionStatus, stepClientSession } from './protocol/client-session.ts'
export { type ClientSession, createClientSession } from './protocol/client-state.ts'
export type {
  BranchPoints,
  ClientEffect,
  ClientInput,
  ClientSessionConfig,
  ClientTiming,
  OutboxBatch,
  Placement,
  RefusedBranch,
  SessionStatus,
  TakenBranch,
  TimerName,
} from './protocol/client-types.ts'
export {
  decodeClientExchange,
  decodeClientFrame,
  decodeServerExchange,
  decodeServerFrame,
  encodeExchange,
  encodeFrame,
  toRefusalDetails,
} from './protocol/frame-codec.ts'
export { branchesInTheWay, type LocalBranch, type LocalTree, pointsOf } from './protocol/local-tree.ts'
export {
  bareHello,
  type ClientMessage,
  ENTRIES_LIMIT,
  EXCHANGE_CONTENT_TYPE,
  type Hello,
  MAX_EXCHANGE_BYTES,
  MAX_FRAME_BYTES,
  MAX_TOKEN_LENGTH,
  PROTOCOL_VERSION,
  type MembersHead,
  type RefusalDetails,
  type ServerMessage,
} from './protocol/messages.ts'
export { placeTips } from './protocol/place-tips.ts'
export { refusal, stepServerSession } from './protocol/server-session.ts'
export { createServerSession, type ServerSession } from './protocol/server-state.ts'
export type { ServerEffect, ServerInput, SessionRole } from './protocol/server-types.ts'
export { readAdmission } from './protocol/read-admission.ts'
export { shiftOfRecord, shiftPrefix, shiftRecord } from './protocol/shift-records.ts'
export { decodeTips, encodeTips, tipsDigest, type TipMark } from './protocol/tip-codec.ts'
// pruning/
export { sealBase, unsealBase } from './pruning/base-chunks.ts'
export { type Admission, type Established, Pruning, type Standing } from './pruning/pruning.ts'
export {
  decodePruningAnswer,
  decodePruningRequest,
  decodeStanding,
  encodePruningAnswer,
  encodePruningRequest,
  encodeStanding,
  type PruningAnswer,
  type PruningRequest,
  standingDigest,
  standingPage,
} from './pruning/requests.ts'
export { hasSeenPrefix } from './pruning/seen-prefix.ts'
export { type BaseOutline, decodeStatement, encodeStatement, type Stated, statementHash } from './pruning/statement.ts'
// schema/
export { decodeField, encodeField, lawOf, shownValue } from './schema/encode.ts'
export {
  type CounterBuilder,
  type DeepBuilder,
  f,
  type Json,
  type JsonBuilder,
  type ListBuilder,
  type RegisterBuilder,
  type SetBuilder,
  type StringBuilder,
} from './schema/f.ts'
export type { ElementChange, Field, FieldBuilder, Increment, ItemChange, ListItem } from './schema/field.ts'
export type {
  InferDatabase,
  InferInsert,
  InferRow,
  InferUpdate,
  RowMeta,
  SearchableTable,
  TypedSchema,
  TypedTable,
} from './schema/infer.ts'
export { schemaFingerprint } from './schema/fingerprint.ts'
export {
  defineSchema,
  type Schema,
  type Table,
  type TableDefinition,
  type TableDefinitions,
  type TableOptions,
  table,
} from './schema/schema.ts'
export {
  type CustomStrategy,
  ruleOf,
  strategies,
  type Strategy,
  type StrategyCandidate,
  type TieRule,
} from './schema/strategy.ts'
