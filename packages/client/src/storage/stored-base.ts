/**
 * The base that a local store goes on from (SPEC PRUNE): its statement, and its chunks as they came, encrypted.
 *
 *     "base/statement"      "base/chunk/00000", …
 */
import {
  type BaseOutline,
  type BatchStore,
  decodeStatement,
  DriftlogError,
  type Keyring,
  type RecordChange,
  unsealBase,
} from '@driftlog/core'

const STATEMENT = 'base/statement'
const CHUNKS = 'base/chunk/'
const chunkKey = (index: number): string => `${CHUNKS}${String(index).padStart(5, '0')}`

export interface StoredBase {
  readonly outline: BaseOutline
  readonly bytes: Uint8Array
}

/** In the place of the base before, which had so many chunks. */
export const baseRecords = (
  statement: Uint8Array,
  chunks: readonly Uint8Array[],
  before: BaseOutline | undefined,
): RecordChange[] => {
  const records: RecordChange[] = [{ key: STATEMENT, value: statement }]
  const count = Math.max(chunks.length, before?.chunks ?? 0)
  for (let index = 0; index < count; index++) records.push({ key: chunkKey(index), value: chunks[index] })
  return records
}

/** What a store says of its base; undefined: it has all of the log. */
export const loadBaseOutline = async (store: BatchStore, space: string): Promise<BaseOutline | undefined> => {
  const items = await loadBaseItems(store, space)
  return items && baseOf(items.statement)
}

/** Throws MALFORMED and the like, and for any other statement. */
export const baseOf = (statement: Uint8Array): BaseOutline => {
  const { stated } = decodeStatement(statement)
  if (stated.kind !== 'base') throw new DriftlogError('MALFORMED', 'not the statement of a base')
  return stated
}

/** As it lies there. */
export const loadBaseItems = async (
  store: BatchStore,
  space: string,
): Promise<{ readonly statement: Uint8Array; readonly chunks: readonly Uint8Array[] } | undefined> => {
  const record = (await store.records(space, STATEMENT)).find(({ key }) => key === STATEMENT)
  return record && { statement: record.value, chunks: (await store.records(space, CHUNKS)).map(({ value }) => value) }
}

/** Throws STORAGE_DAMAGED, and KEY_MISSING where the replica is locked. */
export const loadBase = async (store: BatchStore, keyring: Keyring): Promise<StoredBase | undefined> => {
  const { space } = keyring
  const items = await loadBaseItems(store, space)
  if (items === undefined) return undefined
  const { chunks } = items
  const outline = baseOf(items.statement)
  if (chunks.length !== outline.chunks) throw new DriftlogError('STORAGE_DAMAGED', 'a chunk of the base', { space })
  return { outline, bytes: unsealBase(outline, chunks, keyring) }
}
