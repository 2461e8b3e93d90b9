import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Dot } from '../clock/dot.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { lawKinds } from '../projection/law-histories.test-support.ts'
import { hexOf } from '../testing/replicas.test-support.ts'
import { decodeBase } from './base-bytes.ts'
import {
  folded,
  type Held,
  opened,
  type Naming,
  receiveAll,
  replay,
  restOf,
  shownBy,
  shuffled,
  told,
  vectorFor,
} from './bases.test-support.ts'
import type { FoldedBase } from './fold-base.ts'
import { forgedPlans, forgeHistory } from './forged-histories.test-support.ts'
import {
  comeBack,
  conflictsOf,
  joined,
  latePlans,
  naming,
  runLateHistory,
  whoGoesOn,
  withoutStamps,
} from './late-histories.test-support.ts'

beforeAll(cryptoReady)

const shuffles = fc.array(fc.nat(), { minLength: 1, maxLength: 30 })
const RUNS = 100

const namingOf = (held: readonly Held[]): Naming[] => replay(held).runs.flatMap(({ named }) => named)

const stampsOf = (state: ReturnType<typeof replay>): number[] =>
  [...new Set(state.projector.ops.saved.flatMap(({ stamps }) => stamps))].sort((a, b) => a - b)

/** Divides a history: what some have who know nothing of some batches, and what one holds who knows these. */
const partOf = (held: readonly Held[], { runs, log }: ReturnType<typeof replay>, picks: readonly number[]) => {
  const covering = (dot: Dot): Held | undefined =>
    held.find(({ batch: { header }, branch }) => branch === dot.device && header.fromSeq <= dot.seq && header.toSeq >= dot.seq)
  const causes = new Map(
    held.map((one) => {
      const { fromSeq, toSeq } = one.batch.header
      const own = runs.filter((run) => run.device === one.branch && run.fromSeq >= fromSeq && run.fromSeq <= toSeq)
      const dots = [{ device: one.branch, seq: fromSeq - 1 }, ...own.flatMap((run) => [...run.references, run.end])]
      return [one, dots.flatMap((dot) => covering(dot) ?? [])] as const
    }),
  )
  const isGone = (one: Held, seen = new Set<Held>()): boolean => {
    if (seen.has(one)) return false
    seen.add(one)
    if (log.statingShifts.has(one.branch)) return false
    return held.indexOf(one) % 3 === picks[0] % 3 || causes.get(one)!.some((cause) => isGone(cause, seen))
  }
  const present = held.filter((one) => !isGone(one))
  const known = new Set<Held>()
  const know = (one: Held): void => {
    if (known.has(one)) return
    known.add(one)
    for (const cause of causes.get(one)!) know(cause)
  }
  for (const one of held) if (picks[1] % 2 === 0 || !present.includes(one)) know(one)
  return { present, returning: held.filter((one) => known.has(one)) }
}

describe('late branches', () => {
  it.each(Object.entries(lawKinds))(
    '[CUT11 CUT5] %s: who was away comes back, and the base with what comes is the log, as if it had never been away',
    (_, kinds) => {
      const met = { batches: 0, lifted: 0, lacking: 0, kept: 0, named: 0 }
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
          returning.forEach((batches, index) => {
            const { found, statements: stated, late } = comeBack(state, decoded, batches, 60 + 10 * index)
            expect(found.left).toEqual([])
            for (const { batch } of stated) expect(state.log.addStated(batch)).toBe(false)
            receiveAll(state, stated)
            receiveAll(state, late)
            statements.push(...stated)
            met.batches += late.length
            for (const { kept, named, runs } of found.statements.flatMap(({ records }) => records)) {
              met.kept += kept.length
              met.named += named.length
              met.lacking += runs.filter(({ before, ops }) => before.length + ops.length > 0).length
            }
          })
          expect(state.log.damage).toBeUndefined()

          const held = [...all, ...statements]
          const full = replay(held)
          expect(told(state)).toEqual(told(full))
          const shown = shownBy(state)
          expect(shown).toEqual(shownBy(full))
          const inTime = replay(all)
          expect(withoutStamps(state)).toBe(withoutStamps(inTime))
          expect(conflictsOf(shown)).toEqual(conflictsOf(shownBy(inTime)))
          const stamps = [...new Set(full.projector.ops.saved.flatMap((one) => one.stamps))].filter((one) => one >= cut)
          met.lifted += inTime.projector.ops.saved.some(({ stamps: own, id }) => {
            const shifted = full.projector.ops.saved[full.projector.ops.indexOf(id)!].stamps
            return own.some((stamp, at) => stamp < shifted[at])
          })
            ? 1
            : 0

          const other = opened(base)
          receiveAll(other, shuffled(restOf(held, other), order))
          expect(told(other)).toEqual(told(full))

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
      expect(met.batches).toBeGreaterThan(RUNS)
      expect(met.lifted).toBeGreaterThan(RUNS / 10)
      expect(met.lacking).toBeGreaterThan(RUNS / 10)
      expect(met.kept).toBeGreaterThan(RUNS / 10)
      expect(met.named).toBeGreaterThan(RUNS / 10)
    },
  )

  it.each(Object.entries(lawKinds))(
    '[CUT11 CUT13] %s: others go on meanwhile, and make the next base between two who come back',
    (_, kinds) => {
      let rebased = 0
      fc.assert(
        fc.property(latePlans(kinds), shuffles, fc.array(fc.nat(), { minLength: 12, maxLength: 12 }), (plan, order, picks) => {
          const history = runLateHistory(plan)
          fc.pre(history !== undefined)
          const { all, present, cut, returning } = history
          const held: Held[] = [...present]
          const names: Naming[] = [...history.naming]
          let base: FoldedBase = folded(present, cut, vectorFor(present, cut, { naming: naming(present, history) }))
          const states = [opened(base)]
          for (const state of states) receiveAll(state, restOf(present, state))
          const stated = new Map<Held['branch'], number>()
          const take = (batches: readonly Held[]): void => {
            for (const state of states) receiveAll(state, batches)
            held.push(...batches)
          }
          const goesOn = whoGoesOn(states[0], 40)
          returning.forEach((batches, index) => {
            const newest = states[states.length - 1]
            const { found, statements, late } = comeBack(newest, decodeBase(base.bytes), batches, 60 + 10 * index)
            expect(found.left).toEqual([])
            take(statements)
            take(late)
            for (const { branch } of statements) stated.set(branch, 1)
            const { written, over } = goesOn(picks.slice(index * 3, index * 3 + 3))
            for (const state of states.slice(1)) receiveAll(state, written)
            held.push(...written)
            names.push(...over)
            if (index === returning.length - 1 || picks[9 + index] % 2 === 0) return
            const full = replay(held)
            const stamps = [...new Set(full.projector.ops.saved.flatMap((one) => one.stamps))].filter((one) => one >= base.cut)
            const next = stamps[picks[9 + index] % stamps.length]
            const vector = vectorFor(held, next, { atLeast: joined(base.vector, stated), naming: naming(held, { naming: names }) })
            base = folded(restOf(held, opened(base)), next, vector, base)
            const state = opened(base)
            receiveAll(state, restOf(held, state))
            states.push(state)
            rebased++
          })
          expect(held.length).toBeGreaterThanOrEqual(all.length)
          const full = replay(held)
          const digest = told(full)
          for (const state of states) expect(told(state)).toEqual(digest)
          const shown = shownBy(full)
          for (const state of states) expect(shownBy(state)).toEqual(shown)
          const fresh = opened(base)
          receiveAll(fresh, shuffled(restOf(held, fresh), order))
          expect(told(fresh)).toEqual(digest)
          const end = full.projector.highest
          const whole = folded(held, end, full.log.held())
          expect(hexOf(folded(restOf(held, opened(base)), end, full.log.held(), base).bytes)).toBe(hexOf(whole.bytes))
        }),
        { numRuns: RUNS },
      )
      expect(rebased).toBeGreaterThan(RUNS / 10)
    },
  )

  it('[CUT11 OP6 OP7 BR2] the same of what no honest device writes: void ops, broken groups, heads that say what was said, shifts', async () => {
    const met = { batches: 0, voids: 0, shifted: 0 }
    await fc.assert(
      fc.asyncProperty(forgedPlans, shuffles, fc.array(fc.nat(), { minLength: 4, maxLength: 4 }), async (plan, order, picks) => {
        const held = await forgeHistory({ ...plan, steps: plan.steps.map((step) => ({ ...step, from: 0 })) })
        const before = replay(held)
        fc.pre(before.log.damage === undefined && before.log.backlog().waiting === 0)
        const { present, returning } = partOf(held, before, picks)
        fc.pre(present.length > 0)
        const stamps = stampsOf(replay(present))
        const cut = stamps[picks[2] % stamps.length]
        const stating = new Map([...before.log.statingShifts].map((device) => [device, 1]))
        const vector = vectorFor(present, cut, { naming: namingOf(present), atLeast: stating })
        const base = folded(present, cut, vector)
        const state = opened(base)
        receiveAll(state, restOf(present, state))
        const { found, statements, late } = comeBack(state, decodeBase(base.bytes), returning, 60)
        expect(found.left).toEqual([])
        receiveAll(state, statements)
        receiveAll(state, late)
        met.batches += late.length
        const all = [...held, ...statements]
        const full = replay(all)
        met.voids += full.projector.voidCount
        met.shifted += stating.size
        expect(told(state)).toEqual(told(full))
        const other = opened(base)
        receiveAll(other, shuffled(restOf(all, other), order))
        expect(told(other)).toEqual(told(full))
        const second = stampsOf(full).filter((stamp) => stamp >= cut)
        const next = second[picks[3] % second.length]
        for (const [device] of full.log.held()) if (full.log.statingShifts.has(device)) stating.set(device, 1)
        const further = vectorFor(all, next, { atLeast: joined(vector, stating), naming: namingOf(all) })
        const scratch = folded(all, next, further)
        const onward = folded(restOf(all, opened(base)), next, further, base)
        const DBG = ({ bytes }: FoldedBase) => ({ ...decodeBase(bytes), refs: 0, vector: 0 })
        expect(DBG(onward)).toEqual(DBG(scratch))
        expect(hexOf(onward.bytes)).toBe(hexOf(scratch.bytes))
      }),
      { numRuns: 2 * RUNS },
    )
    expect(met.batches).toBeGreaterThan(RUNS)
    expect(met.voids).toBeGreaterThan(RUNS)
    expect(met.shifted).toBeGreaterThan(RUNS / 10)
  })
})
