/** The life of an open store: who is told of what it takes in, and what its end means. */
import { type BatchStore, startCursor } from '@driftlog/core'
import { assert, describe, expect, it, vi } from 'vitest'
import { makeTestBatch, makeTestDevice, makeTestHistory } from '../test-batches.ts'
import { type Abilities, kinds, space, text, type UseBench, wide } from './setup.ts'

export const watchAndCloseContract = (bench: UseBench, { another }: Abilities): void => {
  describe('watch', () => {
    /** Resolves when notifications of all that was appended before must have been given: another space's has. */
    const settle = async (through: BatchStore, barrier: string): Promise<void> => {
      const fence = vi.fn()
      const stop = through.watch(barrier, fence)
      await bench().store.append(barrier, makeTestHistory(makeTestDevice(barrier, 'fence'), [1]))
      await vi.waitFor(() => expect(fence).toHaveBeenCalled(), { timeout: 10_000 })
      stop()
    }

    it('calls after an append that took in something, and only then', async () => {
      const { store, ann } = bench()
      const listener = vi.fn()
      const [first, second, third] = makeTestHistory(ann, [1, 1, 1])
      store.watch(space, listener)
      await store.append(space, [first])
      await vi.waitFor(() => expect(listener).toHaveBeenCalled())
      await settle(store, 'fence-1')
      listener.mockClear()
      await store.append(space, [first])
      await store.append(space, [third])
      await store.append(space, [second, makeTestBatch(ann, { fromSeq: 9 })], { allOrNothing: true })
      await store.append(space, [], { records: [{ key: 'key', value: text.encode('1') }] })
      await settle(store, 'fence-2')
      expect(listener).not.toHaveBeenCalled()
      await store.append(space, [second, first])
      await vi.waitFor(() => expect(listener).toHaveBeenCalled())
    })

    it('ends each watch by itself', async () => {
      const { store, ann } = bench()
      const listener = vi.fn()
      const ended = vi.fn()
      const stop = store.watch(space, ended)
      store.watch(space, listener)
      const stopAgain = store.watch(space, ended)
      stop()
      stop()
      const [first, second] = makeTestHistory(ann, [1, 1])
      await store.append(space, [first])
      await vi.waitFor(() => expect(ended).toHaveBeenCalled())
      stopAgain()
      await settle(store, 'fence-1')
      ended.mockClear()
      listener.mockClear()
      await store.append(space, [second])
      await vi.waitFor(() => expect(listener).toHaveBeenCalled())
      await settle(store, 'fence-2')
      expect(ended).not.toHaveBeenCalled()
    })

    it('calls after batches were replaced, and only then', async () => {
      const { store, ann } = bench()
      const listener = vi.fn()
      const [first, second] = makeTestHistory(ann, [1, 1])
      await store.append(space, [first])
      store.watch(space, listener)
      await settle(store, 'fence-1')
      listener.mockClear()
      expect(await store.replace(space, first)).toBe(true)
      await vi.waitFor(() => expect(listener).toHaveBeenCalled())
      await settle(store, 'fence-2')
      listener.mockClear()
      expect(await store.replace(space, second)).toBe(false)
      await settle(store, 'fence-3')
      expect(listener).not.toHaveBeenCalled()
      await store.append(space, [first], { replacing: new Set([first]) })
      await vi.waitFor(() => expect(listener).toHaveBeenCalled())
    })

    it('STORE7 tells nobody of a prune', async () => {
      const { store, ann } = bench()
      const history = makeTestHistory(ann, [1, 1])
      await store.append(space, history)
      const listener = vi.fn()
      store.watch(space, listener)
      await settle(store, 'fence-1')
      listener.mockClear()
      const { toSeq: seq, tagAfter: tag } = history[1].header
      const records = [{ key: 'base', value: text.encode('1') }]
      expect(await store.prune(space, [{ branch: ann.device, seq, tag }], { records })).toMatchObject([{ batches: 2 }])
      await settle(store, 'fence-2')
      expect(listener).not.toHaveBeenCalled()
    })

    if (another) {
      it('sees what another store on the same medium replaces', async () => {
        const { store, medium, ann } = bench()
        assert(medium.another)
        const other = await medium.another()
        const listener = vi.fn()
        const [first] = makeTestHistory(ann, [1])
        await store.append(space, [first])
        other.watch(space, listener)
        for (const time of [1, 2]) {
          await settle(other, `fence-${time}`)
          listener.mockClear()
          await store.replace(space, first)
          await vi.waitFor(() => expect(listener).toHaveBeenCalled(), { timeout: 10_000 })
        }
      })

      it('sees what another store on the same medium takes in', async () => {
        const { store, medium, ann } = bench()
        assert(medium.another)
        const other = await medium.another()
        const listener = vi.fn()
        const [first, second] = makeTestHistory(ann, [1, 1])
        await store.append(space, [first])
        other.watch(space, listener)
        await settle(other, 'fence-1')
        listener.mockClear()
        await store.append(space, [first])
        await settle(other, 'fence-2')
        expect(listener).not.toHaveBeenCalled()
        await store.append(space, [second])
        await vi.waitFor(() => expect(listener).toHaveBeenCalled(), { timeout: 10_000 })
        expect(await other.vector(space)).toEqual(new Map([[ann.device, 2]]))
      })
    }
  })

  describe('close', () => {
    it('rejects every further use with CLOSED, and closing again is harmless', async () => {
      const { store, ann } = bench()
      const claim = await store.claimSlot(space)
      const stop = store.watch(space, () => {})
      await store.close()
      await store.close()
      const closed = { code: 'CLOSED' }
      await expect(store.append(space, [makeTestBatch(ann)])).rejects.toMatchObject(closed)
      await expect(store.readAbove(space, new Map(), wide)).rejects.toMatchObject(closed)
      await expect(store.readAfter(space, startCursor, wide)).rejects.toMatchObject(closed)
      await expect(store.vector(space)).rejects.toMatchObject(closed)
      await expect(store.tips(space)).rejects.toMatchObject(closed)
      await expect(store.certificate(space, ann.device)).rejects.toMatchObject(closed)
      await expect(store.common(space, ann.device, [])).rejects.toMatchObject(closed)
      const nowhere = { seq: 1, tag: new Uint8Array(16) }
      await expect(store.onPath(space, ann.device, nowhere, [])).rejects.toMatchObject(closed)
      await expect(store.end(space)).rejects.toMatchObject(closed)
      await expect(store.records(space, '')).rejects.toMatchObject(closed)
      await expect(store.claimSlot(space)).rejects.toMatchObject(closed)
      expect(() => store.watch(space, () => {})).toThrow(expect.objectContaining(closed))
      stop()
      await claim.release()
    })

    it('waits for the appends that were asked for before', async () => {
      const { store, medium, ann } = bench()
      const history = makeTestHistory(ann, [1, 1, 1])
      const appending = history.map((batch) => store.append(space, [batch]))
      const closing = store.close()
      expect((await Promise.all(appending)).flatMap(kinds)).toEqual(['appended', 'appended', 'appended'])
      await closing
      const reopened = await medium.reopen()
      expect(await reopened.vector(space)).toEqual(new Map([[ann.device, 3]]))
    })
  })
}
