/**
 * What a server asks of a batch before its store may judge it (ING1 to ING4). It never opens the body. Gaps, forks and
 * duplicates are the store's to tell (STORE1 to STORE3).
 */
import type { DeviceId } from '../clock/dot.ts'
import { isWithinDrift } from '../clock/hlc.ts'
import { malformed } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import { type Batch, decodeBatch, type Shift } from '../log/batch.ts'
import type { AppendOutcome, RecordChange } from '../log/batch-store.ts'
import { verifyBatch } from '../log/signature.ts'
import { toRefusalDetails } from './frame-codec.ts'
import type { PushOutcome } from './messages.ts'
import { isHeaderWithinDrift, shiftRecord } from './shift-records.ts'

export type Refusal = PushOutcome & { readonly kind: 'refused' }
/** One batch of a push on its way in. */
export type Candidate = Batch | Refusal

export const isRefused = (candidate: Candidate): candidate is Refusal => 'kind' in candidate

const refusalOf = (error: unknown): Refusal => {
  if (!(error instanceof DriftlogError)) throw error
  return { kind: 'refused', code: error.code, details: toRefusalDetails(error.details) }
}

/** ING1: a batch decodes and is of this space. */
export const openCandidate = (space: string, bytes: Uint8Array): Candidate => {
  try {
    const batch = decodeBatch(bytes)
    if (batch.header.space !== space) throw malformed('a batch of another space')
    return batch
  } catch (error) {
    return refusalOf(error)
  }
}

/** What `admit` needs to know: the certificates of devices that continue a history, and the shifts of those ahead. */
export interface AdmissionQuestion {
  readonly devices: readonly DeviceId[]
  readonly ahead: readonly DeviceId[]
}

export const toLookUp = (candidates: readonly Candidate[], serverTimeMs: number): AdmissionQuestion => {
  const devices = new Set<DeviceId>()
  const ahead = new Set<DeviceId>()
  for (const candidate of candidates) {
    if (isRefused(candidate)) continue
    const { header } = candidate
    if (header.fromSeq > 1) devices.add(header.device)
    if (!isHeaderWithinDrift(header, [], serverTimeMs)) ahead.add(header.device)
  }
  return { devices: [...devices], ahead: [...ahead] }
}

export interface AdmissionAnswer {
  readonly certificates: ReadonlyMap<DeviceId, Uint8Array>
  readonly shifts: readonly Shift[]
}

/** ING2 to ING4, in order; a refused batch does not hold up the others. */
export const admit = (candidates: readonly Candidate[], known: AdmissionAnswer, serverTimeMs: number): Candidate[] => {
  const certificates = new Map(known.certificates)
  const shifts = [...known.shifts]
  return candidates.map((candidate) => {
    if (isRefused(candidate)) return candidate
    const { header } = candidate
    const { device, fromSeq, certificate } = header
    // ING2: no stamp further ahead of the server's clock than the bound (SYNC5), by a shift's floor neither.
    const isInTime =
      isHeaderWithinDrift(header, shifts, serverTimeMs) &&
      header.shifts.every(({ floor }) => isWithinDrift(floor, serverTimeMs))
    if (!isInTime) return { kind: 'refused', code: 'CLOCK_AHEAD', details: { serverTimeMs } }
    // ING3: without the device's first batch there is no key to check with; and it would be a gap in any case.
    if (fromSeq > 1 && !certificates.has(device)) return { kind: 'refused', code: 'GAP', details: { have: 0 } }
    try {
      // ING4: the device in the header signed it (SYNC6).
      verifyBatch(candidate, certificates.get(device))
    } catch (error) {
      return refusalOf(error)
    }
    // Any certificate of a device names the same key, since the device id is that key's fingerprint.
    if (certificate !== undefined) certificates.set(device, certificate)
    shifts.push(...header.shifts)
    return candidate
  })
}

/** BR2: what accepted batches state about branches that may come after them. */
export const shiftRecords = (batches: readonly Batch[]): RecordChange[] =>
  batches.flatMap(({ header }) => header.shifts.map(shiftRecord))

/** What the pusher is told, from what was refused before the store and what the store answered for the rest, in order. */
export const outcomesOf = (candidates: readonly Candidate[], stored: readonly AppendOutcome[]): PushOutcome[] => {
  let next = 0
  return candidates.map((candidate): PushOutcome => {
    if (isRefused(candidate)) return candidate
    const outcome = stored[next++]
    switch (outcome.kind) {
      case 'appended':
      case 'duplicate':
        return { kind: outcome.kind }
      case 'gap':
        return { kind: 'refused', code: 'GAP', details: { have: outcome.have } }
      case 'fork':
        return { kind: 'refused', code: 'FORK', details: { have: outcome.have } }
      case 'undone':
        throw new Error('a push is not appended all or nothing')
    }
  })
}
