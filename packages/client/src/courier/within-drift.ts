/**
 * SYNC5: what comes by a courier and is stamped ahead of this device's clock is left where it is, with all that its device wrote
 * after it, unless a shift says how it is meant. As at a server (ING2), a shift counts only where replicas apply it: its batch
 * must be held here, and its run on the way to what it is to move. So what needs no shift is taken in first.
 */
import {
  type Batch,
  type BatchHeader,
  type DeviceId,
  firstTagOf,
  type Hlc,
  isCoarseWithinDrift,
  isWithinDrift,
  type OpLog,
  type RefusedBranch,
} from '@driftlog/core'

export interface Sorted {
  readonly inTime: Batch[]
  readonly ahead: Batch[]
}

/** In rising order of seqs. A floor that is ahead is as bad as a stamp: it lifts what it covers above everybody else's. */
export const sortByDrift = (batches: readonly Batch[], nowMs: number): Sorted => {
  const inTime: Batch[] = []
  const ahead: Batch[] = []
  const waiting = new Set<DeviceId>()
  for (const batch of batches) {
    const { header } = batch
    if (!isCoarseWithinDrift(header.coarseMaxHlc, nowMs) || hasFloorAhead(header, nowMs)) waiting.add(header.device)
    if (waiting.has(header.device)) ahead.push(batch)
    else inTime.push(batch)
  }
  return { inTime, ahead }
}

/** Of what is ahead what the shifts in the log admit, and what is left out for it. */
export const shiftedWithinDrift = (
  ahead: readonly Batch[],
  nowMs: number,
  log: Pick<OpLog, 'shiftOf' | 'shiftAt'>,
): { readonly admitted: Batch[]; readonly refused: RefusedBranch[] } => {
  const admitted: Batch[] = []
  const refused = new Map<DeviceId, RefusedBranch>()
  const shifts = new Map<string, Hlc>()
  for (const batch of ahead) {
    const { header } = batch
    const { device, fromSeq, toSeq, tagBefore, tagAfter, coarseMaxHlc } = header
    if (refused.has(device)) continue
    const base = fromSeq - 1
    const before = log.shiftAt(device, { seq: base, tag: tagBefore }) ?? shifts.get(placeOf(device, base, tagBefore))
    const shift = Math.max(before ?? 0, log.shiftOf(device, { base, firstTag: firstTagOf(header) }))
    if (isCoarseWithinDrift(coarseMaxHlc, nowMs, shift) && !hasFloorAhead(header, nowMs)) {
      admitted.push(batch)
      // Of two that say that they end in one place, one lies: the lower shift is safe for what goes on from there.
      const end = placeOf(device, toSeq, tagAfter)
      shifts.set(end, Math.min(shift, shifts.get(end) ?? shift))
    } else {
      refused.set(device, { branch: device, device, code: 'CLOCK_AHEAD', details: { fromSeq } })
    }
  }
  return { admitted, refused: [...refused.values()] }
}

const hasFloorAhead = ({ shifts }: BatchHeader, nowMs: number): boolean =>
  shifts.some(({ floor }) => !isWithinDrift(floor, nowMs))

const placeOf = (device: DeviceId, seq: number, tag: Uint8Array): string => `${device}/${seq}/${tag.join()}`
