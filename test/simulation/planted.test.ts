/**
 * The gate of the planted bugs: each is a rule forgotten in one line, and one of the checkers has to notice within a bounded
 * number of schedules. One that is not noticed shows that what its rule forbids could happen unseen.
 */
import { availableParallelism } from 'node:os'
import { expect, test } from 'vitest'
import { plantedBugs } from './planted/bugs.ts'
import { hunt, isCaught, sentenceOf } from './planted/hunt.ts'

const SCHEDULES = 200
const JOBS = Math.min(2, availableParallelism())

test(`each of ${plantedBugs.length} planted bugs is caught within ${SCHEDULES} schedules`, {
  timeout: 480_000,
}, async () => {
  const verdicts = await hunt({ bugs: plantedBugs, schedules: SCHEDULES, jobs: JOBS })
  expect(verdicts.filter((verdict) => !isCaught(verdict)).map(sentenceOf)).toEqual([])
  expect(verdicts.length).toBeGreaterThanOrEqual(30)
})

test('bugs have names of their own', () => {
  expect(new Set(plantedBugs.map(({ name }) => name)).size).toBe(plantedBugs.length)
})
