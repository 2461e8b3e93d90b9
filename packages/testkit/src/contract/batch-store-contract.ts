/**
 * What every adapter of BatchStore must do, as a vitest suite. An adapter's test supplies only the setup:
 *
 *     batchStoreContract('sqlite', async () => {
 *       const path = temporaryPath()
 *       let store = sqlite(path)
 *       const others: BatchStore[] = []
 *       return {
 *         store,
 *         async reopen() { await store.close(); return (store = sqlite(path)) },
 *         async another() { others.push(sqlite(path)); return others.at(-1)! },
 *         async dispose() { for (const open of [store, ...others]) await open.close() },
 *       }
 *     })
 *
 * A setup gives `another`, and no `crash` and no `damage`, unless a third argument says otherwise: `{ crash: true }`. What
 * it does not give is not tested; what it gives without being said to, or the other way round, fails every test.
 *
 * Tests cite the rules STORE1 to STORE5 of the port. Histories that go in are compared with what a naive model, which
 * knows ops rather than tags, says should come out, and trees with one that looks at all batches anew.
 */
import { describe } from 'vitest'
import { appendContract } from './append.ts'
import { damageContract } from './damage.ts'
import { modelContract } from './model.ts'
import { plantContract } from './plant.ts'
import { pruneContract } from './prune.ts'
import { readingContract } from './reading.ts'
import { recordsContract } from './records.ts'
import { sameTimeContract } from './same-time.ts'
import { type Abilities, type StoreUnderTest, useBench } from './setup.ts'
import { slotsContract } from './slots.ts'
import { spacesContract } from './spaces.ts'
import { treeOrdersContract } from './tree-orders.ts'
import { treesContract } from './trees.ts'
import { watchAndCloseContract } from './watch-and-close.ts'

export const batchStoreContract = (
  name: string,
  setup: () => Promise<StoreUnderTest>,
  { another = true, crash = false, damage = false }: Partial<Abilities> = {},
): void => {
  describe(`the BatchStore contract: ${name}`, () => {
    const abilities = { another, crash, damage }
    const bench = useBench(setup, abilities)
    appendContract(bench)
    treesContract(bench, abilities)
    treeOrdersContract(bench)
    readingContract(bench)
    damageContract(bench, abilities)
    pruneContract(bench, abilities)
    plantContract(bench)
    modelContract(bench)
    recordsContract(bench)
    spacesContract(bench)
    slotsContract(bench, abilities)
    watchAndCloseContract(bench, abilities)
    sameTimeContract(bench, abilities)
  })
}
