/** Spans of virtual time, as tests write them, and moments of it, as reports show them. */
import { START_MS } from '../simulator/time.ts'

/** Milliseconds, or the sum of the parts. */
export type Duration =
  | number
  | {
      readonly days?: number
      readonly hours?: number
      readonly minutes?: number
      readonly seconds?: number
      readonly ms?: number
    }

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS

export const toMs = (duration: Duration): number => {
  if (typeof duration === 'number') return duration
  const { days = 0, hours = 0, minutes = 0, seconds = 0, ms = 0 } = duration
  return days * DAY_MS + hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS + ms
}

/** `day 1 00:00:05`; with milliseconds only where there are some. A scenario begins on day 1 at midnight. */
export const momentText = (at: Date): string => {
  const sinceMs = Math.floor(at.getTime() - START_MS)
  const day = Math.floor(sinceMs / DAY_MS)
  const time = at.toISOString().slice(11, 23)
  // There is no day 0: the day before day 1 is day -1.
  return `day ${day < 0 ? day : day + 1} ${time.endsWith('.000') ? time.slice(0, 8) : time}`
}
