/** What a naive model, which knows ops rather than tags, says of random histories and prunes is what the store must say. */
import {
  type BatchPage,
  type BatchStore,
  type PageLimit,
  type PruneOutcome,
  type PrunePoint,
  startCursor,
  type StoredBatch,
  type VersionVector,
} from '@driftlog/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { makeTestDevice, makeTestHistory, mergeTestBatches, type TestBatch, type TestDevice } from '../test-batches.ts'
import { type Candidate, NaiveStore } from './naive-store.ts'
import { bytesOf, kinds, plain, type UseBench, wide } from './setup.ts'

export const modelContract = (bench: UseBench): void => {
  it('does what a naive model says, over random histories', { timeout: 60_000 }, async () => {
    const { store } = bench()
    let run = 0
    await fc.assert(
      fc.asyncProperty(planArbitrary, async (plan) => {
        await playPlan(store, `run-${run++}`, plan)
      }),
      { numRuns: 100 },
    )
  })
}

const DEVICES = 3

/** Random calls over random cuts of three devices' histories, forks and other seals of the same ops among them. */
interface Plan {
  /** Ops in each batch. */
  readonly cuts: readonly (readonly number[])[]
  /** After how many batches the device's second branch leaves the first. */
  readonly forks: readonly number[]
  readonly calls: readonly Call[]
  readonly vectors: readonly (readonly number[])[]
  readonly limit: PageLimit
}

/** `picks`: of the batches to be appended, or that are to be pruned with what is before them in their branch. */
type Call =
  | { readonly kind: 'append'; readonly picks: readonly number[]; readonly allOrNothing: boolean }
  | { readonly kind: 'prune'; readonly picks: readonly number[] }

const perDevice = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.array(of, { minLength: DEVICES, maxLength: DEVICES })

const planArbitrary: fc.Arbitrary<Plan> = fc.record({
  cuts: perDevice(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 })),
  forks: perDevice(fc.nat({ max: 5 })),
  calls: fc.array(
    fc.oneof(
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('append' as const),
          picks: fc.array(fc.nat({ max: 10_000 }), { maxLength: 20, size: 'max' }),
          allOrNothing: fc.boolean(),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('prune' as const),
          picks: fc.array(fc.nat({ max: 10_000 }), { maxLength: 3 }),
        }),
      },
    ),
    { maxLength: 16, size: 'max' },
  ),
  vectors: fc.array(perDevice(fc.nat({ max: 26 })), { maxLength: 4 }),
  limit: fc.record({ batches: fc.integer({ min: 1, max: 5 }), bytes: fc.integer({ min: 1, max: 2_000 }) }),
})

const candidatesOf = (author: TestDevice, lengths: readonly number[], fork: number): Candidate[] => {
  const main = makeTestHistory(author, lengths)
  const kept = main.slice(0, fork)
  const branch = makeTestHistory(author, [...lengths.slice(fork), 1], kept.at(-1), 'branch')
  const forkSeq = kept.at(-1)?.header.toSeq ?? 0
  const named = (batch: TestBatch, isBranch: boolean): Candidate => ({
    batch,
    history: Array.from(
      { length: batch.header.toSeq },
      (_, op) => `${isBranch && op >= forkSeq ? 'branch' : 'main'} ${op}`,
    ),
  })
  const candidates = [...main.map((batch) => named(batch, false)), ...branch.map((batch) => named(batch, true))]
  for (let index = 1; index < main.length; index++) {
    candidates.push(named(mergeTestBatches(author, main.slice(index - 1, index + 1)), false))
  }
  // Main first and several times, so that histories grow rather than end in gaps.
  return [...main.map((batch) => named(batch, false)), ...candidates]
}

const playPlan = async (store: BatchStore, space: string, plan: Plan): Promise<void> => {
  const authors = plan.cuts.map((_, index) => makeTestDevice(space, index))
  const candidates = authors.flatMap((author, index) => candidatesOf(author, plan.cuts[index], plan.forks[index]))
  let model = new NaiveStore()
  const positions: number[] = []

  for (const call of plan.calls) {
    const picked = call.picks.map((pick) => candidates[pick % candidates.length])
    if (call.kind === 'prune') {
      const points: PrunePoint[] = []
      const expected = picked.map((candidate): PruneOutcome => {
        const { device, toSeq: seq, tagAfter: tag } = candidate.batch.header
        // Under its own name, if it has one; else under one that is wrong where the device forked before it.
        const branch = model.nameOf(candidate) ?? device
        points.push({ branch, seq, tag })
        const [going, next] = model.prune(branch, candidate)
        model = next
        if (going === undefined) return { kind: 'unknown' }
        const bytes = going.reduce((sum, { batch }) => sum + batch.bytes.length, 0)
        return { kind: 'pruned', batches: going.length, bytes }
      })
      expect(await store.prune(space, points)).toEqual(expected)
    } else {
      const { allOrNothing } = call
      picked.sort((a, b) => candidates.indexOf(a) - candidates.indexOf(b))
      let next = model
      const expected = picked.map((candidate) => {
        const [kind, after] = next.append(candidate)
        const floor = next.floorOver(candidate)
        next = after
        return { kind, floor }
      })
      const undone = allOrNothing && expected.some(({ kind }) => refusals.has(kind))
      const batches = picked.map(({ batch }) => batch)
      const outcomes = await store.append(space, batches, { allOrNothing })
      expect(kinds(outcomes)).toEqual(expected.map(({ kind }) => (undone && !refusals.has(kind) ? 'undone' : kind)))
      if (!undone) model = next
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.kind === 'appended') positions.push(outcome.position)
        if (outcome.kind === 'below') expect(outcome.floor).toBe(expected[index].floor)
        if (!('have' in outcome)) continue
        // Within a call `have` may be of any moment of it; after an undoing it is what was there before.
        const most = model.highestSeq(picked[index].batch.header.device)
        if (undone) expect(outcome.have).toBe(most)
        else expect(outcome.have).toBeLessThanOrEqual(most)
      }
    }
    expect(await store.vector(space)).toEqual(model.tree.vector)
    expect(await store.floors(space)).toEqual(model.floors)
  }

  const { taken, left, tree } = model
  const within = left.map(({ batch }) => batch)
  expect(await store.tips(space)).toEqual(tree.tips)
  const found = await readAllAfter(store, space, plan.limit)
  expect(found.map(({ batch }) => batch.bytes)).toEqual(plain(within))
  expect(found.map(({ branch }) => branch)).toEqual(left.map((candidate) => model.nameOf(candidate)))
  const branches = [...tree.vector.keys()].sort()
  for (const seqs of [[0], ...plan.vectors]) {
    const vector = new Map(branches.map((branch, index) => [branch, seqs[index % seqs.length]] as const))
    const wanted = left.filter((candidate) => candidate.batch.header.toSeq > vector.get(model.nameOf(candidate)!)!)
    const bytes = plain(wanted.map(({ batch }) => batch))
    expect(bytesOf(await store.readAbove(space, vector, wide))).toEqual(bytes)
    expect(await readAllAbove(store, space, vector, plan.limit)).toEqual(bytes)
  }
  const cursors = taken.map(({ batch }, index) => ({ position: positions[index], tag: batch.header.tagAfter }))
  expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b))
  expect(await store.end(space)).toEqual(cursors.at(-1) ?? startCursor)
  const lastPruned = taken.findLastIndex((candidate) => model.pruned.has(candidate))
  for (const [index, cursor] of cursors.entries()) {
    const reading = store.readAfter(space, cursor, wide)
    if (model.pruned.has(taken[index]) && index !== lastPruned) {
      await expect(reading).rejects.toMatchObject({ code: 'BASE_MISMATCH' })
    } else {
      const after = left.filter((candidate) => taken.indexOf(candidate) > index)
      expect(bytesOf(await reading)).toEqual(plain(after.map(({ batch }) => batch)))
    }
  }
  for (const candidate of candidates) {
    const { device, toSeq: seq, tagAfter: tag } = candidate.batch.header
    expect(await store.common(space, device, [{ seq, tag }])).toBe(model.holdsEndOf(candidate) ? seq : 0)
  }
}

const refusals: ReadonlySet<string> = new Set(['gap', 'fork', 'below'])

const checkPage = (page: BatchPage, limit: PageLimit): void => {
  if (page.batches.length < 2) return
  expect(page.batches.length).toBeLessThanOrEqual(limit.batches)
  expect(bytesOf(page).reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(limit.bytes)
}

const readAllAfter = async (store: BatchStore, space: string, limit: PageLimit): Promise<StoredBatch[]> => {
  const read: StoredBatch[] = []
  for (let cursor = startCursor; ; ) {
    const page = await store.readAfter(space, cursor, limit)
    checkPage(page, limit)
    read.push(...page.batches)
    if (!page.more) return read
    cursor = page.cursor
  }
}

const readAllAbove = async (
  store: BatchStore,
  space: string,
  from: VersionVector,
  limit: PageLimit,
): Promise<Uint8Array[]> => {
  const read: Uint8Array[] = []
  const vector = new Map(from)
  for (;;) {
    const page = await store.readAbove(space, vector, limit)
    checkPage(page, limit)
    read.push(...bytesOf(page))
    for (const { batch, branch } of page.batches) vector.set(branch, batch.header.toSeq)
    if (!page.more) return read
  }
}
