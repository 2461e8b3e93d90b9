/**
 * What every adapter of BatchStore must do, as a vitest suite. An adapter's test supplies only the setup:
 *
 *     batchStoreContract('sqlite', async () => {
 *       const path = temporaryPath()
 *       let store = sqlite(path)
 *       return {
 *         store,
 *         async reopen() { await store.close(); return (store = sqlite(path)) },
 *         async dispose() { await store.close() },
 *       }
 *     })
 *
 * Tests cite the rules STORE1 to STORE5 of the port. Histories that go in are compared with what a naive model, which
 * knows ops rather than tags, says should come out.
 */
import {
  type AppendOutcome,
  type Batch,
  type BatchPage,
  type BatchStore,
  cryptoReady,
  type Cursor,
  type DeviceId,
  equalBytes,
  MAX_BATCH_BYTES,
  type PageLimit,
  startCursor,
  type VersionVector,
} from '@driftlog/core'
import fc from 'fast-check'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  makeTestBatch,
  makeTestDevice,
  makeTestHistory,
  mergeTestBatches,
  type TestBatch,
  type TestDevice,
} from './test-batches.ts'

/** One medium (a file, a database) with an open store on it. */
export interface StoreUnderTest {
  readonly store: BatchStore
  /** Closes the last store that was opened and opens another one on the same medium. */
  reopen(): Promise<BatchStore>
  /** Another store on the same medium beside those that are open, as another process or tab would open it. */
  another?(): Promise<BatchStore>
  /** Ends the last store as a kill does, without a close, and opens another one on the same medium. */
  crash?(): Promise<BatchStore>
  /** Closes what is open and removes the medium. */
  dispose(): Promise<void>
}

const wide: PageLimit = { batches: 1_000_000, bytes: Number.MAX_SAFE_INTEGER }
const text = new TextEncoder()
const bytesOf = (page: BatchPage): Uint8Array[] => page.batches.map(({ batch }) => batch.bytes)
const plain = (batches: readonly Batch[]): Uint8Array[] => batches.map(({ bytes }) => bytes)
const prefixesOf = (key: string): string[] =>
  Array.from(key).map((_, index, characters) => characters.slice(0, index + 1).join(''))
const repeated = (count: number, length: number): number[] => Array.from({ length: count }, () => length)
const cursorAt = (position: number, batch: Batch): Cursor => ({ position, tag: batch.header.tagAfter })
const kinds = (outcomes: readonly AppendOutcome[]): string[] => outcomes.map(({ kind }) => kind)
const positions = (outcomes: readonly AppendOutcome[]): number[] =>
  outcomes.flatMap((outcome) => (outcome.kind === 'appended' ? [outcome.position] : []))

/** Everything a space answers: two equal snapshots mean that nothing changed. */
const snapshot = async (store: BatchStore, space: string) => {
  const vector = await store.vector(space)
  const tips = await Promise.all([...vector.keys()].map((device) => store.tip(space, device)))
  const page = await store.readAfter(space, startCursor, wide)
  const batches = page.batches.map(({ batch, position }) => [position, batch.bytes] as const)
  return { vector, tips, batches, records: await store.records(space, ''), end: await store.end(space) }
}

export const batchStoreContract = (name: string, setup: () => Promise<StoreUnderTest>): void => {
  describe(`the BatchStore contract: ${name}`, () => {
    const space = 'home'
    let medium: StoreUnderTest
    let store: BatchStore
    let ann: TestDevice
    let bob: TestDevice

    beforeAll(async () => {
      await cryptoReady()
      ann = makeTestDevice(space, 'ann')
      bob = makeTestDevice(space, 'bob')
    })
    beforeEach(async () => {
      medium = await setup()
      store = medium.store
    })
    afterEach(() => medium.dispose())

    const unchangedBy = async (act: () => Promise<unknown>): Promise<void> => {
      const before = await snapshot(store, space)
      await act()
      expect(await snapshot(store, space)).toEqual(before)
    }

    describe('an empty space', () => {
      it('answers with nothing', async () => {
        expect(await store.vector(space)).toEqual(new Map())
        expect(await store.tip(space, ann.device)).toBeUndefined()
        expect(await store.end(space)).toEqual(startCursor)
        expect(await store.records(space, '')).toEqual([])
        const empty = { batches: [], cursor: startCursor, more: false }
        expect(await store.readAbove(space, new Map([[ann.device, 3]]), wide)).toEqual(empty)
        expect(await store.readAfter(space, startCursor, wide)).toEqual(empty)
        expect(await store.append(space, [])).toEqual([])
      })
    })

    describe('taking in', () => {
      it('gives back what was appended, byte for byte, and where each history ends', async () => {
        const history = makeTestHistory(ann, [2, 3])
        const outcomes = await store.append(space, history)
        expect(kinds(outcomes)).toEqual(['appended', 'appended'])
        const page = await store.readAfter(space, startCursor, wide)
        expect(bytesOf(page)).toEqual(plain(history))
        expect(page.batches[0].batch.header).toEqual(history[0].header)
        expect(page.batches[1].batch.body).toEqual(history[1].body)
        expect(page.batches.map(({ position }) => position)).toEqual(positions(outcomes))
        expect(await store.vector(space)).toEqual(new Map([[ann.device, 5]]))
        const { tagAfter } = history[1].header
        expect(await store.tip(space, ann.device)).toEqual({ seq: 5, tag: tagAfter, certificate: ann.certificate })
        expect(await store.end(space)).toEqual({ position: positions(outcomes)[1], tag: tagAfter })
      })

      it('keeps everything over a reopening', async () => {
        await store.append(space, [...makeTestHistory(ann, [1, 4]), ...makeTestHistory(bob, [2])], {
          records: [{ key: 'clock', value: text.encode('12') }],
        })
        const before = await snapshot(store, space)
        store = await medium.reopen()
        expect(await snapshot(store, space)).toEqual(before)
      })

      it('does not depend on the buffers of the caller once an append has settled', async () => {
        const batch = makeTestBatch(ann)
        const larger = new Uint8Array(4096)
        larger.set(batch.bytes, 100)
        const within = (view: Uint8Array): Uint8Array =>
          larger.subarray(100 + view.byteOffset - batch.bytes.byteOffset).subarray(0, view.length)
        const { header } = batch
        const value = text.encode('value')
        await store.append(
          space,
          [
            {
              bytes: within(batch.bytes),
              headerBytes: within(batch.headerBytes),
              body: within(batch.body),
              signature: within(batch.signature),
              header: { ...header, tagBefore: within(header.tagBefore), tagAfter: within(header.tagAfter) },
            },
          ],
          { records: [{ key: 'key', value }] },
        )
        larger.fill(255)
        value.fill(255)
        expect(bytesOf(await store.readAfter(space, startCursor, wide))).toEqual([batch.bytes])
        expect(await store.tip(space, ann.device)).toMatchObject({ tag: header.tagAfter })
        expect(await store.records(space, '')).toEqual([{ key: 'key', value: text.encode('value') }])
      })

      it('STORE1 refuses a gap, says what is held, and changes nothing', async () => {
        const [first, second, third] = makeTestHistory(ann, [2, 1, 1])
        expect(await store.append(space, [second])).toEqual([{ kind: 'gap', have: 0 }])
        expect(await store.vector(space)).toEqual(new Map())
        await store.append(space, [first])
        await unchangedBy(async () => {
          expect(await store.append(space, [third])).toEqual([{ kind: 'gap', have: 2 }])
        })
      })

      it('STORE1 judges each batch against those before it in the call', async () => {
        const [first, second, third] = makeTestHistory(ann, [1, 1, 1])
        const outcomes = await store.append(space, [third, first, second, third, first])
        expect(kinds(outcomes)).toEqual(['gap', 'appended', 'appended', 'appended', 'duplicate'])
        expect(outcomes[0]).toEqual({ kind: 'gap', have: 0 })
        expect(bytesOf(await store.readAfter(space, startCursor, wide))).toEqual(plain([first, second, third]))
      })

      it('STORE2 refuses another tag at a held boundary', async () => {
        const history = makeTestHistory(ann, [2, 2])
        await store.append(space, history)
        const otherEnd = makeTestBatch(ann, { toSeq: 4, previous: history[0], body: text.encode('other') })
        const otherStart = makeTestBatch(ann, { toSeq: 2, body: text.encode('other') })
        await unchangedBy(async () => {
          const fork = { kind: 'fork', have: 4 }
          expect(await store.append(space, [otherEnd])).toEqual([fork])
          expect(await store.append(space, [otherStart])).toEqual([fork])
        })
      })

      it('STORE2 refuses a batch that continues another history', async () => {
        await store.append(space, makeTestHistory(ann, [2]))
        const [, next] = makeTestHistory(ann, [2, 2], undefined, 'other')
        await unchangedBy(async () => {
          expect(await store.append(space, [next])).toEqual([{ kind: 'fork', have: 2 }])
        })
      })

      it('STORE2 refuses a partial overlap, at the end, inside and around', async () => {
        const history = makeTestHistory(ann, [2, 3, 1])
        await store.append(space, history.slice(0, 2))
        const overEnd = mergeTestBatches(ann, history.slice(1))
        const around = mergeTestBatches(ann, history)
        const inside = makeTestBatch(ann, { fromSeq: 3, toSeq: 4, previous: history[0] })
        await unchangedBy(async () => {
          for (const batch of [overEnd, around, inside]) {
            expect(await store.append(space, [batch])).toEqual([{ kind: 'fork', have: 5 }])
          }
        })
      })

      it('STORE3 a held batch is a duplicate: no change, no new position', async () => {
        const history = makeTestHistory(ann, [2, 3])
        await store.append(space, history)
        await unchangedBy(async () => {
          expect(kinds(await store.append(space, history))).toEqual(['duplicate', 'duplicate'])
          expect(kinds(await store.append(space, [history[0]]))).toEqual(['duplicate'])
        })
      })

      it('STORE3 goes by the tag at the boundary: the same ops sealed again are a duplicate', async () => {
        const history = makeTestHistory(ann, [2, 3, 1])
        await store.append(space, history)
        await unchangedBy(async () => {
          const outcomes = await store.append(space, [
            mergeTestBatches(ann, history),
            mergeTestBatches(ann, history.slice(0, 2)),
            mergeTestBatches(ann, history.slice(1)),
          ])
          expect(kinds(outcomes)).toEqual(['duplicate', 'duplicate', 'duplicate'])
        })
      })

      it('STORE5 positions rise in the order of arrival and are not reused after a reopening', async () => {
        const [first, second, third] = makeTestHistory(ann, [1, 1, 1])
        const seen: number[] = []
        seen.push(...positions(await store.append(space, [first])))
        seen.push(...positions(await store.append(space, makeTestHistory(bob, [1, 1]))))
        seen.push(...positions(await store.append(space, [second])))
        store = await medium.reopen()
        await store.append(space, [first, second])
        seen.push(...positions(await store.append(space, [third])))
        expect(seen).toHaveLength(5)
        expect(seen[0]).toBeGreaterThanOrEqual(1)
        expect(seen.every((position, index) => index === 0 || position > seen[index - 1])).toBe(true)
        const page = await store.readAfter(space, startCursor, wide)
        expect(page.batches.map(({ position }) => position)).toEqual(seen)
      })

      it('refuses what no caller may ask for, whole', async () => {
        const elsewhere = makeTestBatch(makeTestDevice('elsewhere', 'ann'))
        const records = [{ key: 'kept', value: text.encode('no') }]
        await unchangedBy(async () => {
          const refused = { code: 'OPTION_INVALID' }
          await expect(store.append(space, [makeTestBatch(ann), elsewhere], { records })).rejects.toMatchObject(refused)
          for (const key of ['\ud800', 'a\0b']) {
            const change = [...records, { key, value: text.encode('no') }]
            await expect(store.append(space, [], { records: change })).rejects.toMatchObject(refused)
          }
          for (const bad of ['', '../up', 'a b', 'é', 'x'.repeat(65)]) {
            await expect(store.append(bad, [], { records })).rejects.toMatchObject(refused)
            await expect(store.claimSlot(bad)).rejects.toMatchObject(refused)
          }
        })
      })
    })

    describe('STORE4 an append is all of it or none', () => {
      const records = [{ key: 'cursor', value: text.encode('7') }]

      it('stores batches and records together', async () => {
        await store.append(space, makeTestHistory(ann, [1]), { records })
        store = await medium.reopen()
        expect(await store.vector(space)).toEqual(new Map([[ann.device, 1]]))
        expect(await store.records(space, '')).toEqual(records)
      })

      it('a gap or a fork skips that batch alone', async () => {
        const [first, second, third] = makeTestHistory(ann, [1, 1, 1])
        const fork = makeTestBatch(ann, { body: text.encode('other') })
        const outcomes = await store.append(space, [first, third, fork, second], { records })
        expect(kinds(outcomes)).toEqual(['appended', 'gap', 'fork', 'appended'])
        expect(outcomes.slice(1, 3).map((outcome) => 'have' in outcome && outcome.have)).toEqual([1, 1])
        expect(await store.vector(space)).toEqual(new Map([[ann.device, 2]]))
        expect(await store.records(space, '')).toEqual(records)
      })

      for (const refusal of ['gap', 'fork'] as const) {
        it(`allOrNothing: a ${refusal} in the middle undoes everything`, async () => {
          const [first, second, third, fourth] = makeTestHistory(ann, [1, 1, 1, 1])
          const fork = makeTestBatch(ann, { previous: first, body: text.encode('other') })
          await store.append(space, [first], { records: [{ key: 'old', value: text.encode('1') }] })
          await unchangedBy(async () => {
            const outcomes = await store.append(
              space,
              [first, second, refusal === 'gap' ? fourth : fork, third, ...makeTestHistory(bob, [1])],
              { records: [...records, { key: 'old', value: undefined }], allOrNothing: true },
            )
            // What is held after the undoing, not what was held for a moment.
            expect(outcomes[2]).toEqual({ kind: refusal, have: 1 })
            expect(kinds(outcomes)).toEqual(['undone', 'undone', refusal, 'undone', 'undone'])
          })
          const again = await store.append(space, [second, third], { allOrNothing: true })
          expect(kinds(again)).toEqual(['appended', 'appended'])
          expect(bytesOf(await store.readAfter(space, startCursor, wide))).toEqual(plain([first, second, third]))
        })
      }

      it('allOrNothing: duplicates do not undo', async () => {
        const [first, second] = makeTestHistory(ann, [1, 1])
        await store.append(space, [first])
        const outcomes = await store.append(space, [first, second], { records, allOrNothing: true })
        expect(kinds(outcomes)).toEqual(['duplicate', 'appended'])
        expect(await store.records(space, '')).toEqual(records)
      })
    })

    describe('pages', () => {
      const reads: readonly (readonly [string, (limit: PageLimit) => Promise<BatchPage>])[] = [
        ['readAfter', (limit) => store.readAfter(space, startCursor, limit)],
        ['readAbove', (limit) => store.readAbove(space, new Map(), limit)],
      ]
      for (const [read, page] of reads) {
        it(`${read} ends before the batch that would exceed a bound`, async () => {
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
        const history = makeTestHistory(ann, [1, 1])
        await store.append(space, history)
        const end = await store.end(space)
        const empty = { batches: [], cursor: end, more: false }
        expect(await store.readAbove(space, new Map([[ann.device, 2]]), wide)).toEqual(empty)
        expect(await store.readAfter(space, end, wide)).toEqual(empty)
      })

      it('readAbove takes a batch that holds any seq above the vector', async () => {
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

    it('does what a naive model says, over random histories', { timeout: 60_000 }, async () => {
      let run = 0
      await fc.assert(
        fc.asyncProperty(planArbitrary, async (plan) => {
          await playPlan(store, `run-${run++}`, plan)
        }),
        { numRuns: 40 },
      )
    })

    describe('watch', () => {
      /** Resolves when notifications of all that was appended before must have been given: another space's has. */
      const settle = async (through: BatchStore, barrier: string): Promise<void> => {
        const fence = vi.fn()
        const stop = through.watch(barrier, fence)
        await store.append(barrier, makeTestHistory(makeTestDevice(barrier, 'fence'), [1]))
        await vi.waitFor(() => expect(fence).toHaveBeenCalled(), { timeout: 10_000 })
        stop()
      }

      it('calls after an append that took in something, and only then', async () => {
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

      it('sees what another store on the same medium takes in', async ({ skip }) => {
        if (medium.another === undefined) return skip()
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
    })

    describe('records', () => {
      const put = (...keys: readonly string[]): Promise<unknown> =>
        store.append(space, [], { records: keys.map((key) => ({ key, value: text.encode(key) })) })
      const keys = async (prefix: string): Promise<string[]> =>
        (await store.records(space, prefix)).map(({ key }) => key)

      it('are written, overwritten and deleted; the last change of a call counts', async () => {
        await put('a', 'b')
        await store.append(space, [], {
          records: [
            { key: 'a', value: new Uint8Array(0) },
            { key: 'b', value: undefined },
            { key: 'absent', value: undefined },
            { key: 'c', value: text.encode('1') },
            { key: 'c', value: text.encode('2') },
            { key: 'd', value: text.encode('1') },
            { key: 'd', value: undefined },
          ],
        })
        expect(await store.records(space, '')).toEqual([
          { key: 'a', value: new Uint8Array(0) },
          { key: 'c', value: text.encode('2') },
        ])
      })

      it('come in the order of UTF-16 code units', async () => {
        // U+1F600 is above U+FFFD as a code point and below it as code units.
        const sorted = [
          '',
          'A',
          'B',
          'Z',
          'a',
          'aa',
          'b',
          'z',
          '~',
          'é',
          '中',
          '\u{1f600}',
          '\ue000',
          '\ufffd',
          '\uffff',
        ]
        await put(...sorted.toReversed())
        expect(await keys('')).toEqual(sorted)
        expect([...sorted].sort()).toEqual(sorted)
      })

      it('are found by their exact prefix, whatever characters it has', async () => {
        const ascii = ['a%b', 'a_b', 'axb', 'a%', 'a_', 'A_', "a'b", 'a"b', 'a\\b', 'a*b', 'a?b', 'a[b]', 'a-b']
        const wider = [
          'é/1',
          'e\u0301/1',
          '\u{1f600}/1',
          '\u{1f601}/1',
          '\u{10ffff}/1',
          '\uffff',
          '\uffff\uffff/1',
          'ￜ',
        ]
        const all = [...ascii, ...wider]
        await put(...all)
        const prefixes = [...new Set(all.flatMap(prefixesOf))]
        for (const prefix of ['', ...prefixes, 'b', 'a%%', '\u{10fffe}']) {
          expect(await keys(prefix)).toEqual(all.filter((key) => key.startsWith(prefix)).sort())
        }
      })

      it('do what a map says, over random changes', { timeout: 60_000 }, async () => {
        const key = fc.string({ unit: fc.constantFrom('a', 'b', '%', '_', 'é', '\u{1f600}', '\uffff'), maxLength: 4 })
        const change = fc.record({ key, value: fc.option(fc.uint8Array({ maxLength: 4 }), { nil: undefined }) })
        let run = 0
        await fc.assert(
          fc.asyncProperty(fc.array(fc.array(change), { maxLength: 5 }), fc.array(key), async (calls, prefixes) => {
            const within = `records-${run++}`
            const model = new Map<string, Uint8Array>()
            for (const records of calls) {
              await store.append(within, [], { records })
              for (const { key, value } of records) {
                if (value === undefined) model.delete(key)
                else model.set(key, value)
              }
            }
            for (const prefix of ['', ...prefixes]) {
              const found = await store.records(within, prefix)
              const wanted = [...model].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1))
              expect(found).toEqual(wanted.map(([key, value]) => ({ key, value })))
            }
          }),
          { numRuns: 40 },
        )
      })
    })

    it('keeps spaces apart', async () => {
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
      const ids = ['A', 'a', '_', '-', '0', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-0123456789']
      for (const id of ids) {
        const author = makeTestDevice(id, 'ann')
        expect(kinds(await store.append(id, makeTestHistory(author, [1])))).toEqual(['appended'])
        const claim = await store.claimSlot(id)
        await claim.release()
      }
      store = await medium.reopen()
      for (const id of ids) expect(await store.vector(id)).toEqual(new Map([[ann.device, 1]]))
    })

    it('keeps the largest batch and large records', { timeout: 30_000 }, async () => {
      const small = makeTestBatch(ann, { toSeq: 1000, body: new Uint8Array(0) })
      const body = new Uint8Array(MAX_BATCH_BYTES - small.bytes.length).map((_, index) => index * 31)
      const largest = makeTestBatch(ann, { toSeq: 1000, body })
      expect(largest.bytes).toHaveLength(MAX_BATCH_BYTES)
      const next = makeTestBatch(ann, { previous: largest })
      const value = new Uint8Array(3_000_000).map((_, index) => index * 7)
      await store.append(space, [largest, next], { records: [{ key: 'large', value }] })
      store = await medium.reopen()
      const page = await store.readAfter(space, startCursor, { batches: 10, bytes: 1000 })
      expect(page.more).toBe(true)
      expect(page.batches).toHaveLength(1)
      expect(equalBytes(page.batches[0].batch.bytes, largest.bytes)).toBe(true)
      const [record] = await store.records(space, 'large')
      expect(equalBytes(record.value, value)).toBe(true)
    })

    describe('slots', () => {
      it('are exclusive, lowest free first, and free again after release', async () => {
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
        const claims = await Promise.all(Array.from({ length: 5 }, () => store.claimSlot(space)))
        expect(claims.map(({ slot }) => slot).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4])
      })

      it('are free after a close', async () => {
        await store.claimSlot(space)
        await store.claimSlot(space)
        store = await medium.reopen()
        expect((await store.claimSlot(space)).slot).toBe(0)
      })

      it('are exclusive between stores on the same medium', async ({ skip }) => {
        if (medium.another === undefined) return skip()
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

      it('are free after a crash, and what was stored is there', async ({ skip }) => {
        if (medium.crash === undefined) return skip()
        const history = makeTestHistory(ann, [1, 1])
        await store.append(space, history)
        await store.claimSlot(space)
        store = await medium.crash()
        expect((await store.claimSlot(space)).slot).toBe(0)
        expect(bytesOf(await store.readAfter(space, startCursor, wide))).toEqual(plain(history))
      })
    })

    describe('close', () => {
      it('rejects every further use with CLOSED, and closing again is harmless', async () => {
        const claim = await store.claimSlot(space)
        const stop = store.watch(space, () => {})
        await store.close()
        await store.close()
        const closed = { code: 'CLOSED' }
        await expect(store.append(space, [makeTestBatch(ann)])).rejects.toMatchObject(closed)
        await expect(store.readAbove(space, new Map(), wide)).rejects.toMatchObject(closed)
        await expect(store.readAfter(space, startCursor, wide)).rejects.toMatchObject(closed)
        await expect(store.vector(space)).rejects.toMatchObject(closed)
        await expect(store.tip(space, ann.device)).rejects.toMatchObject(closed)
        await expect(store.end(space)).rejects.toMatchObject(closed)
        await expect(store.records(space, '')).rejects.toMatchObject(closed)
        await expect(store.claimSlot(space)).rejects.toMatchObject(closed)
        expect(() => store.watch(space, () => {})).toThrow(expect.objectContaining(closed))
        stop()
        await claim.release()
      })

      it('waits for the appends that were asked for before', async () => {
        const history = makeTestHistory(ann, [1, 1, 1])
        const appending = history.map((batch) => store.append(space, [batch]))
        const closing = store.close()
        expect((await Promise.all(appending)).flatMap(kinds)).toEqual(['appended', 'appended', 'appended'])
        await closing
        store = await medium.reopen()
        expect(await store.vector(space)).toEqual(new Map([[ann.device, 3]]))
      })
    })

    describe('at the same time', () => {
      it('20 appends of different devices get 20 positions', async () => {
        const batches = Array.from({ length: 20 }, (_, index) => makeTestBatch(makeTestDevice(space, index)))
        const outcomes = (await Promise.all(batches.map((batch) => store.append(space, [batch])))).flat()
        expect(new Set(positions(outcomes)).size).toBe(20)
        const page = await store.readAfter(space, startCursor, wide)
        expect(page.batches).toHaveLength(20)
        expect(new Set(page.batches.map(({ position }) => position))).toEqual(new Set(positions(outcomes)))
        expect((await store.vector(space)).size).toBe(20)
      })

      it('20 appends of the same batch take it in once', async () => {
        const [first, second] = makeTestHistory(ann, [1, 1])
        const asked = Array.from({ length: 20 }, () => store.append(space, [first, second]))
        const outcomes = (await Promise.all(asked)).flat()
        expect(kinds(outcomes).filter((kind) => kind === 'appended')).toHaveLength(2)
        expect(kinds(outcomes).filter((kind) => kind === 'duplicate')).toHaveLength(38)
        expect(bytesOf(await store.readAfter(space, startCursor, wide))).toEqual(plain([first, second]))
      })

      it('20 appends of one history, asked for in order, are taken in in order', async () => {
        const history = makeTestHistory(ann, repeated(20, 1))
        const outcomes = (await Promise.all(history.map((batch) => store.append(space, [batch])))).flat()
        expect(positions(outcomes)).toHaveLength(20)
        expect(bytesOf(await store.readAfter(space, startCursor, wide))).toEqual(plain(history))
      })

      it('one call that is undone does not touch the others', async () => {
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

      it('two stores on the same medium, appending the same, take it in once', async ({ skip }) => {
        if (medium.another === undefined) return skip()
        const other = await medium.another()
        const history = makeTestHistory(ann, repeated(10, 1))
        const calls: Promise<readonly AppendOutcome[]>[] = []
        for (const batch of history) calls.push(store.append(space, [batch]), other.append(space, [batch]))
        await Promise.all(calls)
        // The two may overtake each other and meet gaps; a last call brings whatever is missing.
        await store.append(space, history)
        expect(bytesOf(await other.readAfter(space, startCursor, wide))).toEqual(plain(history))
      })
    })
  })
}

// --- The naive model -------------------------------------------------------------------------------------------------

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
  readonly taken: Batch[]
  readonly ops: Map<DeviceId, readonly string[]>
  readonly ends: Map<DeviceId, ReadonlySet<number>>
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

const samePrefix = (a: readonly string[], b: readonly string[], length: number): boolean =>
  a.slice(0, length).join() === b.slice(0, length).join()

const modelTakes = (model: Model, { batch, history }: Candidate): string => {
  const { device, fromSeq, toSeq } = batch.header
  const ops = model.ops.get(device) ?? []
  const ends = model.ends.get(device) ?? new Set<number>()
  if (fromSeq > ops.length + 1) return 'gap'
  if (fromSeq === ops.length + 1) {
    if (!samePrefix(ops, history, ops.length)) return 'fork'
    model.taken.push(batch)
    model.ops.set(device, history)
    model.ends.set(device, new Set([...ends, toSeq]))
    return 'appended'
  }
  return ends.has(toSeq) && samePrefix(ops, history, toSeq) ? 'duplicate' : 'fork'
}

const playPlan = async (store: BatchStore, space: string, plan: Plan): Promise<void> => {
  const authors = plan.cuts.map((_, index) => makeTestDevice(space, index))
  const candidates = authors.flatMap((author, index) => candidatesOf(author, plan.cuts[index], plan.forks[index]))
  let model: Model = { taken: [], ops: new Map(), ends: new Map() }

  for (const { picks, allOrNothing } of plan.calls) {
    const picked = picks
      .map((pick) => candidates[pick % candidates.length])
      .sort((a, b) => candidates.indexOf(a) - candidates.indexOf(b))
    const next: Model = { taken: [...model.taken], ops: new Map(model.ops), ends: new Map(model.ends) }
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
    for (const [index, outcome] of outcomes.entries()) {
      if (!('have' in outcome)) continue
      const { device } = picked[index].batch.header
      // Within a call `have` may be of any moment of it; after an undoing it is what was there before.
      const most = model.ops.get(device)?.length ?? 0
      if (undone) expect(outcome.have).toBe(most)
      else expect(outcome.have).toBeLessThanOrEqual(most)
    }
  }

  const held = new Map([...model.ops].map(([device, ops]) => [device, ops.length] as const))
  expect(await store.vector(space)).toEqual(held)
  expect(await readAllAfter(store, space, plan.limit)).toEqual(plain(model.taken))
  for (const seqs of [[0, 0, 0], ...plan.vectors]) {
    const vector = new Map(authors.map(({ device }, index) => [device, seqs[index]] as const))
    const wanted = model.taken.filter(({ header }) => header.toSeq > (vector.get(header.device) ?? 0))
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
    for (const { batch } of page.batches) vector.set(batch.header.device, batch.header.toSeq)
    if (!page.more) return read
  }
}
