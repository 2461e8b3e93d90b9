/** Slots: small numbers of which each has one holder at a time. */
import { startCursor } from '@driftlog/core'
import { assert, describe, expect, it } from 'vitest'
import { makeTestHistory } from '../test-batches.ts'
import { type Abilities, bytesOf, plain, space, type UseBench, wide } from './setup.ts'

export const slotsContract = (bench: UseBench, { another, crash }: Abilities): void => {
  describe('slots', () => {
    it('are exclusive, lowest free first, and free again after release', async () => {
      const { store } = bench()
      const zero = await store.claimSlot(space)
      const one = await store.claimSlot(space)
      const two = await store.claimSlot(space)
      expect([zero.slot, one.slot, two.slot]).toEqual([0, 1, 2])
      await one.release()
      const again = await store.claimSlot(space)
      expect(again.slot).toBe(1)
      // A second release must not free a slot that somebody else holds by now.
      await one.release()
      expect((await store.claimSlot(space)).slot).toBe(3)
      expect((await store.claimSlot('another')).slot).toBe(0)
    })

    it('are exclusive when claimed at the same time', async () => {
      const { store } = bench()
      const claims = await Promise.all(Array.from({ length: 5 }, () => store.claimSlot(space)))
      expect(claims.map(({ slot }) => slot).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4])
    })

    it('are free after a close', async () => {
      const { store, medium } = bench()
      await store.claimSlot(space)
      await store.claimSlot(space)
      const reopened = await medium.reopen()
      expect((await reopened.claimSlot(space)).slot).toBe(0)
    })

    if (another) {
      it('are exclusive between stores on the same medium', async () => {
        const { store, medium } = bench()
        assert(medium.another)
        const other = await medium.another()
        const mine = await store.claimSlot(space)
        expect(mine.slot).toBe(0)
        expect((await other.claimSlot(space)).slot).toBe(1)
        await mine.release()
        expect((await other.claimSlot(space)).slot).toBe(0)
        expect((await store.claimSlot(space)).slot).toBe(2)
        await other.close()
        expect((await store.claimSlot(space)).slot).toBe(0)
      })
    }

    if (crash) {
      it('are free after a crash, and what was stored is there', async () => {
        const { store, medium, ann } = bench()
        assert(medium.crash)
        const history = makeTestHistory(ann, [1, 1])
        await store.append(space, history)
        await store.claimSlot(space)
        const survivor = await medium.crash()
        expect((await survivor.claimSlot(space)).slot).toBe(0)
        expect(bytesOf(await survivor.readAfter(space, startCursor, wide))).toEqual(plain(history))
      })
    }
  })
}
