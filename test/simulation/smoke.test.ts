/**
 * A fixed range of seeds, in every run of the tests: small enough to be waited for. `driftlog simulate` runs as many as one
 * likes, in all processors.
 */
import {
  formatReplay,
  type OptionOverrides,
  replayCommand,
  runSchedule,
  runSchedules,
  type ScheduleResult,
} from '@driftlog/testkit/simulator'
import { expect, test } from 'vitest'

/** Shorter than the seeds would have it: many short schedules find more than few long ones in the same time. */
const short: OptionOverrides = { devices: 3, ops: 60, faults: 15, faultsMs: 60_000 }

/** Far more than they take, unless the machine has other things to do. */
const LIMIT_MS = 300_000

const failuresOf = (failures: readonly ScheduleResult[], options: OptionOverrides): string[] =>
  failures.map(({ options: { seed }, violations: [{ checker, message }] }) => {
    const command = replayCommand(formatReplay({ seed, options, kept: undefined }))
    return `${checker}: ${message}\n${command}`
  })

test('300 short schedules break nothing', { timeout: LIMIT_MS }, async () => {
  const { schedules, failures } = await runSchedules({ from: 1, count: 300, options: short })
  expect(failuresOf(failures, short)).toEqual([])
  expect(schedules).toBe(300)
})

test('40 short schedules that are read through SQL break nothing', { timeout: LIMIT_MS }, async () => {
  const options = { ...short, sql: true }
  const { failures } = await runSchedules({ from: 1_001, count: 40, options })
  expect(failuresOf(failures, options)).toEqual([])
})

test('10 schedules of full length break nothing', { timeout: LIMIT_MS }, async () => {
  const { failures } = await runSchedules({ from: 3_001, count: 10 })
  expect(failuresOf(failures, {})).toEqual([])
})

test('the same seed is the same trace, and another seed is another', { timeout: LIMIT_MS }, async () => {
  const [first, again, other] = [await runSchedule(7), await runSchedule(7), await runSchedule(8)]
  expect(again.traceHash).toBe(first.traceHash)
  expect(other.traceHash).not.toBe(first.traceHash)
})
