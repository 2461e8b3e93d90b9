import { expect, test } from 'vitest'
import { dateOf, dayInWords, dayOf, localDay, momentInWords } from './days.ts'

test('a day is the same day in every time zone', () => {
  expect(dateOf('2026-03-01')?.toISOString()).toBe('2026-03-01T00:00:00.000Z')
  expect(dayOf(new Date('2026-03-01T00:00:00Z'))).toBe('2026-03-01')
  expect(dateOf('')).toBeUndefined()
  expect(dateOf('2026-13-01')).toBeUndefined()
})

test('today is the day on the wall, not in UTC', () => {
  expect(localDay(new Date(2026, 2, 1, 0, 30))).toBe('2026-03-01')
  expect(localDay(new Date(2026, 2, 1, 23, 30))).toBe('2026-03-01')
})

test.each([
  ['2026-03-10', 'Today'],
  ['2026-03-11', 'Tomorrow'],
  ['2026-03-09', 'Yesterday'],
  ['2026-03-16', new Intl.DateTimeFormat(undefined, { weekday: 'long' }).format(new Date(2026, 2, 16))],
  ['2026-03-17', new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' }).format(new Date(2026, 2, 17))],
  ['2026-03-08', new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' }).format(new Date(2026, 2, 8))],
  ['2027-03-10', new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' }).format(new Date(2027, 2, 10))],
])('%s is %s', (day, words) => {
  expect(dayInWords(new Date(`${day}T00:00:00Z`), '2026-03-10')).toBe(words)
})

test('moments are near in words and far in numbers, and a fast clock of another device is no future', () => {
  const now = new Date(2026, 2, 10, 12, 0, 0)
  const ago = (seconds: number) => momentInWords(new Date(now.getTime() - seconds * 1_000), now)
  expect(ago(5)).toBe('just now')
  expect(ago(-30)).toBe('just now')
  expect(ago(300)).toBe('5 min ago')
  expect(ago(2 * 3_600)).toBe(
    new Intl.DateTimeFormat(undefined, { timeStyle: 'short' }).format(new Date(2026, 2, 10, 10, 0)),
  )
})
