import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { cryptoReady, hash } from '../crypto/sodium.ts'
import { DriftlogError } from '../errors.ts'
import { lawKinds, lawSteps, runLawHistory } from '../projection/law-histories.test-support.ts'
import { hexOf } from '../testing/replicas.test-support.ts'
import { folded, heldOf, opened, receiveAll, replay, restOf, shuffled, told, vectorFor } from './bases.test-support.ts'
import { decodeBase, encodeBase } from './base-bytes.ts'

beforeAll(cryptoReady)

const shuffles = fc.array(fc.nat(), { minLength: 1, maxLength: 30 })

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
            const held = heldOf(batches)
            const naming = ops.flatMap(({ dot, changes }) =>
              changes.flatMap(({ over }) => (over === undefined ? [] : [{ dot, over }])),
            )
            const full = replay(held)
            const stamps = stampsOf(full)
            if (stamps.length === 0) return
            const [first, second] = picks.slice(0, 2).map((pick) => stamps[pick % stamps.length]).sort((a, b) => a - b)
            const vector = vectorFor(held, first, { naming })
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
          },
        ),
        { numRuns: Number(process.env['RUNS'] ?? 60) },
      )
    },
  )
})

const unused = [hash, DriftlogError]
void unused
