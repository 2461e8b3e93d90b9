import { expect, test } from 'vitest'
import { fileName } from './download.ts'

test('a file is named by its space and the day, and is no path, whatever the space is called', () => {
  const now = new Date(2026, 2, 1, 23, 59)
  expect(fileName('demo', 'driftlog', now)).toBe('demo-2026-03-01.driftlog')
  expect(fileName('Zoë & co', 'sqlite', now)).toBe('Zoë_co-2026-03-01.sqlite')
  expect(fileName('../a\\b:c', 'json', now)).toBe('_a_b_c-2026-03-01.json')
})
