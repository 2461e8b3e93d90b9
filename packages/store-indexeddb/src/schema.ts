/**
 * What is in the database.
 *
 *     batch     [space, position]        the bytes, in arrival order
 *     boundary  [space, device, toSeq]   where that batch is, and its tag: small, so that judging a batch and finding
 *                                        what a device lacks never load bodies
 *     tip       [space, device]          what a device's boundaries add up to
 *     record    [space, key]
 */
import type { DeviceId, StoredRow } from '@driftlog/core'
import type { DBSchema, IDBPDatabase, IDBPTransaction } from 'idb'

export const DATABASE_VERSION = 1

export interface BoundaryRow {
  readonly space: string
  readonly device: DeviceId
  readonly toSeq: number
  readonly position: number
  readonly tag: Uint8Array
}

export interface TipRow {
  readonly space: string
  readonly device: DeviceId
  readonly seq: number
  readonly tag: Uint8Array
  readonly certificate: Uint8Array
}

export interface RecordRow {
  readonly space: string
  readonly key: string
  readonly value: Uint8Array
}

export interface Schema extends DBSchema {
  batch: { key: [string, number]; value: StoredRow }
  boundary: { key: [string, string, number]; value: BoundaryRow }
  tip: { key: [string, string]; value: TipRow }
  record: { key: [string, string]; value: RecordRow }
}

export type StoreName = 'batch' | 'boundary' | 'tip' | 'record'
export const STORES: readonly StoreName[] = ['batch', 'boundary', 'tip', 'record']

export type Transaction<Mode extends 'readonly' | 'readwrite'> = IDBPTransaction<Schema, StoreName[], Mode>

export const createStores = (database: IDBPDatabase<Schema>): void => {
  database.createObjectStore('batch', { keyPath: ['space', 'position'] })
  database.createObjectStore('boundary', { keyPath: ['space', 'device', 'toSeq'] })
  database.createObjectStore('tip', { keyPath: ['space', 'device'] })
  database.createObjectStore('record', { keyPath: ['space', 'key'] })
}

// Arrays sort after all numbers and strings, so `[...prefix, []]` is above every key that goes on from the prefix.
const keysAfter = (prefix: readonly (string | number)[], after: readonly (string | number)[]): IDBKeyRange =>
  IDBKeyRange.bound([...prefix, ...after], [...prefix, []], after.length > 0)

export const keysOf = (space: string): IDBKeyRange => keysAfter([space], [])
export const keysAfterPosition = (space: string, position: number): IDBKeyRange => keysAfter([space], [position])
export const keysAfterSeq = (space: string, device: DeviceId, seq: number): IDBKeyRange =>
  keysAfter([space, device], [seq])

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
