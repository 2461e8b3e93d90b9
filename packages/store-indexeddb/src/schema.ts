/**
 * What is in the database.
 *
 *     batch        [space, position]        the bytes, in arrival order
 *     boundary     [space, branch, toSeq]   where that batch is, and its tags: small, so that judging a batch and finding
 *                                           what a device lacks never load bodies
 *     branch       [space, device, branch]  what a branch's boundaries add up to, and its floor
 *     pruned       space                    the last batch that was pruned: with it the end is known when all are gone
 *     certificate  [space, device]          of the device's first batch
 *     record       [space, key]
 */
import { type Cursor, type DeviceId, type HeldBranch, type StoredRow, UNPRUNED } from '@driftlog/core'
import type { DBSchema, IDBPDatabase, IDBPObjectStore, IDBPTransaction } from 'idb'

export const DATABASE_VERSION = 2

export interface BoundaryRow {
  readonly space: string
  readonly branch: DeviceId
  readonly fromSeq: number
  readonly toSeq: number
  readonly position: number
  readonly tag: Uint8Array
  /** After the first run of the batch: what a branch is named by. */
  readonly firstTag: Uint8Array
}

export interface BranchRow extends HeldBranch {
  readonly space: string
  readonly device: DeviceId
}

export interface PrunedRow extends Cursor {
  readonly space: string
}

export interface CertificateRow {
  readonly space: string
  readonly device: DeviceId
  readonly bytes: Uint8Array
}

export interface RecordRow {
  readonly space: string
  readonly key: string
  readonly value: Uint8Array
}

export interface Schema extends DBSchema {
  batch: { key: [string, number]; value: StoredRow }
  boundary: { key: [string, string, number]; value: BoundaryRow }
  branch: { key: [string, string, string]; value: BranchRow }
  pruned: { key: string; value: PrunedRow }
  certificate: { key: [string, string]; value: CertificateRow }
  record: { key: [string, string]; value: RecordRow }
}

export type StoreName = 'batch' | 'boundary' | 'branch' | 'pruned' | 'certificate' | 'record'
export const STORES: readonly StoreName[] = ['batch', 'boundary', 'branch', 'pruned', 'certificate', 'record']

export type Transaction<Mode extends 'readonly' | 'readwrite'> = IDBPTransaction<Schema, StoreName[], Mode>

/** In the transaction of the upgrade, from the version that the database has: 0 where it is new. */
export const upgrade = async (
  database: IDBPDatabase<Schema>,
  version: number,
  branches: () => UpgradedBranches,
): Promise<void> => {
  if (version < 1) createStores(database)
  if (version < 2) {
    database.createObjectStore('pruned', { keyPath: 'space' })
    for (let cursor = await branches().openCursor(); cursor !== null; cursor = await cursor.continue()) {
      await cursor.update({ ...cursor.value, ...UNPRUNED })
    }
  }
}

type UpgradedBranches = IDBPObjectStore<Schema, StoreName[], 'branch', 'versionchange'>

const createStores = (database: IDBPDatabase<Schema>): void => {
  database.createObjectStore('batch', { keyPath: ['space', 'position'] })
  database.createObjectStore('boundary', { keyPath: ['space', 'branch', 'toSeq'] })
  database.createObjectStore('branch', { keyPath: ['space', 'device', 'branch'] })
  database.createObjectStore('certificate', { keyPath: ['space', 'device'] })
  database.createObjectStore('record', { keyPath: ['space', 'key'] })
}

// Arrays sort after all numbers and strings, so `[...prefix, []]` is above every key that goes on from the prefix.
const keysAfter = (prefix: readonly (string | number)[], after: readonly (string | number)[]): IDBKeyRange =>
  IDBKeyRange.bound([...prefix, ...after], [...prefix, []], after.length > 0)

export const keysOf = (space: string): IDBKeyRange => keysAfter([space], [])
export const keysOfDevice = (space: string, device: DeviceId): IDBKeyRange => keysAfter([space, device], [])
export const keysAfterPosition = (space: string, position: number): IDBKeyRange => keysAfter([space], [position])
export const keysUpToSeq = (space: string, branch: DeviceId, seq: number): IDBKeyRange =>
  IDBKeyRange.bound([space, branch], [space, branch, seq])
export const keysAfterSeq = (space: string, branch: DeviceId, seq: number): IDBKeyRange =>
  keysAfter([space, branch], [seq])

/** Exactly the keys that start with `prefix`. */
export const keysWithPrefix = (space: string, prefix: string): IDBKeyRange => {
  const lower = [space, prefix]
  // The first string above all of them: the last code unit one higher; where it is the highest, the one before.
  let length = prefix.length
  while (length > 0 && prefix.charCodeAt(length - 1) === 0xffff) length--
  if (length === 0) return IDBKeyRange.bound(lower, [space, []])
  const above = prefix.slice(0, length - 1) + String.fromCharCode(prefix.charCodeAt(length - 1) + 1)
  return IDBKeyRange.bound(lower, [space, above], false, true)
}
