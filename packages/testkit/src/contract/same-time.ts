/** Calls that are under way at the same time. */
import { type AppendOutcome, type BatchStore, startCursor } from '@driftlog/core'
import { assert, describe, expect, it } from 'vitest'
import { makeTestBatch, makeTestDevice, makeTestHistory } from '../test-batches.ts'
import {
  type Abilities,
  bytesOf,
  kinds,
  plain,
  positions,
  repeated,
  space,
  text,
  type UseBench,
  wide,
} from './setup.ts'

export const sameTimeContract = (bench: UseBench, { another }: Abilities): void => {
  describe('at the same time', () => {
    it('20 appends of different devices get 20 positions', async () => {
      const { store } = bench()
      const batches = Array.from({ length: 20 }, (_, index) => makeTestBatch(makeTestDevice(space, index)))
      const outcomes = (await Promise.all(batches.map((batch) => store.append(space, [batch])))).flat()
      expect(new Set(positions(outcomes)).size).toBe(20)
      const page = await store.readAfter(space, startCursor, wide)
      expect(page.batches).toHaveLength(20)
      expect(new Set(page.batches.map(({ position }) => position))).toEqual(new Set(positions(outcomes)))
      expect((await store.vector(space)).size).toBe(20)
    })

    it('20 appends of the same batch take it in once', async () => {
      const { store, ann } = bench()
      const [first, second] = makeTestHistory(ann, [1, 1])
      const asked = Array.from({ length: 20 }, () => store.append(space, [first, second]))
      const outcomes = (await Promise.all(asked)).flat()
      expect(kinds(outcomes).filter((kind) => kind === 'appended')).toHaveLength(2)
      expect(kinds(outcomes).filter((kind) => kind === 'duplicate')).toHaveLength(38)
      expect(bytesOf(await store.readAfter(space, startCursor, wide))).toEqual(plain([first, second]))
    })

    it('20 appends of one history, asked for in order, are taken in in order', async () => {
      const { store, ann } = bench()
      const history = makeTestHistory(ann, repeated(20, 1))
      const outcomes = (await Promise.all(history.map((batch) => store.append(space, [batch])))).flat()
      expect(positions(outcomes)).toHaveLength(20)
      expect(bytesOf(await store.readAfter(space, startCursor, wide))).toEqual(plain(history))
    })

    it('one call that is undone does not touch the others', async () => {
      const { store, ann } = bench()
      const [first, second, third] = makeTestHistory(ann, [1, 1, 1])
      const calls = await Promise.all([
        store.append(space, [first], { records: [{ key: '1', value: text.encode('1') }] }),
        store.append(space, [second, makeTestBatch(ann, { fromSeq: 9 })], {
          records: [{ key: '2', value: text.encode('2') }],
          allOrNothing: true,
        }),
        store.append(space, [third], { records: [{ key: '3', value: text.encode('3') }] }),
        store.append(space, [second, third], { records: [{ key: '4', value: text.encode('4') }] }),
      ])
      expect(calls.map(kinds)).toEqual([['appended'], ['undone', 'gap'], ['gap'], ['appended', 'appended']])
      expect((await store.records(space, '')).map(({ key }) => key)).toEqual(['1', '3', '4'])
      expect(bytesOf(await store.readAfter(space, startCursor, wide))).toEqual(plain([first, second, third]))
    })

    /** Several write an ordered log of records, each trying the next number until all of its own are in. */
    const raceForEntries = async (stores: readonly BatchStore[]): Promise<void> => {
      const write = async (store: BatchStore, writer: number): Promise<void> => {
        for (let next = 0, written = 0; written < 5; next++) {
          const key = `member/${String(next).padStart(8, '0')}`
          try {
            await store.append(space, [], { records: [{ key, value: text.encode(`${writer}`) }], absent: [key] })
            written++
          } catch (error) {
            expect(error).toMatchObject({ code: 'RECORD_EXISTS', details: { key } })
          }
        }
      }
      await Promise.all(stores.map(write))
      const entries = await stores[0].records(space, 'member/')
      expect(entries.map(({ key }) => Number(key.slice('member/'.length)))).toEqual(
        Array.from({ length: 5 * stores.length }, (_, index) => index),
      )
      const writers = entries.map(({ value }) => new TextDecoder().decode(value)).sort()
      expect(writers).toEqual(stores.flatMap((_, writer) => repeated(5, writer).map(String)))
    }

    it('STORE9 several that append entry n of an ordered log of records append it once', async () => {
      const { store } = bench()
      await raceForEntries([store, store, store])
    })

    it('STORE9 a call that meets a record does not touch the others', async () => {
      const { store, ann } = bench()
      const [first, second] = makeTestHistory(ann, [1, 1])
      const records = [{ key: 'key', value: text.encode('1') }]
      const calls = await Promise.allSettled([
        store.append(space, [first], { records, absent: ['key'] }),
        store.append(space, [second], { records, absent: ['key'] }),
        store.append(space, [second]),
      ])
      expect(calls.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect(bytesOf(await store.readAfter(space, startCursor, wide))).toEqual(plain([first, second]))
    })

    it('STORE7 appends and prunes in the order in which they were asked for', async () => {
      const { store, ann } = bench()
      const history = makeTestHistory(ann, [1, 1, 1])
      const { toSeq: seq, tagAfter: tag } = history[1].header
      const [before, pruned, after] = await Promise.all([
        store.append(space, history.slice(0, 2)),
        store.prune(space, [{ branch: ann.device, seq, tag }]),
        store.append(space, history.slice(1)),
      ])
      expect(kinds(before)).toEqual(['appended', 'appended'])
      expect(pruned).toMatchObject([{ kind: 'pruned', batches: 2 }])
      expect(kinds(after)).toEqual(['below', 'appended'])
    })

    if (another) {
      it('STORE9 two stores on the same medium append each entry once', async () => {
        const { store, medium } = bench()
        assert(medium.another)
        await raceForEntries([store, await medium.another()])
      })

      it('two stores on the same medium, appending the same, take it in once', async () => {
        const { store, medium, ann } = bench()
        assert(medium.another)
        const other = await medium.another()
        const history = makeTestHistory(ann, repeated(10, 1))
        const calls: Promise<readonly AppendOutcome[]>[] = []
        for (const batch of history) calls.push(store.append(space, [batch]), other.append(space, [batch]))
        await Promise.all(calls)
        // The two may overtake each other and meet gaps; a last call brings whatever is missing.
        await store.append(space, history)
        expect(bytesOf(await other.readAfter(space, startCursor, wide))).toEqual(plain(history))
      })
    }
  })
}
