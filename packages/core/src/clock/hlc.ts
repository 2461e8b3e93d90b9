/**
 * Hybrid logical clock (Kulkarni et al. 2014) in one safe integer.
 *
 *     53 bits = [ 41 bits milliseconds since 2020-01-01 UTC | 12 bits counter ]
 *
 * Plain integer order is stamp order, and a full counter carries into the milliseconds by ordinary addition.
 * A stamp orders; it never proves delivery.
 */
import { DriftlogError } from '../errors.ts'

/** A stamp: safe integer, `milliseconds since 2020-01-01 UTC * 4096 + counter`. */
export type Hlc = number

export const HLC_EPOCH_MS = Date.UTC(2020, 0, 1)
export const HLC_COUNTER_SPAN = 4096
/** How far ahead of a server's clock a stamp may be when it is admitted. */
export const MAX_DRIFT_MS = 60_000
export const MAX_HLC = Number.MAX_SAFE_INTEGER

/** The lowest stamp of a wall-clock millisecond; times before 2020 count as 2020, times past the range as its end. */
export const hlcFromMs = (ms: number): Hlc => {
  const offset = Math.floor(ms) - HLC_EPOCH_MS
  if (!(offset > 0)) return 0
  return Math.min(offset * HLC_COUNTER_SPAN, MAX_HLC - HLC_COUNTER_SPAN + 1)
}

/** Wall-clock milliseconds since the Unix epoch that a stamp carries. */
export const hlcToMs = (hlc: Hlc): number => Math.floor(hlc / HLC_COUNTER_SPAN) + HLC_EPOCH_MS

/** HLC1: the stamp of a new op: the wall clock where it leads, otherwise one above the highest stamp known. */
export const tick = (highest: Hlc, nowMs: number): Hlc => {
  const next = Math.max(highest + 1, hlcFromMs(nowMs))
  if (next > MAX_HLC) throw new DriftlogError('CLOCK_AHEAD', 'the stamps of this space are used up', { hlc: highest })
  return next
}

/** HLC2: a batch advances the clock once, by its maximum. Never backwards. */
export const receive = (highest: Hlc, batchMaximum: Hlc): Hlc => Math.max(highest, batchMaximum)

/** HLC3: whether a server whose clock shows `serverTimeMs` may admit a stamp. */
export const isWithinDrift = (hlc: Hlc, serverTimeMs: number): boolean => hlcToMs(hlc) <= serverTimeMs + MAX_DRIFT_MS

/**
 * The coarse stamp of a plain batch header: steps of 1.024 s, rounded up, so that a server can bound the clock without
 * learning the moment of each op.
 */
export const COARSE_SPAN = 1024 * HLC_COUNTER_SPAN
export const toCoarse = (hlc: Hlc): number => Math.ceil(hlc / COARSE_SPAN)
/** The highest stamp that a coarse stamp admits. */
export const coarseCeiling = (coarse: number): Hlc => Math.min(coarse * COARSE_SPAN, MAX_HLC)
/** HLC3 for a coarse stamp: its rounding is not held against the author. `shift`: what is taken off stamps there (BR2). */
export const isCoarseWithinDrift = (coarse: number, serverTimeMs: number, shift: Hlc = 0): boolean =>
  isWithinDrift(Math.max(0, (coarse - 1) * COARSE_SPAN - shift), serverTimeMs)
