import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { cryptoReady } from '../crypto/sodium.ts'
import { lawKinds, lawSteps, runLawHistory } from '../projection/law-histories.test-support.ts'
import { hexOf } from '../testing/replicas.test-support.ts'
import type { VersionVector } from '../clock/version-vector.ts'
import { forgedPlans, forgeHistory } from './forged-histories.test-support.ts'
import {
  folded,
  type Held,
  heldOf,
  type Naming,
  opened,
  receiveAll,
  replay,
  restOf,
  shuffled,
  told,
  vectorFor,
} from './bases.test-support.ts'
import { decodeBase, encodeBase } from './base-bytes.ts'

beforeAll(cryptoReady)

const shuffles = fc.array(fc.nat(), { minLength: 1, maxLength: 30 })

interface LawOptions {
  readonly naming: readonly Naming[]
  readonly orders: readonly (readonly number[])[]
  readonly picks: readonly number[]
  readonly atLeast?: VersionVector
}

/** CUT5, for two cuts of a history. */
const expectLaw = (held: readonly Held[], { naming, orders: [order, other], picks, atLeast }: LawOptions): void => {
  const full = replay(held)
  const stamps = stampsOf(full)
  if (stamps.length === 0) return
  const [first, second] = picks
    .slice(0, 2)
    .map((pick) => stamps[pick % stamps.length])
    .sort((a, b) => a - b)
  // The least vector there can be, or the greatest.
  const least = vectorFor(held, first, { naming, ...(atLeast === undefined ? {} : { atLeast }) })
  const vector = picks[2] % 4 === 0 ? full.log.held() : least
  const base = folded(held, first, vector)
  expect(hexOf(folded(shuffled(held, order), first, vector).bytes)).toBe(hexOf(base.bytes))
  expect(hexOf(encodeBase(decodeBase(base.bytes)))).toBe(hexOf(base.bytes))

  const state = opened(base)
  const rest = restOf(shuffled(held, other), state)
  receiveAll(state, rest)
  expect(told(state)).toEqual(told(full))

  const further = vectorFor(held, second, { atLeast: vector, naming })
  const scratch = folded(held, second, further)
  const onward = folded(restOf(shuffled(held, order), opened(base)), second, further, base)
  expect(hexOf(onward.bytes)).toBe(hexOf(scratch.bytes))
  // Everything, down to what no digest shows.
  const end = stamps.at(-1)!
  const all = full.log.held()
  const whole = folded(held, end, all)
  expect(hexOf(folded(rest, end, all, base).bytes)).toBe(hexOf(whole.bytes))
  expect(hexOf(folded(restOf(held, opened(scratch)), end, all, scratch).bytes)).toBe(hexOf(whole.bytes))
}

/** What names exactly what it replaces, in its own words: of branches by the names that ops have in the end. */
const namingOf = (held: readonly Held[]): Naming[] => replay(held).runs.flatMap(({ named }) => named)

const stampsOf = (state: ReturnType<typeof replay>): number[] =>
  [...new Set(state.projector.ops.saved.flatMap(({ stamps }) => stamps))].sort((a, b) => a - b)

describe('a base', () => {
  it.each(Object.entries(lawKinds))(
    '[CUT5] %s: whatever the order, one history has one base for a cut, and with what follows it is the log',
    (_, kinds) => {
      fc.assert(
        fc.property(
          lawSteps(kinds, { replicas: 4, rows: 2, length: 40 }),
          shuffles,
          shuffles,
          fc.array(fc.nat(), { minLength: 3, maxLength: 3 }),
          (steps, order, other, picks) => {
            const { batches, ops } = runLawHistory(steps, 4)
            const naming = ops.flatMap(({ dot, changes }) =>
              changes.flatMap(({ over }) => (over === undefined ? [] : [{ dot, over }])),
            )
            expectLaw(heldOf(batches), { naming, orders: [order, other], picks })
          },
        ),
        { numRuns: 60 },
      )
    },
  )

  it('[CUT5 BR1 BR2 OP6 OP7] the same of histories with forks, shifts, void ops and broken groups', async () => {
    const seen = { branches: 0, voids: 0, shifts: 0 }
    await fc.assert(
      fc.asyncProperty(
        forgedPlans,
        shuffles,
        shuffles,
        fc.array(fc.nat(), { minLength: 3, maxLength: 3 }),
        async (plan, order, other, picks) => {
          const held = await forgeHistory(plan)
          const { projector, log } = replay(held)
          // Runs of groups may wait for each other for ever, and one name stand for two branches in one run.
          fc.pre(log.damage === undefined && log.backlog().waiting === 0)
          seen.branches += projector.ops.deviceCount
          seen.voids += projector.voidCount
          seen.shifts += log.statingShifts.size
          // A shift is stated before what it concerns is pruned (CUT8).
          const atLeast = new Map([...log.statingShifts].map((device) => [device, 1]))
          expectLaw(held, { naming: namingOf(held), orders: [order, other], picks, atLeast })
        },
      ),
      { numRuns: 150 },
    )
    expect(seen.branches).toBeGreaterThan(300)
    expect(seen.voids).toBeGreaterThan(100)
    expect(seen.shifts).toBeGreaterThan(20)
  })
})
