/** The same batches in any order that brings parents first: STORE2 gives them the same names. */
import { type BatchStore, equalBytes, startCursor } from '@driftlog/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { makeTestDevice, makeTestHistory, type TestBatch, type TestDevice } from '../test-batches.ts'
import { beginningOf, naiveTree } from './naive-tree.ts'
import { appended, bytesOf, plain, type UseBench, wide } from './setup.ts'

export const treeOrdersContract = (bench: UseBench): void => {
  it('STORE2 names follow from what is held, in whatever order it came', { timeout: 60_000 }, async () => {
    const { store } = bench()
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        treeArbitrary,
        fc.array(fc.nat(1_000), { minLength: 48, maxLength: 48 }),
        async (tree, picks) => {
          const within = `tree-${run++}`
          const batches = plantTree(makeTestDevice(within, 'ann'), tree)
          await growInAnyOrder(store, within, batches, picks)
        },
      ),
      { numRuns: 60 },
    )
  })
}

/** Of each batch, which one it goes on from (0: from the start; n: from the n-th, modulo those before it), and its length. */
type Tree = readonly { readonly parent: number; readonly length: number }[]

const treeArbitrary: fc.Arbitrary<Tree> = fc.array(
  // Mostly from the one before, so that there are branches to be split.
  fc.record({ parent: fc.oneof(fc.constant(-1), fc.nat(9)), length: fc.integer({ min: 1, max: 3 }) }),
  { minLength: 1, maxLength: 9 },
)

const plantTree = (author: TestDevice, tree: Tree): TestBatch[] => {
  const batches: TestBatch[] = []
  for (const [index, { parent, length }] of tree.entries()) {
    const at = parent === -1 ? index : parent % (index + 1)
    batches.push(...makeTestHistory(author, [length], at === 0 ? undefined : batches[at - 1], index))
  }
  return batches
}

/** Appends the batches one by one, parents first and else as `picks` say, some twice; after each, all is as the naive tree says. */
const growInAnyOrder = async (
  store: BatchStore,
  within: string,
  batches: readonly TestBatch[],
  picks: readonly number[],
): Promise<void> => {
  const held: TestBatch[] = []
  const isReady = (batch: TestBatch): boolean =>
    batch.header.fromSeq === 1 || held.some(({ header }) => equalBytes(header.tagAfter, batch.header.tagBefore))
  let pick = 0
  const choose = (among: readonly TestBatch[]): TestBatch => among[picks[pick++] % among.length]
  while (held.length < batches.length) {
    const next = choose(batches.filter((batch) => !held.includes(batch) && isReady(batch)))
    const siblings = held.filter((other) => beginningOf(other) === beginningOf(next)).length
    held.push(next)
    const { names, tips, vector } = naiveTree(held)
    const outcomes = await store.append(within, [next])
    expect(outcomes).toEqual([appended(held.length, names[held.length - 1], siblings === 1)])
    const again = choose(held)
    const duplicate = { kind: 'duplicate', branch: names[held.indexOf(again)] }
    expect(await store.append(within, [again])).toEqual([duplicate])
    const page = await store.readAfter(within, startCursor, wide)
    expect(page.batches.map(({ branch }) => branch)).toEqual(names)
    expect(bytesOf(page)).toEqual(plain(held))
    expect(page.batches.map(({ position }) => position)).toEqual(held.map((_, index) => index + 1))
    expect(await store.vector(within)).toEqual(vector)
    expect(await store.tips(within)).toEqual(tips)
  }
}
