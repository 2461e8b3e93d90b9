import type { DeviceId } from '../clock/dot.ts'
import { equalBytes } from '../codec/bytes.ts'
import { checksum } from '../codec/checksum.ts'
import { DriftlogError } from '../errors.ts'
import { type Batch, decodeBatch } from './batch.ts'
import type { StoredBatch } from './batch-store.ts'

/** A batch as an adapter keeps it: its bytes, and beside them what the adapter looks it up by. */
export interface StoredRow {
  readonly space: string
  /** The branch that it is part of now. */
  readonly branch: DeviceId
  readonly fromSeq: number
  readonly toSeq: number
  readonly position: number
  readonly tagAfter: Uint8Array
  readonly bytes: Uint8Array
  /** `checksum` of the bytes, made when they came. */
  readonly checksum: number
}

/** What a store knows of a batch whose bytes it cannot read: enough to go past it, and to know it again. */
export type StoredPlace = Omit<StoredRow, 'bytes' | 'checksum'>

export const damagedBatch = (place: StoredPlace, cause?: unknown): DriftlogError => {
  const { space, branch, fromSeq, toSeq, position, tagAfter } = place
  // A copy, and never the Buffer that it may be.
  const details = { space, branch, fromSeq, toSeq, position, tagAfter: Uint8Array.from(tagAfter) }
  return new DriftlogError('STORAGE_DAMAGED', `ops ${fromSeq} to ${toSeq} of ${branch}`, details, { cause })
}

/**
 * Reads a batch back. Throws STORAGE_DAMAGED { space, branch, fromSeq, toSeq, position, tagAfter } where the bytes are not
 * those that came, or not those of the row.
 */
export const decodeStored = (row: StoredRow): StoredBatch => {
  const { space, branch, toSeq, position } = row
  if (checksum(row.bytes) !== row.checksum) throw damagedBatch(row)
  let batch: Batch
  try {
    batch = decodeBatch(row.bytes)
  } catch (cause) {
    throw damagedBatch(row, cause)
  }
  const { header } = batch
  const isOfRow =
    header.space === space &&
    header.fromSeq === row.fromSeq &&
    header.toSeq === toSeq &&
    equalBytes(header.tagAfter, row.tagAfter)
  if (!isOfRow) throw damagedBatch(row)
  return { batch, position, branch }
}
