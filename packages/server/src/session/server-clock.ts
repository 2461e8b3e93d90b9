import { hlcToMs, MAX_HLC, type WallClock } from '@driftlog/core'

/**
 * The server's wall clock, or undefined where it cannot be right: what is stamped cannot be judged by it (ING2), and the
 * server is not ready. No high-water mark is kept: a glitch of a year must not stop the server for a year.
 */
export const readServerClock = (clock: WallClock, floorMs: number): number | undefined => {
  const nowMs = Math.floor(clock.now())
  return Number.isFinite(nowMs) && nowMs >= floorMs && nowMs <= hlcToMs(MAX_HLC) ? nowMs : undefined
}
