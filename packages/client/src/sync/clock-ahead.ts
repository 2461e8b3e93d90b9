/**
 * What a device does that is told CLOCK_AHEAD (SPEC BR2): it sets its clock back, and states, under another identity, how the
 * stamps that cannot be admitted are shifted. What is only minutes ahead is left to time.
 */
import {
  type DeviceId,
  HLC_EPOCH_MS,
  type Hlc,
  hlcFromMs,
  MAX_SHIFTS,
  type RefusedBranch,
  seqOf,
  type Shift,
  type VersionVector,
} from '@driftlog/core'
import type { CorrectedClock } from '../state/corrected-clock.ts'
import type { ReplicaState } from '../state/replica-state.ts'
import { clockOffsetRecord } from '../storage/bookmarks.ts'
import type { Keeper } from '../storage/keeper.ts'

/** A larger shift of the same run says something new only from so much on: clocks go on while it is asked for. */
const NEWS = hlcFromMs(HLC_EPOCH_MS + 3_600_000)

/** Stamps that are ahead by less will be admitted soon enough. */
const WORTH_WAITING_MS = 5 * 60_000

export interface ClockAheadParts {
  readonly state: ReplicaState
  readonly keeper: Keeper
  readonly clock: CorrectedClock
  /** Runs that were stated to be shifted, and how far they still were: what a shift does not help is left to time. */
  readonly statedShifts: Map<string, Hlc>
}

/** `acknowledged`: what the server holds, by branch. */
export const clockAhead = async (
  { state, keeper, clock, statedShifts }: ClockAheadParts,
  refused: readonly RefusedBranch[],
  acknowledged: VersionVector,
): Promise<void> => {
  const ahead = refused.filter(({ code }) => code === 'CLOCK_AHEAD')
  const serverTimeMs = Math.max(...ahead.map(({ details }) => Number(details.serverTimeMs)))
  if (!Number.isFinite(serverTimeMs)) return
  if (clock.setTo(serverTimeMs)) keeper.keep(clockOffsetRecord(clock.offsetMs))
  const now = hlcFromMs(serverTimeMs)
  // More of them, and the rest is refused again and stated next.
  const branches = ahead
    .map(({ branch }) => branch)
    .filter((branch) => isFarAhead(state, branch, serverTimeMs))
    .slice(0, MAX_SHIFTS)
  if (branches.length === 0) return
  let shifts: Shift[] = []
  await keeper.stateShifts(() => {
    shifts = branches
      .flatMap((branch) => shiftOf(state, branch, serverTimeMs, seqOf(acknowledged, branch)))
      .filter((shift) => isNews(statedShifts, shift))
    return { hlc: now, shifts, records: [clockOffsetRecord(clock.offsetMs)] }
  })
  // Only now: what could not be stored was not stated.
  for (const shift of shifts) statedShifts.set(runOf(shift), shift.shift)
}

const runOf = ({ device, base, firstTag }: Shift): string => `${device}/${base}/${firstTag.join()}`

const isNews = (stated: ReadonlyMap<string, Hlc>, shift: Shift): boolean =>
  shift.shift > (stated.get(runOf(shift)) ?? 0) + NEWS

const lastStamp = ({ projector: { ops } }: ReplicaState, branch: DeviceId): Hlc => {
  const index = ops.indexOf(branch)
  return index === undefined ? 0 : ops.lastStamp(index)
}

const isFarAhead = (state: ReplicaState, branch: DeviceId, serverTimeMs: number): boolean =>
  lastStamp(state, branch) > hlcFromMs(serverTimeMs + WORTH_WAITING_MS)

/** From the first run on that the server does not hold, so much that the last stamp becomes the server's time. */
const shiftOf = (state: ReplicaState, branch: DeviceId, serverTimeMs: number, acknowledgedSeq: number): Shift[] => {
  const { log, projector } = state
  const held = log.branch(branch)
  if (held === undefined || !isFarAhead(state, branch, serverTimeMs)) return []
  const base = Math.max(held.base, acknowledgedSeq)
  const [end] = log.runEnds(branch, base, held.seq, 1)
  const firstTag = end === undefined ? undefined : log.tagAt(branch, end)
  if (firstTag === undefined) return []
  const shift = projector.shiftOf(branch) + lastStamp(state, branch) - hlcFromMs(serverTimeMs)
  return [{ device: held.device, base, firstTag, shift, floor: 0 }]
}
