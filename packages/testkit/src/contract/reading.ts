/** What was taken in comes out: in pages, above a vector, after a cursor, and however large it is. */
import {
  type Batch,
  type BatchPage,
  type Cursor,
  equalBytes,
  MAX_BATCH_BYTES,
  type PageLimit,
  startCursor,
} from '@driftlog/core'
import { describe, expect, it } from 'vitest'
import { makeTestBatch, makeTestHistory } from '../test-batches.ts'
import { bytesOf, plain, repeated, space, type UseBench, wide } from './setup.ts'

const cursorAt = (position: number, batch: Batch): Cursor => ({ position, tag: batch.header.tagAfter })

export const readingContract = (bench: UseBench): void => {
  describe('an empty space', () => {
    it('answers with nothing', async () => {
      const { store, ann } = bench()
      expect(await store.vector(space)).toEqual(new Map())
      expect(await store.tips(space)).toEqual(new Map())
      expect(await store.certificate(space, ann.device)).toBeUndefined()
      expect(await store.common(space, ann.device, [{ seq: 1, tag: new Uint8Array(16) }])).toBe(0)
      expect(await store.end(space)).toEqual(startCursor)
      expect(await store.records(space, '')).toEqual([])
      const empty = { batches: [], cursor: startCursor, more: false }
      expect(await store.readAbove(space, new Map([[ann.device, 3]]), wide)).toEqual(empty)
      expect(await store.readAfter(space, startCursor, wide)).toEqual(empty)
      expect(await store.append(space, [])).toEqual([])
    })
  })

  describe('pages', () => {
    const reads: readonly (readonly [string, (limit: PageLimit) => Promise<BatchPage>])[] = [
      ['readAfter', (limit) => bench().store.readAfter(space, startCursor, limit)],
      ['readAbove', (limit) => bench().store.readAbove(space, new Map(), limit)],
    ]
    for (const [read, page] of reads) {
      it(`${read} ends before the batch that would exceed a bound`, async () => {
        const { store, ann } = bench()
        const history = makeTestHistory(ann, [1, 1, 1, 1, 1])
        await store.append(space, history)
        const sizes = history.map(({ bytes }) => bytes.length)
        const two = sizes[0] + sizes[1]
        const count = async (limit: PageLimit): Promise<unknown> => {
          const { batches, more } = await page(limit)
          return [batches.length, more]
        }
        expect(await count({ batches: 2, bytes: wide.bytes })).toEqual([2, true])
        expect(await count({ batches: 5, bytes: wide.bytes })).toEqual([5, false])
        expect(await count({ batches: 6, bytes: wide.bytes })).toEqual([5, false])
        expect(await count({ batches: 6, bytes: two })).toEqual([2, true])
        expect(await count({ batches: 6, bytes: two - 1 })).toEqual([1, true])
        expect(await count({ batches: 6, bytes: sizes.reduce((a, b) => a + b) })).toEqual([5, false])
      })

      it(`${read} makes progress however small the limits`, async () => {
        const { store, ann } = bench()
        const history = makeTestHistory(ann, [1, 1])
        await store.append(space, history)
        for (const limit of [
          { batches: 1, bytes: 1 },
          { batches: 0, bytes: 0 },
        ]) {
          const found = await page(limit)
          expect(bytesOf(found)).toEqual(plain(history.slice(0, 1)))
          expect(found.more).toBe(true)
          expect(found.cursor).toEqual(cursorAt(found.batches[0].position, history[0]))
        }
      })
    }

    it('an empty page names the end of the store', async () => {
      const { store, ann } = bench()
      const history = makeTestHistory(ann, [1, 1])
      await store.append(space, history)
      const end = await store.end(space)
      const empty = { batches: [], cursor: end, more: false }
      expect(await store.readAbove(space, new Map([[ann.device, 2]]), wide)).toEqual(empty)
      expect(await store.readAfter(space, end, wide)).toEqual(empty)
    })

    it('readAbove takes a batch that holds any seq above the vector', async () => {
      const { store, ann, bob } = bench()
      const history = makeTestHistory(ann, [3, 3])
      await store.append(space, [...history, ...makeTestHistory(bob, [1])])
      const above = async (seq: number): Promise<number[]> => {
        const page = await store.readAbove(
          space,
          new Map([
            [ann.device, seq],
            [bob.device, 9],
          ]),
          wide,
        )
        return page.batches.map(({ batch }) => batch.header.fromSeq)
      }
      expect(await above(0)).toEqual([1, 4])
      expect(await above(2)).toEqual([1, 4])
      expect(await above(3)).toEqual([4])
      expect(await above(5)).toEqual([4])
      expect(await above(6)).toEqual([])
      expect(await above(7)).toEqual([])
    })

    it('readAfter covers everything once while appends interleave', async () => {
      const { store, ann, bob } = bench()
      const history = makeTestHistory(ann, repeated(12, 1))
      const others = makeTestHistory(bob, repeated(12, 2))
      await store.append(space, history.slice(0, 3))
      const read: Uint8Array[] = []
      let cursor = startCursor
      for (let turn = 0; turn < 40; turn++) {
        const appending = [history[3 + turn], others[turn]].filter((batch) => batch !== undefined)
        const [page] = await Promise.all([
          store.readAfter(space, cursor, { batches: 2, bytes: wide.bytes }),
          store.append(space, appending),
        ])
        read.push(...bytesOf(page))
        cursor = page.cursor
      }
      expect(read).toHaveLength(24)
      expect(read).toEqual(bytesOf(await store.readAfter(space, startCursor, wide)))
    })

    it('readAfter rejects a cursor that does not name the batch at its position', async () => {
      const { store, ann } = bench()
      const history = makeTestHistory(ann, [1, 1])
      await store.append(space, history)
      const end = await store.end(space)
      const wrong: Cursor[] = [
        cursorAt(end.position, history[0]),
        cursorAt(end.position + 1, history[1]),
        cursorAt(end.position + 1000, history[1]),
        { position: end.position, tag: new Uint8Array(0) },
        { position: 0, tag: history[0].header.tagAfter },
        { position: -1, tag: history[0].header.tagAfter },
        { position: end.position - 0.5, tag: history[1].header.tagAfter },
      ]
      for (const cursor of wrong) {
        await expect(store.readAfter(space, cursor, wide)).rejects.toMatchObject({ code: 'BASE_MISMATCH' })
      }
      await expect(store.readAfter('empty', end, wide)).rejects.toMatchObject({ code: 'BASE_MISMATCH' })
    })
  })

  it('keeps the largest batch and large records', { timeout: 30_000 }, async () => {
    const { store, medium, ann } = bench()
    const small = makeTestBatch(ann, { toSeq: 1000, body: new Uint8Array(0) })
    const body = new Uint8Array(MAX_BATCH_BYTES - small.bytes.length).map((_, index) => index * 31)
    const largest = makeTestBatch(ann, { toSeq: 1000, body })
    expect(largest.bytes).toHaveLength(MAX_BATCH_BYTES)
    const next = makeTestBatch(ann, { previous: largest })
    const value = new Uint8Array(3_000_000).map((_, index) => index * 7)
    await store.append(space, [largest, next], { records: [{ key: 'large', value }] })
    const reopened = await medium.reopen()
    const page = await reopened.readAfter(space, startCursor, { batches: 10, bytes: 1000 })
    expect(page.more).toBe(true)
    expect(page.batches).toHaveLength(1)
    expect(equalBytes(page.batches[0].batch.bytes, largest.bytes)).toBe(true)
    const [record] = await reopened.records(space, 'large')
    expect(equalBytes(record.value, value)).toBe(true)
  })
}
