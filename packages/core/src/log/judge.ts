/**
 * What every adapter of BatchStore decides alike (STORE1 to STORE4), as pure functions over what it looked up.
 *
 *     held:      1 … have          boundaries: the toSeq of each held batch, each with its tag
 *
 *     fromSeq > have + 1                     gap
 *     fromSeq = have + 1, tagBefore = tip    append
 *     toSeq a boundary with the same tag     duplicate (a tag covers the whole history up to it)
 *     anything else at a known seq           fork
 */
import { equalBytes } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import { type Batch, type BatchHeader, isSpaceId } from './batch.ts'
import type { AppendOutcome, RecordChange, Tip } from './batch-store.ts'

export type Verdict = { readonly kind: 'append' } | Exclude<AppendOutcome, { kind: 'appended' | 'undone' }>

/**
 * `tip`: of the header's device. `boundaryTag`: the tag that is held at (device, toSeq) if a held batch ends there; it
 * need not be looked up where `toSeq` is above the tip.
 */
export const judgeBatch = (
  header: BatchHeader,
  tip: Pick<Tip, 'seq' | 'tag'> | undefined,
  boundaryTag: Uint8Array | undefined,
): Verdict => {
  const have = tip?.seq ?? 0
  if (header.fromSeq > have + 1) return { kind: 'gap', have }
  if (header.fromSeq === have + 1) {
    // Before seq 1 nothing is known that the first tag could be compared with.
    return tip === undefined || equalBytes(header.tagBefore, tip.tag) ? { kind: 'append' } : { kind: 'fork', have }
  }
  if (boundaryTag !== undefined && equalBytes(boundaryTag, header.tagAfter)) return { kind: 'duplicate' }
  return { kind: 'fork', have }
}

export const isRefusal = (outcome: AppendOutcome): boolean => outcome.kind === 'gap' || outcome.kind === 'fork'

/**
 * The outcomes of an `allOrNothing` call that was undone: none of them may claim a position, and `have` is told as it is
 * after the undoing. `heldBefore`: a device's last held seq before the call.
 */
export const undoneOutcomes = (
  batches: readonly Batch[],
  outcomes: readonly AppendOutcome[],
  heldBefore: (batch: Batch) => number,
): AppendOutcome[] =>
  outcomes.map((outcome, index) =>
    outcome.kind === 'gap' || outcome.kind === 'fork'
      ? { kind: outcome.kind, have: heldBefore(batches[index]) }
      : { kind: 'undone' },
  )

/** Throws OPTION_INVALID. Space ids become parts of file and lock names, so nothing else may pass. */
export const checkSpaceId = (space: string): void => {
  if (!isSpaceId(space)) throw new DriftlogError('OPTION_INVALID', 'space id', { space })
}

/** The bugs of a caller that no store should make durable. Throws OPTION_INVALID. */
export const checkAppend = (space: string, batches: readonly Batch[], records: readonly RecordChange[]): void => {
  checkSpaceId(space)
  for (const { header } of batches) {
    if (header.space !== space) {
      throw new DriftlogError('OPTION_INVALID', 'a batch of another space', { space, other: header.space })
    }
  }
  for (const { key } of records) {
    // A lone surrogate would become U+FFFD in a store that keeps UTF-8, and two keys would be one.
    if (!key.isWellFormed() || key.includes('\0')) throw new DriftlogError('OPTION_INVALID', 'record key', { key })
  }
}

/** UTF-16 code units, as IndexedDB orders keys; never by locale. */
export const compareKeys = (a: { readonly key: string }, b: { readonly key: string }): number =>
  a.key < b.key ? -1 : a.key > b.key ? 1 : 0
