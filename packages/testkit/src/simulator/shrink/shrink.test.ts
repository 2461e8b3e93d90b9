import { expect, test } from 'vitest'
import type { CheckerFactory } from '../checkers/checker.ts'
import { planOf } from '../plan.ts'
import { runSchedule } from '../run.ts'
import { namedTest, replayCommand } from './named-test.ts'
import { overridesOf, parseReplay } from './replay-code.ts'
import { shrink } from './shrink.ts'

/** Complains of a mutation that comes after a partition. */
const picky: CheckerFactory = (report) => {
  let isCut = false
  let hasReported = false
  return {
    name: 'picky',
    onEvent(event) {
      if (event.kind === 'fault' && event.fault === 'partition') isCut = true
      if (event.kind !== 'mutated' || !isCut || hasReported) return
      hasReported = true
      report("it's after a partition")
    },
  }
}

const options = { weights: { partition: 1, cut: 1 }, ops: 80 }
const overrides = { checkers: [picky] }

test('what is left of a failing schedule is what it takes', async () => {
  const small = await shrink({ seed: 3, options, overrides })
  expect(small?.violations).toEqual([expect.objectContaining({ checker: 'picky' })])
  const { kept, options: smallOptions } = small!.replay
  const acts = planOf({ ...(await runSchedule(3, { options: smallOptions, keep: () => false })).options })
  const left = acts.filter(({ index }) => kept?.has(index))
  expect(left.map((act) => (act.kind === 'fault' ? act.fault : act.kind)).toSorted()).toEqual(['mutate', 'partition'])
  expect(smallOptions.devices).toBe(1)
})

test('its one line replays it', async () => {
  const small = await shrink({ seed: 3, options, overrides })
  const replay = parseReplay(small!.code)
  const { violations } = await runSchedule(replay.seed, { ...overridesOf(replay), ...overrides })
  expect(violations).toHaveLength(1)
  expect(replayCommand(small!.code)).toBe(`driftlog simulate --replay '${small!.code}'`)
  expect(namedTest(small!.code, violations[0])).toContain(`test('picky: it\\'s after a partition', async`)
})

test('it stops at its bound, with the smallest so far', async () => {
  const small = await shrink({ seed: 3, options, overrides, runs: 3 })
  expect(small?.runs).toBeLessThanOrEqual(3)
})

test('a schedule that does not fail is not shrunk', async () => {
  expect(await shrink({ seed: 3, options: { ...options, weights: { cut: 1 } }, overrides })).toBeUndefined()
})
