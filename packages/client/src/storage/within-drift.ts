import { type Batch, type DeviceId, isCoarseWithinDrift, type RefusedBranch } from '@driftlog/core'

/**
 * SYNC5: what comes by a courier and is stamped ahead of this device's clock is left where it is, with all that its device
 * wrote after it, unless a shift says how it is meant.
 */
export const withinDrift = (
  batches: readonly Batch[],
  nowMs: number,
  isShifted: (device: DeviceId) => boolean,
): { readonly admitted: Batch[]; readonly ahead: RefusedBranch[] } => {
  const admitted: Batch[] = []
  const ahead = new Map<DeviceId, RefusedBranch>()
  const shifted = new Set(batches.flatMap(({ header }) => header.shifts.map(({ device }) => device)))
  for (const batch of batches) {
    const { device, fromSeq, coarseMaxHlc } = batch.header
    const isMeantOtherwise = shifted.has(device) || isShifted(device)
    if (!ahead.has(device) && (isMeantOtherwise || isCoarseWithinDrift(coarseMaxHlc, nowMs))) admitted.push(batch)
    else if (!ahead.has(device))
      ahead.set(device, { branch: device, device, code: 'CLOCK_AHEAD', details: { fromSeq } })
  }
  return { admitted, ahead: [...ahead.values()] }
}
