/** STORE10: floors in the place of all that is held. */
import { type BatchStore, type PlantedFloor, startCursor } from '@driftlog/core'
import { describe, expect, it } from 'vitest'
import { makeTestHistory, type TestBatch, type TestDevice } from '../test-batches.ts'
import { bytesOf, kinds, plain, space, text, type UseBench, wide } from './setup.ts'

const floorOf = (first: TestBatch, last: TestBatch, { device, certificate }: TestDevice): PlantedFloor => ({
  branch: device,
  device,
  certificate,
  base: first.header.fromSeq - 1,
  baseTag: first.header.tagBefore,
  seq: last.header.toSeq,
  tag: last.header.tagAfter,
})

export const plantContract = (bench: UseBench): void => {
  describe('STORE10 a planting', () => {
    it('leaves floors alone, from which branches go on; positions and the end of the order stay', async () => {
      const { store, medium, ann, bob } = bench()
      const [history, others] = [makeTestHistory(ann, [2, 1, 2]), makeTestHistory(bob, [1, 1])]
      const record = { key: 'kept', value: text.encode('yes') }
      await store.append(space, [history[0], others[0]], { records: [record] })
      await store.append('elsewhere', [])
      const end = await store.end(space)
      await store.plant(space, [floorOf(history[0], history[1], ann)], {
        records: [{ key: 'new', value: text.encode('base') }],
      })
      const check = async (within: BatchStore): Promise<void> => {
        expect((await within.readAfter(space, startCursor, wide)).batches).toEqual([])
        expect(await within.end(space)).toEqual(end)
        expect((await within.readAfter(space, end, wide)).batches).toEqual([])
        expect(await within.tips(space)).toEqual(new Map([[ann.device, { seq: 3, tag: history[1].header.tagAfter }]]))
        expect(await within.certificate(space, ann.device)).toEqual(ann.certificate)
        expect(await within.certificate(space, bob.device)).toBeUndefined()
        expect((await within.records(space, '')).map(({ key }) => key)).toEqual(['kept', 'new'])
        const { branch: _, certificate: __, ...floor } = floorOf(history[0], history[1], ann)
        expect(await within.floors(space)).toEqual(new Map([[ann.device, floor]]))
      }
      await check(store)
      const again = await medium.reopen()
      await check(again)
      const outcomes = await again.append(space, [history[0], history[2], ...others])
      expect(kinds(outcomes)).toEqual(['below', 'appended', 'appended', 'appended'])
      expect(outcomes[1]).toMatchObject({ position: end.position + 1, branch: ann.device, isSplit: false })
      expect(bytesOf(await again.readAfter(space, end, wide))).toEqual(plain([history[2], ...others]))
    })
  })
}
