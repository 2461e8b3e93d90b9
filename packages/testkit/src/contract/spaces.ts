/** Spaces have nothing to do with each other. */
import { expect, it, vi } from 'vitest'
import { makeTestDevice, makeTestHistory } from '../test-batches.ts'
import { kinds, snapshot, space, text, type UseBench } from './setup.ts'

export const spacesContract = (bench: UseBench): void => {
  it('keeps spaces apart', async () => {
    const { store, ann } = bench()
    const there = makeTestDevice('there', 'ann')
    expect(there.device).toBe(ann.device)
    await store.append(space, makeTestHistory(ann, [1, 1]), { records: [{ key: 'a', value: text.encode('here') }] })
    const before = await snapshot(store, space)
    const listener = vi.fn()
    store.watch(space, listener)
    const outcomes = await store.append('there', makeTestHistory(there, [4]), {
      records: [{ key: 'a', value: text.encode('there') }],
    })
    expect(kinds(outcomes)).toEqual(['appended'])
    expect(await snapshot(store, space)).toEqual(before)
    expect(await store.vector('there')).toEqual(new Map([[ann.device, 4]]))
    expect(await store.records('there', 'a')).toEqual([{ key: 'a', value: text.encode('there') }])
    expect(listener).not.toHaveBeenCalled()
  })

  it('takes every space id that is allowed', async () => {
    const { store, medium, ann } = bench()
    const ids = ['A', 'a', '_', '-', '0', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-0123456789']
    for (const id of ids) {
      const author = makeTestDevice(id, 'ann')
      expect(kinds(await store.append(id, makeTestHistory(author, [1])))).toEqual(['appended'])
      const claim = await store.claimSlot(id)
      await claim.release()
    }
    const reopened = await medium.reopen()
    for (const id of ids) expect(await reopened.vector(id)).toEqual(new Map([[ann.device, 1]]))
  })
}
