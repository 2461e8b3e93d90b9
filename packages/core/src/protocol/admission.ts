/**
 * What a server asks of a batch before its store may judge it (ING1 to ING4). It never opens the body. Gaps, forks and
 * duplicates are the store's to tell (STORE1 to STORE3).
 */
import type { DeviceId } from '../clock/dot.ts'
import { type Hlc, isCoarseWithinDrift, isWithinDrift } from '../clock/hlc.ts'
import { malformed } from '../codec/bytes.ts'
import { certifiedInstallation } from '../crypto/identity.ts'
import { DriftlogError } from '../errors.ts'
import { type Batch, type BatchHeader, decodeBatch } from '../log/batch.ts'
import type { AppendOutcome, RecordChange } from '../log/batch-store.ts'
import { verifyBatch } from '../log/signature.ts'
import { toRefusalDetails } from './frame-codec.ts'
import type { PushOutcome } from './messages.ts'
import type { AdmittedMembers } from './server-types.ts'
import { shiftRecord } from './shift-records.ts'

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

/** The devices whose certificates all the rest of a push needs. */
export const devicesOf = (candidates: readonly Candidate[]): DeviceId[] => {
  const devices = new Set<DeviceId>()
  for (const candidate of candidates) {
    if (isRefused(candidate)) continue
    const { header } = candidate
    if (header.fromSeq > 1) devices.add(header.device)
  }
  return [...devices]
}

/** The next batch, where it depends on a shift whether it is too far ahead. */
export const aheadOf = ([next]: readonly Candidate[], serverTimeMs: number): BatchHeader | undefined =>
  next !== undefined && !isRefused(next) && isAhead(next.header, serverTimeMs) ? next.header : undefined

const isAhead = ({ coarseMaxHlc }: BatchHeader, serverTimeMs: number, shift: Hlc = 0): boolean =>
  !isCoarseWithinDrift(coarseMaxHlc, serverTimeMs, shift)

/**
 * A push is taken in by stretches, since a shift counts by what is stored (BR2): a batch that is ahead begins one, so that it
 * is asked for when all before it is stored, and one that states shifts is one by itself, so that they are known only if it is.
 */
const endsStretch = ({ header }: Batch, serverTimeMs: number): boolean =>
  header.shifts.length > 0 || isAhead(header, serverTimeMs)

/** What `admit` needs to know. */
export interface AdmissionAnswer {
  readonly certificates: ReadonlyMap<DeviceId, Uint8Array>
  /** The greatest shift that counts for `aheadOf` the candidates. */
  readonly shift: Hlc
}

export interface Stretch {
  readonly judged: readonly Candidate[]
  /** Those of the answer, and of the first batches that were admitted. */
  readonly certificates: ReadonlyMap<DeviceId, Uint8Array>
}

/** ING2 to ING4, in order, for the first stretch of the candidates; a refused batch does not hold up the others. */
export const admit = (
  candidates: readonly Candidate[],
  known: AdmissionAnswer,
  serverTimeMs: number,
  members?: AdmittedMembers,
): Stretch => {
  const certificates = new Map(known.certificates)
  const judged: Candidate[] = []
  for (const [index, candidate] of candidates.entries()) {
    if (isRefused(candidate)) {
      judged.push(candidate)
      continue
    }
    const { header } = candidate
    if (index > 0 && endsStretch(candidate, serverTimeMs)) break
    const shift = index === 0 ? known.shift : 0
    const admitted = isStranger(header, members) ? notAMember : admitOne(candidate, certificates, shift, serverTimeMs)
    judged.push(isBelow(admitted, certificates, members) ? belowRound : admitted)
    // Any certificate of a device names the same key, since the device id is that key's fingerprint.
    if (header.certificate !== undefined && judged.at(-1) === candidate) {
      certificates.set(header.device, header.certificate)
    }
    if (header.shifts.length > 0) break
  }
  return { judged, certificates }
}

const notAMember: Refusal = { kind: 'refused', code: 'NOT_A_MEMBER', details: {} }

/** MEM8: of a device whose installation never was a member's. Its certificate comes with its first batch, and is checked after this. */
const isStranger = ({ certificate }: BatchHeader, members: AdmittedMembers | undefined): boolean =>
  members !== undefined && certificate !== undefined && !members.isKnown(certifiedInstallation(certificate))

const belowRound: Refusal = { kind: 'refused', code: 'BELOW_BASE', details: {} }

const authorOf = ({ device, certificate }: BatchHeader, certificates: ReadonlyMap<DeviceId, Uint8Array>): Uint8Array =>
  certifiedInstallation((certificate ?? certificates.get(device))!)

/** PRUNE2. Of one that was checked: its certificate is known. */
const isBelow = (
  candidate: Candidate,
  certificates: ReadonlyMap<DeviceId, Uint8Array>,
  members: AdmittedMembers | undefined,
): boolean =>
  members !== undefined && !isRefused(candidate) && members.admits(authorOf(candidate.header, certificates)) === 'below'

/** PRUNE2: whether any of what was admitted gets in only as long as the door is open. */
export const isByDoor = (
  batches: readonly Batch[],
  certificates: ReadonlyMap<DeviceId, Uint8Array>,
  members: AdmittedMembers,
): boolean => batches.some(({ header }) => members.admits(authorOf(header, certificates)) === 'open')

const admitOne = (
  batch: Batch,
  certificates: ReadonlyMap<DeviceId, Uint8Array>,
  shift: Hlc,
  serverTimeMs: number,
): Candidate => {
  const { header } = batch
  // ING2: no stamp further ahead of the server's clock than the bound (SYNC5), by a shift's floor neither.
  const isInTime =
    !isAhead(header, serverTimeMs, shift) && header.shifts.every(({ floor }) => isWithinDrift(floor, serverTimeMs))
  if (!isInTime) return { kind: 'refused', code: 'CLOCK_AHEAD', details: { serverTimeMs } }
  // ING3: without the device's first batch there is no key to check with; and it would be a gap in any case.
  const known = certificates.get(header.device)
  if (header.fromSeq > 1 && known === undefined) return { kind: 'refused', code: 'GAP', details: { have: 0 } }
  try {
    // ING4: the device in the header signed it (SYNC6).
    verifyBatch(batch, known)
  } catch (error) {
    return refusalOf(error)
  }
  return batch
}

/** BR2: what accepted batches state; to be stored with them, and only if they are. */
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
      case 'below':
        return { kind: 'refused', code: 'BELOW_BASE', details: { floor: outcome.floor } }
      case 'undone':
      case 'replaced':
        throw new Error('only one batch at a time is appended all or nothing, and nothing is replaced')
    }
  })
}
