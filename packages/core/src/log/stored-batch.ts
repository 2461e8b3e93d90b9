import type { DeviceId } from '../clock/dot.ts'
import { equalBytes } from '../codec/bytes.ts'
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
}

/**
 * Reads a batch back. Throws STORAGE_DAMAGED { space, branch, toSeq, position } where the bytes do not decode or are not
 * those of the row: the header's own fields are the check, and the body is covered by the signature.
 */
export const decodeStored = (row: StoredRow): StoredBatch => {
  const { space, branch, toSeq, position } = row
  const damaged = (cause?: unknown): DriftlogError => {
    const details = { space, branch, toSeq, position }
    return new DriftlogError('STORAGE_DAMAGED', `batch of ${branch} up to ${toSeq}`, details, { cause })
  }
  let batch: Batch
  try {
    batch = decodeBatch(row.bytes)
  } catch (cause) {
    throw damaged(cause)
  }
  const { header } = batch
  const isOfRow =
    header.space === space &&
    header.fromSeq === row.fromSeq &&
    header.toSeq === toSeq &&
    equalBytes(header.tagAfter, row.tagAfter)
  if (!isOfRow) throw damaged()
  return { batch, position, branch }
}
