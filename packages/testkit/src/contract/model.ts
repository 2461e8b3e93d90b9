/** What a naive model, which knows ops rather than tags, says of random histories is what the store must say. */
import {
  type BatchPage,
  type BatchStore,
  type DeviceId,
  type PageLimit,
  startCursor,
  type VersionVector,
} from '@driftlog/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { makeTestDevice, makeTestHistory, mergeTestBatches, type TestBatch, type TestDevice } from '../test-batches.ts'
import { naiveTree } from './naive-tree.ts'
import { bytesOf, kinds, plain, type UseBench, wide } from './setup.ts'

export const modelContract = (bench: UseBench): void => {
  it('does what a naive model says, over random histories', { timeout: 60_000 }, async () => {
    const { store } = bench()
    let run = 0
    await fc.assert(
      fc.asyncProperty(planArbitrary, async (plan) => {
        await playPlan(store, `run-${run++}`, plan)
      }),
      { numRuns: 40 },
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
  readonly calls: readonly { readonly picks: readonly number[]; readonly allOrNothing: boolean }[]
  readonly vectors: readonly (readonly number[])[]
  readonly limit: PageLimit
}

const perDevice = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.array(of, { minLength: DEVICES, maxLength: DEVICES })

const planArbitrary: fc.Arbitrary<Plan> = fc.record({
  cuts: perDevice(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 })),
  forks: perDevice(fc.nat({ max: 5 })),
  calls: fc.array(
    fc.record({ picks: fc.array(fc.nat({ max: 10_000 }), { maxLength: 8 }), allOrNothing: fc.boolean() }),
    { maxLength: 12 },
  ),
  vectors: fc.array(perDevice(fc.nat({ max: 26 })), { maxLength: 4 }),
  limit: fc.record({ batches: fc.integer({ min: 1, max: 5 }), bytes: fc.integer({ min: 1, max: 2_000 }) }),
})

/** What the model sees of a batch: the name of each op from the device's first to the last of the batch. */
interface Candidate {
  readonly batch: TestBatch
  readonly history: readonly string[]
}

interface Model {
  readonly taken: Candidate[]
}

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

const upTo = ({ batch, history }: Candidate, seq: number): string =>
  [batch.header.device, ...history.slice(0, seq)].join()

const modelTakes = (model: Model, candidate: Candidate): string => {
  const { device, fromSeq, toSeq } = candidate.batch.header
  const held = model.taken.filter(({ batch }) => batch.header.device === device)
  const isEnd = (history: string): boolean => held.some((other) => upTo(other, other.batch.header.toSeq) === history)
  if (isEnd(upTo(candidate, toSeq))) return 'duplicate'
  if (fromSeq > 1 && !isEnd(upTo(candidate, fromSeq - 1)))
    return highestSeq(model, device) < fromSeq - 1 ? 'gap' : 'fork'
  // The same first op here means the same first run: a part of it, or more, is held in another envelope.
  const isOverlap = held.some(
    (other) => other.batch.header.fromSeq === fromSeq && upTo(other, fromSeq) === upTo(candidate, fromSeq),
  )
  if (isOverlap) return 'fork'
  model.taken.push(candidate)
  return 'appended'
}

const highestSeq = ({ taken }: Model, device: DeviceId): number =>
  taken.reduce(
    (highest, { batch: { header } }) => (header.device === device ? Math.max(highest, header.toSeq) : highest),
    0,
  )

const treeOf = ({ taken }: Model) => naiveTree(taken.map(({ batch }) => batch))

const playPlan = async (store: BatchStore, space: string, plan: Plan): Promise<void> => {
  const authors = plan.cuts.map((_, index) => makeTestDevice(space, index))
  const candidates = authors.flatMap((author, index) => candidatesOf(author, plan.cuts[index], plan.forks[index]))
  let model: Model = { taken: [] }

  for (const { picks, allOrNothing } of plan.calls) {
    const picked = picks
      .map((pick) => candidates[pick % candidates.length])
      .sort((a, b) => candidates.indexOf(a) - candidates.indexOf(b))
    const next: Model = { taken: [...model.taken] }
    const expected = picked.map((candidate) => modelTakes(next, candidate))
    const undone = allOrNothing && (expected.includes('gap') || expected.includes('fork'))
    const outcomes = await store.append(
      space,
      picked.map(({ batch }) => batch),
      { allOrNothing },
    )
    expect(kinds(outcomes)).toEqual(
      undone ? expected.map((kind) => (kind === 'gap' || kind === 'fork' ? kind : 'undone')) : expected,
    )
    if (!undone) model = next
    expect(await store.vector(space)).toEqual(treeOf(model).vector)
    for (const [index, outcome] of outcomes.entries()) {
      if (!('have' in outcome)) continue
      const { device } = picked[index].batch.header
      // Within a call `have` may be of any moment of it; after an undoing it is what was there before.
      const most = highestSeq(model, device)
      if (undone) expect(outcome.have).toBe(most)
      else expect(outcome.have).toBeLessThanOrEqual(most)
    }
  }

  const { names, vector: held, tips } = treeOf(model)
  const taken = model.taken.map(({ batch }) => batch)
  expect(await store.tips(space)).toEqual(tips)
  expect(await readAllAfter(store, space, plan.limit)).toEqual(plain(taken))
  const branches = [...held.keys()].sort()
  for (const seqs of [[0], ...plan.vectors]) {
    const vector = new Map(branches.map((branch, index) => [branch, seqs[index % seqs.length]] as const))
    const wanted = taken.filter(({ header }, index) => header.toSeq > (vector.get(names[index]) ?? 0))
    expect(bytesOf(await store.readAbove(space, vector, wide))).toEqual(plain(wanted))
    expect(await readAllAbove(store, space, vector, plan.limit)).toEqual(plain(wanted))
  }
}

const checkPage = (page: BatchPage, limit: PageLimit): void => {
  if (page.batches.length < 2) return
  expect(page.batches.length).toBeLessThanOrEqual(limit.batches)
  expect(bytesOf(page).reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(limit.bytes)
}

const readAllAfter = async (store: BatchStore, space: string, limit: PageLimit): Promise<Uint8Array[]> => {
  const read: Uint8Array[] = []
  for (let cursor = startCursor; ; ) {
    const page = await store.readAfter(space, cursor, limit)
    checkPage(page, limit)
    read.push(...bytesOf(page))
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
