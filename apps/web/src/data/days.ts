/**
 * Days without a time: `2026-03-01`. The log stores the start of that day in UTC, so that a task is due on the same day on
 * every device, whatever its time zone.
 */
export type Day = string

const DAY_MS = 86_400_000

/** The calendar day of `now` where the person is. */
export const localDay = (now: Date): Day =>
  `${now.getFullYear()}-${String(now.getMonth() + 1).padStart(2, '0')}-${String(now.getDate()).padStart(2, '0')}`

export const dayOf = (date: Date): Day => date.toISOString().slice(0, 10)

/** undefined for what is no day, as a half-typed date field. */
export const dateOf = (day: Day): Date | undefined => {
  const date = new Date(`${day}T00:00:00.000Z`)
  return Number.isNaN(date.getTime()) ? undefined : date
}

const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long', timeZone: 'UTC' })
const thisYear = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', timeZone: 'UTC' })
const otherYear = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeZone: 'UTC' })

/** `Today`, `Friday`, `1 Mar`, `1 Mar 2031`. */
export const dayInWords = (due: Date, today: Day): string => {
  const start = dateOf(today) ?? due
  const distance = Math.round((due.getTime() - start.getTime()) / DAY_MS)
  if (distance === 0) return 'Today'
  if (distance === 1) return 'Tomorrow'
  if (distance === -1) return 'Yesterday'
  if (distance > 1 && distance < 7) return weekday.format(due)
  return (due.getUTCFullYear() === start.getUTCFullYear() ? thisYear : otherYear).format(due)
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' })
const dayAndClock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/** A moment for people: `just now`, `5 min ago`, `14:03`, `1 Mar 2026, 14:03`. */
export const momentInWords = (moment: Date, now: Date): string => {
  const ageMs = now.getTime() - moment.getTime()
  if (Math.abs(ageMs) < 60_000) return 'just now'
  if (ageMs > 0 && ageMs < 3_600_000) return `${Math.floor(ageMs / 60_000)} min ago`
  return localDay(moment) === localDay(now) ? clock.format(moment) : dayAndClock.format(moment)
}
