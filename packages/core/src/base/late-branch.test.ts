import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { cryptoReady } from '../crypto/sodium.ts'
import { lawKinds } from '../projection/law-histories.test-support.ts'
import { hexOf } from '../testing/replicas.test-support.ts'
import { decodeBase } from './base-bytes.ts'
import {
  folded,
  type Held,
  opened,
  receiveAll,
  replay,
  restOf,
  shownBy,
  shuffled,
  told,
  vectorFor,
} from './bases.test-support.ts'
import { comeBack, conflictsOf, joined, latePlans, naming, runLateHistory, withoutStamps } from './late-histories.test-support.ts'

beforeAll(cryptoReady)

const RUNS = 150
const shuffles = fc.array(fc.nat(), { minLength: 1, maxLength: 30 })

describe('late branches', () => {
  it.each(Object.entries(lawKinds))(
    '[CUT11 CUT5] %s: who was away comes back, and the base with what comes is the log, as if it had never been away',
    (_, kinds) => {
      const met = { runs: 0, lifted: 0 }
      fc.assert(
        fc.property(latePlans(kinds), shuffles, fc.nat(), (plan, order, pick) => {
          const history = runLateHistory(plan)
          fc.pre(history !== undefined)
          const { all, present, cut, returning } = history
          const vector = vectorFor(present, cut, { naming: naming(present, history) })
          const base = folded(present, cut, vector)
          const decoded = decodeBase(base.bytes)
          const state = opened(base)
          receiveAll(state, restOf(present, state))
          const statements: Held[] = []
          const late: Held[] = []
          returning.forEach((batches, index) => {
            const back = comeBack(state, decoded, batches, 60 + 10 * index)
            expect(back.found.left).toEqual([])
            for (const { batch } of back.statements) expect(state.log.addStated(batch)).toBe(false)
            receiveAll(state, back.statements)
            receiveAll(state, back.late)
            statements.push(...back.statements)
            late.push(...back.late)
          })
          expect(state.log.damage).toBeUndefined()
          met.runs += late.length
          met.lifted += late.filter(({ batch }) => batch.header.coarseMaxHlc <= cut / 4096).length

          const held = [...all, ...statements]
          const full = replay(held)
          expect(told(state)).toEqual(told(full))
          expect(shownBy(state)).toEqual(shownBy(full))
          const inTime = replay(all)
          expect(withoutStamps(state)).toBe(withoutStamps(inTime))
          expect(conflictsOf(shownBy(state))).toEqual(conflictsOf(shownBy(inTime)))

          const other = opened(base)
          receiveAll(other, shuffled(restOf(held, other), order))
          expect(told(other)).toEqual(told(full))

          const stamps = [...new Set(full.projector.ops.saved.flatMap((one) => one.stamps))].filter((one) => one >= cut)
          const second = stamps[pick % stamps.length]
          const stated = new Map(statements.map(({ branch }) => [branch, 1]))
          const further = vectorFor(held, second, { atLeast: joined(vector, stated), naming: history.naming })
          const scratch = folded(held, second, further)
          const onward = folded(shuffled(restOf(held, opened(base)), order), second, further, base)
          expect(hexOf(onward.bytes)).toBe(hexOf(scratch.bytes))
          const later = opened(onward)
          receiveAll(later, restOf(held, later))
          expect(told(later)).toEqual(told(full))
        }),
        { numRuns: RUNS },
      )
      expect(met.runs).toBeGreaterThan(60)
    },
  )
})
