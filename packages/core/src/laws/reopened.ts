/**
 * A register write that stands for several candidates (Law.reopen): what a conflict had that was settled and is open again.
 * Its author vouches for them: `[author, stamp, value]` each.
 */
import { DEVICE_ID_BYTES, type DeviceId, deviceIdFromBytes, deviceIdToBytes } from '../clock/dot.ts'
import { type Hlc, MAX_HLC } from '../clock/hlc.ts'
import { DriftlogError } from '../errors.ts'
import type { Value } from '../op/value.ts'

/** As many as one write may stand for, where they fit an op (OP7). */
export const MAX_REOPENED = 4_096

export interface ReopenedCandidate {
  readonly author: DeviceId
  readonly stamp: Hlc
  readonly value: Value
}

/** Throws TOO_LARGE. */
export const reopenedValue = (candidates: readonly ReopenedCandidate[]): Value => {
  if (candidates.length > MAX_REOPENED) {
    throw new DriftlogError('TOO_LARGE', 'one conflict', { candidates: candidates.length, limit: MAX_REOPENED })
  }
  return candidates.map(({ author, stamp, value }) => [deviceIdToBytes(author), stamp, value])
}

/**
 * The candidates of a value that fits, in the order in which they are written. `written`: the effective stamp of the op. Its author
 * vouches for what was there before it, so none of them is later; a shift (BR2) may have moved what was.
 */
export const reopenedCandidates = (value: Value, written: Hlc): ReopenedCandidate[] =>
  (value as readonly [Uint8Array, number, Value][]).map(([author, stamp, candidate]) => ({
    author: deviceIdFromBytes(author),
    stamp: Math.min(stamp, written),
    value: candidate,
  }))

/** The values alone of a value that fits. */
export const reopenedValues = (value: Value): Value[] =>
  (value as readonly [Uint8Array, number, Value][]).map(([, , candidate]) => candidate)

export const fitsReopened = (value: Value): boolean =>
  Array.isArray(value) && value.length >= 2 && value.length <= MAX_REOPENED && value.every(isCandidate)

const isCandidate = (candidate: Value): boolean => {
  if (!Array.isArray(candidate) || candidate.length !== 3) return false
  const [author, stamp] = candidate as readonly Value[]
  return (
    author instanceof Uint8Array &&
    author.length === DEVICE_ID_BYTES &&
    Number.isSafeInteger(stamp) &&
    (stamp as number) >= 0 &&
    (stamp as number) <= MAX_HLC
  )
}
