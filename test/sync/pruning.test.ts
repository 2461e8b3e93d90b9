/** Pruning, end to end: what is stated, what goes, and that nobody can tell by what is shown. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bytesOf, type Installed, PruningSpace, space } from './pruning-space.ts'

let team: PruningSpace
beforeEach(() => {
  team = new PruningSpace()
})
afterEach(() => team.close())

const patience = { timeout: 15_000, interval: 20 }

/** A little of everything, over rows that it made or found. */
const write = async (by: Installed, rounds: number): Promise<void> => {
  const { device } = by
  for (let round = 0; round < rounds; round++) {
    const rows = await device.query((db) => db.selectFrom('tasks').select(['id', 'title']).orderBy('id'))
    const id = `${device.device.slice(0, 6)}-${round}`
    const { stored } = device.mutate((tx) => {
      tx.tasks.insert({ id, title: `new ${round}`, votes: 1, tags: ['a', 'b'], steps: ['x', 'y'] })
      const at = rows[round % Math.max(1, rows.length)]
      if (at === undefined) return
      if (round % 5 === 4) tx.tasks.delete(at.id)
      else tx.tasks.update(at.id, { title: `${at.title}.` })
    })
    await stored
  }
}

const allEqual = async (...all: readonly Installed[]): Promise<void> => {
  for (const { device } of all) await device.sync()
  await expect.poll(() => new Set(all.map(({ device }) => device.digest())).size, patience).toBe(1)
}

const pruned = async ({ store }: { readonly store: PruningSpace['store'] }): Promise<boolean> =>
  (await store.floors(space)).size > 0

const three = async (): Promise<[Installed, Installed, Installed]> => {
  const ada = await team.found()
  const ben = await team.join(ada)
  const eve = await team.join(ada)
  await allEqual(ada, ben, eve)
  return [ada, ben, eve]
}

describe('a space that prunes', () => {
  it('PRUNE1 to PRUNE4: three installations promise, complete, fold, confirm; the log shrinks, and nothing else changes', async () => {
    const [ada, ben, eve] = await three()
    for (const by of [ada, ben, eve]) await write(by, 8)
    await allEqual(ada, ben, eve)
    const before = await bytesOf(team.store)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(await pruned(team)).toBe(false)
    await ada.device.members!.setHistory('prune')
    await expect.poll(() => pruned(team), patience).toBe(true)
    for (const one of [ada, ben, eve]) await expect.poll(() => pruned(one), patience).toBe(true)
    await allEqual(ada, ben, eve)
    const after = await bytesOf(team.store)
    expect(after.batches).toBeLessThan(before.batches / 4)
    const digest = ada.device.digest()
    for (const one of [ada, ben, eve]) {
      expect(one.device.status.error).toBeUndefined()
      await team.reopen(one)
      expect(one.device.digest()).toBe(digest)
    }
    for (const by of [ada, ben, eve]) await write(by, 2)
    await allEqual(ada, ben, eve)
  }, 60_000)
})
