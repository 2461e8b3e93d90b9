import { expect, it } from 'vitest'
import { faultKinds, optionsOf, Random, replay, runSchedule, runSchedules, tallied } from './mod.ts'

it('schedules of the default swarm hold, each with 5 devices, 200 mutations and 20 faults or more', async () => {
  const { schedules, failures, tally, mutations } = await runSchedules({ from: 100, count: 12, repeatEvery: 6 })
  expect(failures.map(({ options, violations }) => [options.seed, violations])).toEqual([])
  expect(schedules).toBe(12)
  expect(mutations).toBeGreaterThan(12 * 200)
  expect(tallied(tally)).toBeGreaterThan(12 * 20)
})

it('a seed is one schedule: the same trace, told or not, with other checkers or none', async () => {
  const { traceHash, mutations } = await runSchedule(7)
  const told = await replay(7, { checkers: [] })
  expect(told.traceHash).toBe(traceHash)
  expect(told.lines.length).toBeGreaterThan(mutations)
  expect((await runSchedule(8)).traceHash).not.toBe(traceHash)
})

it('SQL shows what the cells show', async () => {
  const { failures } = await runSchedules({ from: 300, count: 3, options: { sql: true } })
  expect(failures.map(({ options, violations }) => [options.seed, violations])).toEqual([])
})

it('holds with real signatures too', async () => {
  expect((await runSchedule(40, { options: { realCrypto: true } })).violations).toEqual([])
})

it('options are a function of the seed; an override changes nothing else; every fault is on in some', () => {
  expect(optionsOf(5)).toEqual(optionsOf(5))
  expect(optionsOf(5, { devices: 9 })).toEqual({ ...optionsOf(5), devices: 9 })
  const on = new Set<string>()
  for (let seed = 0; seed < 300; seed++) for (const kind of Object.keys(optionsOf(seed).weights)) on.add(kind)
  expect([...on].toSorted()).toEqual(faultKinds.toSorted())
})

it('a stream of randomness depends on its name alone', () => {
  const drawn = Random.of(1)
  for (let count = 0; count < 10; count++) drawn.next()
  expect(drawn.stream('a').next()).toBe(Random.of(1).stream('a').next())
  expect(Random.of(1).stream('a').next()).not.toBe(Random.of(1).stream('b').next())
  expect(Random.of(1).stream('a').next()).not.toBe(Random.of(2).stream('a').next())
})
