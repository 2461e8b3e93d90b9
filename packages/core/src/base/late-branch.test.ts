import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { DeviceId, Dot } from '../clock/dot.ts'
import { Keyring } from '../crypto/keyring.ts'
import { columnOf, writesOf } from '../cells/cell-state.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { lawKinds } from '../projection/law-histories.test-support.ts'
import type { Batch } from '../log/batch.ts'
import { decodeLate, encodeLate, type LateRecord, readLate } from '../log/late-record.ts'
import { memoryStore } from '../log/memory-store.ts'
import { sealShifts } from '../log/writer.ts'
import { Law } from '../op/law.ts'
import {
  createReplica,
  type ForgedChange,
  hexOf,
  identityOf,
  permutations,
  type Replica,
  seededRandom,
  shapes,
  SPACE,
  START_MS,
} from '../testing/replicas.test-support.ts'
import { copyUpTo, createMembers, deviceOf, epochKeyOf } from '../testing/members.test-support.ts'
import { treeForger } from '../testing/tree-forger.test-support.ts'
import { decodeBase } from './base-bytes.ts'
import {
  folded,
  type Held,
  heldOf,
  keyring,
  type Naming,
  opened,
  receiveAll,
  replay,
  restOf,
  shownBy,
  shuffled,
  type State,
  told,
  vectorFor,
} from './bases.test-support.ts'
import { findLate } from './late-branch.ts'
import { openBase } from './open-base.ts'
import { foldBase, type FoldedBase } from './fold-base.ts'
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
    held.find(
      ({ batch: { header }, branch }) => branch === dot.device && header.fromSeq <= dot.seq && header.toSeq >= dot.seq,
    )
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
        fc.property(
          latePlans(kinds),
          shuffles,
          fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
          (plan, order, picks) => {
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
              const stamps = [...new Set(full.projector.ops.saved.flatMap((one) => one.stamps))].filter(
                (one) => one >= base.cut,
              )
              const next = stamps[picks[9 + index] % stamps.length]
              const vector = vectorFor(held, next, {
                atLeast: joined(base.vector, stated),
                naming: naming(held, { naming: names }),
              })
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
          },
        ),
        { numRuns: RUNS },
      )
      expect(rebased).toBeGreaterThan(RUNS / 10)
    },
  )

  it('[CUT11 OP6 OP7 BR2] the same of what no honest device writes: void ops, broken groups, heads that say what was said, shifts', async () => {
    const met = { batches: 0, voids: 0, shifted: 0 }
    await fc.assert(
      fc.asyncProperty(
        forgedPlans,
        shuffles,
        fc.array(fc.nat(), { minLength: 4, maxLength: 4 }),
        async (plan, order, picks) => {
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
        },
      ),
      { numRuns: 2 * RUNS },
    )
    expect(met.batches).toBeGreaterThan(RUNS)
    expect(met.voids).toBeGreaterThan(RUNS)
    expect(met.shifted).toBeGreaterThan(RUNS / 10)
  })
})

describe('a late branch', () => {
  const title = (value: string, row: ForgedChange['row']): ForgedChange => ({ shape: shapes.title, row, value })
  const stored = async (batches: readonly Batch[]): Promise<Held[]> => {
    const store = memoryStore()
    await store.append(SPACE, batches)
    const page = await store.readAbove(SPACE, new Map(), { batches: 100, bytes: Number.MAX_SAFE_INTEGER })
    return page.batches.map(({ batch, branch }) => ({ batch, branch }))
  }
  /** What `d` wrote first is in the base, and a write of `e` that `d` never saw. */
  const beginning = () => {
    const [d, e] = [treeForger(1), treeForger(2)]
    const one = d.seal(d.root, [[{ hlc: 10, changes: [{ shape: shapes.insert, row: { id: 'x' } }] }]])
    const heads = [{ device: d.device, seq: 1 }]
    const there = { device: d.device, ordinal: 0 }
    const two = e.seal(e.root, [[{ hlc: 20, heads, changes: [title('by e', there)] }]], { references: [one.end.hash] })
    const present = [one, two].map(({ batch }): Held => ({ batch, branch: batch.header.device }))
    const base = folded(present, 20, replay(present).log.held())
    return { d, e, there, one, two, present, base, decoded: decodeBase(base.bytes) }
  }
  const titles = ({ projector }: State): string[] => {
    const { rows } = projector.cells.table('tasks')
    return [...rows.values()].flatMap((row) =>
      writesOf(row, columnOf(row.table, shapes.title)).map(({ value }) => value as string),
    )
  }

  it('[CUT11 BR1] that forks: what goes on from late work is late, under whatever name', async () => {
    const { d, there, one, present, base, decoded } = beginning()
    const late = d.seal(one.end, [[{ hlc: 11, changes: [{ shape: shapes.votes, row: there, value: 1 }] }]])
    const clones = ['left', 'right'].map((value) => d.seal(late.end, [[{ hlc: 12, changes: [title(value, there)] }]]))
    const f = treeForger(3)
    const heads = [{ device: d.device, seq: 3 }]
    // Its author knew one of the two alone, by the name of the stem.
    const odd = f.seal(f.root, [[{ hlc: 13, heads, changes: [title('over right', there)] }]], {
      references: [clones[1].end.hash],
    })
    // Another had seen nothing of the prefix at all.
    const g = treeForger(4)
    const begun = g.seal(g.root, [[{ hlc: 11, changes: [title('begun', { id: 'x' })] }]])
    const twins = ['one', 'other'].map((value) =>
      g.seal(begun.end, [[{ hlc: 12, changes: [title(value, { id: 'x' })] }]]),
    )
    const all = await stored([one, late, ...clones, odd, begun, ...twins].map(({ batch }) => batch))
    const state = opened(base)
    const back = comeBack(state, decoded, all, 60)
    expect(back.found.left).toEqual([])
    receiveAll(state, [...back.statements, ...back.late])
    const held = [...all, present[1], ...back.statements]
    expect(told(state)).toEqual(told(replay(held)))
    expect(titles(state).sort()).toEqual(['by e', 'left', 'one', 'other', 'over right'])
  })

  it('[CUT11 OP5] is judged with its shift: what is void for its stamp alone counts then', () => {
    const { e, there, one, two, base, present, decoded } = beginning()
    const f = treeForger(3)
    const heads = [{ device: e.device, seq: 1 }]
    const odd = f.seal(f.root, [[{ hlc: 15, heads, changes: [title('below what it saw', there)] }]], {
      references: [two.end.hash],
    })
    const old: Held[] = [one, two, odd].map(({ batch }) => ({ batch, branch: batch.header.device }))
    expect(replay(old).projector.voidCount).toBe(1)
    const state = opened(base)
    const { statements, late } = comeBack(state, decoded, old, 60)
    receiveAll(state, [...statements, ...late])
    expect(told(state)).toEqual(told(replay([...present, ...late, ...statements])))
    expect(titles(state)).toEqual(['below what it saw'])
  })

  it('[CUT11 BR4] whose author did not know of a fork in the prefix: what it had seen and names is told by the names there', async () => {
    const { d, there, one } = beginning()
    const left = d.seal(one.end, [[{ hlc: 15, changes: [title('left', there)] }]])
    const right = d.seal(one.end, [[{ hlc: 16, changes: [title('right', there)] }]])
    const present = await stored([one, left, right].map(({ batch }) => batch))
    const base = folded(present, 20, replay(present).log.held())
    const f = treeForger(3)
    const heads = [{ device: d.device, seq: 2 }]
    const deletes: ForgedChange = { shape: shapes.delete, row: there }
    const odd = f.seal(
      f.root,
      [
        [
          { hlc: 17, heads, changes: [title('over left', there)] },
          { hlc: 18, changes: [deletes] },
        ],
      ],
      {
        references: [left.end.hash],
      },
    )
    const old: Held[] = [one, left, odd].map(({ batch }) => ({ batch, branch: batch.header.device }))
    const state = opened(base)
    const { found, statements, late } = comeBack(state, decodeBase(base.bytes), old, 60)
    expect(found.left).toEqual([])
    receiveAll(state, [...statements, ...late])
    const full = replay([...present, ...late, ...statements])
    expect(full.projector.voidCount).toBe(0)
    expect(told(state)).toEqual(told(full))
    expect(titles(state).sort()).toEqual(['over left', 'right'])
  })

  it('[CUT12] whose record comes after it: the log is read anew, statements first', () => {
    const { d, there, one, present, base, decoded } = beginning()
    const late = d.seal(one.end, [[{ hlc: 11, changes: [title('by d', there)] }]])
    const old: Held[] = [one, late].map(({ batch }) => ({ batch, branch: d.device }))
    const { statements } = comeBack(opened(base), decoded, old, 60)
    const state = opened(base)
    receiveAll(state, [old[1]])
    // Without it, all the prefix counts as seen.
    expect(titles(state)).toEqual(['by d'])
    expect(state.log.addStated(statements[0].batch)).toBe(true)
    expect(state.log.addStated(statements[0].batch)).toBe(false)
    const anew = opened(base)
    receiveAll(anew, [old[1], ...statements])
    expect(titles(anew)).toEqual(['by e', 'by d'])
    expect(told(anew)).toEqual(told(replay([...present, old[1], ...statements])))
  })

  it('[CUT12 CUT14] of several records that of the own installation counts, and none whose chain hashes do not fit, whichever came first', () => {
    const { d, e, there, one, present: before } = beginning()
    const g = treeForger(4)
    const heads = [{ device: d.device, seq: 1 }]
    const three = g.seal(g.root, [[{ hlc: 19, heads }]], { references: [one.end.hash] })
    // So the base does not keep the chain hash of what it wrote first.
    const four = g.seal(three.end, [[{ hlc: 20 }]])
    const present = [...before, ...[three, four].map(({ batch }): Held => ({ batch, branch: g.device }))]
    const base = folded(present, 20, replay(present).log.held())
    const named = [{ device: g.device, seq: 1 }]
    const late = d.seal(one.end, [[{ hlc: 21, heads: named, changes: [title('by d', there)] }]], {
      references: [three.end.hash],
    })
    const old: Held[] = [one, three, late].map(({ batch }) => ({ batch, branch: batch.header.device }))
    const [{ shifts, records }] = comeBack(opened(base), decodeBase(base.bytes), old, 60).found.statements
    const said = (number: number, installation: number, change: (record: LateRecord) => LateRecord): Held => {
      const identity = identityOf(number, SPACE, installation)
      const batch = sealShifts({ keyring, random: seededRandom(number) }, identity, 30, shifts, records.map(change))
      return { batch, branch: batch.header.device }
    }
    const wrong = said(70, 1, (record) => ({
      ...record,
      kept: record.kept.map((run) => ({ ...run, hash: new Uint8Array(32) })),
    }))
    const lie = said(71, 71, (record) => ({
      ...record,
      runs: record.runs.map((run) => ({ ...run, before: [[e.device, 1]] })),
    }))
    // For a later base, so that the lie stands before it but for who says it.
    const right = said(72, 1, (record) => ({ ...record, cut: record.cut + 1 }))
    const read = (statements: readonly Held[]): State => {
      const state = opened(base)
      receiveAll(state, [...statements, old[2]])
      return state
    }
    for (const statements of permutations([wrong, lie, right])) {
      expect(read(statements).log.damage).toBeUndefined()
      expect(titles(read(statements))).toEqual(['by e', 'by d'])
    }
    expect(titles(read([lie]))).toEqual(['by d'])
    expect(read([wrong]).log.damage?.code).toBe('CHAIN_BROKEN')
    // Who has the whole log is not misled.
    expect(titles(replay([...present, old[2], lie]))).toEqual(['by e', 'by d'])
  })

  it('[CUT15] that parts from what is pruned stays where it is, and is named', () => {
    const { d, there, one, two } = beginning()
    const goesOn = d.seal(one.end, [[{ hlc: 15, changes: [title('pruned', there)] }]])
    const present: Held[] = [one, goesOn, two].map(({ batch }) => ({ batch, branch: batch.header.device }))
    const base = folded(present, 20, replay(present).log.held())
    const clone = d.seal(one.end, [
      [{ hlc: 12, changes: [title('cloned', there)] }],
      [{ hlc: 13, changes: [title('more', there)] }],
    ])
    const f = treeForger(3)
    const fresh = f.seal(f.root, [[{ hlc: 14, changes: [{ shape: shapes.insert, row: { id: 'y' } }] }]])
    const old: Held[] = [one, clone, fresh].map(({ batch }) => ({ batch, branch: batch.header.device }))
    const state = opened(base)
    const { found, late } = comeBack(state, decodeBase(base.bytes), old, 60)
    expect(found.left).toEqual([{ branch: d.device, fromSeq: 2, toSeq: 3 }])
    expect(late).toEqual([old[2]])
  })

  it('[CUT11 MEM6 KEY6] of an encrypted space with members: positions and epochs of what it names are told', () => {
    const { membership, act } = createMembers()
    act(1, { kind: 'found' }, { kind: 'admit', installation: 2, role: 'writer' })
    const ring = Keyring.encrypted(SPACE, new Map([[1, epochKeyOf(1)]]))
    const before = copyUpTo(membership)
    const a = createReplica(1, SPACE, undefined, ring, { membership, identity: deviceOf(1, 1) })
    const b = createReplica(2, SPACE, undefined, ring, { membership: before, identity: deviceOf(2, 2) })
    a.write(START_MS, a.change(shapes.insert, 'x'), a.change(shapes.title, 'x', 'first'))
    const all = a.seal()
    b.receive(all[0])
    b.write(START_MS + 1, b.change(shapes.title, 'x', 'own'))
    const shared = b.seal()
    b.write(START_MS + 1, b.change(shapes.title, 'x', 'own again'))
    shared.push(...b.seal())
    for (const bytes of shared) a.receive(bytes)
    all.push(...shared)
    // b is away from here.
    const [first, own] = [a, b].map(({ device }) => ({ device, seq: 1 }))
    b.write(START_MS + 2, b.change(shapes.title, 'x', 'over both', [own, first]), b.change(shapes.votes, 'x', 1))
    const away = b.seal()
    act(1, { kind: 'rotate' })
    ring.add(2, epochKeyOf(2))
    for (const value of ['second', 'third']) {
      a.write(START_MS + 3, a.change(shapes.title, 'x', value))
      all.push(...a.seal())
    }
    const members = membership
    const fold = (held: readonly Held[], cut: number, vector: ReadonlyMap<DeviceId, number>, base?: Uint8Array) =>
      foldBase({ keyring: ring, members, cut, vector, batches: held, ...(base === undefined ? {} : { base }) })
    const present = heldOf(all)
    const base = fold(present, a.projector.highest, a.log.held())
    const state = openBase(base.bytes, ring, { digest: base.digest, members })
    const old = heldOf([all[0], ...shared, ...away])
    const found = findLate({ keyring: ring, members, base: state.base, log: state.log, batches: old })
    expect(found.entering).toEqual([{ branch: b.device, fromSeq: 3, toSeq: 3 }])
    const [{ shifts, records }] = found.statements
    const hlc = a.projector.highest + 1
    const keys = { keyring: ring, random: seededRandom(3), members }
    const late = heldOf([sealShifts(keys, deviceOf(3, 2), hlc, shifts, records).bytes, ...away])
    receiveAll(state, late)
    expect(state.log.damage).toBeUndefined()
    expect(titles(state)).toEqual(['third', 'over both'])
    const full = createReplica(9, SPACE, undefined, ring, { membership, identity: deviceOf(9, 1) })
    const held = [...present, ...late]
    receiveAll(full, held)
    expect(full.digest()).toBe(hexOf(state.projector.cells.digest()))
    const vector = state.log.held()
    for (const next of [hlc - 1, hlc + 9]) {
      expect(hexOf(fold(late, next, vector, base.bytes).bytes)).toBe(hexOf(fold(held, next, vector).bytes))
    }
  })

  it('[CUT16 CELL6] what it names of a row that was erased is absorbed; a write that is gone is told without value', () => {
    const [a, b] = [createReplica(1), createReplica(2)]
    const all: Uint8Array[] = []
    const share = (from: Replica, to: Replica): void => {
      for (const bytes of from.seal()) {
        all.push(bytes)
        to.receive(bytes)
      }
    }
    for (const id of ['x', 'y']) a.write(START_MS, a.change(shapes.insert, id), a.change(shapes.title, id, 'first'))
    share(a, b)
    const first = { device: a.device, seq: 2 }
    // b is away from here.
    a.write(START_MS + 1, a.change({ law: Law.erase, table: 'tasks', path: [] }, 'x'))
    a.write(START_MS + 2, a.change(shapes.title, 'y', 'second'))
    all.push(...a.seal())
    b.write(START_MS + 1, b.change(shapes.title, 'x', 'late'), b.change(shapes.votes, 'x', 1))
    b.write(
      START_MS + 2,
      b.change({ law: Law.resolve, table: 'tasks', path: ['title'] }, 'y', 'why', [first]),
      b.change(shapes.title, 'y', 'late', [first]),
    )
    const present = heldOf(all)
    const base = folded(present, a.projector.highest, a.log.held())
    const state = opened(base)
    const { statements, late } = comeBack(
      state,
      decodeBase(base.bytes),
      [...present.slice(0, 1), ...heldOf(b.seal())],
      60,
    )
    receiveAll(state, [...statements, ...late])
    const full = replay([...present, ...late, ...statements])
    expect(told(state)).toEqual(told(full))
    expect(titles(state)).toEqual(['second', 'late'])
    expect(
      state.projector.cells.settled
        .newest()
        .flatMap((one) => (one.column === undefined ? [] : one.candidates.map(({ value }) => value))),
    ).toEqual([undefined])
    expect(shownBy(state)).toEqual(shownBy(full))
  })

  it('[CUT11] its record is canonical bytes of known size: cut short, longer or of another format it tells nothing', () => {
    const { d, there, one, base, decoded } = beginning()
    const late = d.seal(one.end, [[{ hlc: 11, changes: [title('by d', there)] }]])
    const old: Held[] = [one, late].map(({ batch }) => ({ batch, branch: d.device }))
    const [{ records }] = comeBack(opened(base), decoded, old, 60).found.statements
    const bytes = encodeLate(records[0])
    expect(decodeLate(bytes)).toEqual(records[0])
    for (let at = 0; at < bytes.length; at++) expect(readLate(bytes.subarray(0, at))).toBeUndefined()
    expect(readLate(Uint8Array.of(...bytes, 0))).toBeUndefined()
    expect(readLate(Uint8Array.of(2, ...bytes.subarray(1)))).toBeUndefined()
  })
})
