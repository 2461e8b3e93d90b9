/** What an append takes in, what it refuses and what it leaves as it was: STORE1 to STORE5. */
import { startCursor } from '@driftlog/core'
import { describe, expect, it } from 'vitest'
import { makeTestBatch, makeTestDevice, makeTestHistory, mergeTestBatches } from '../test-batches.ts'
import { bytesOf, kinds, plain, positions, snapshot, space, text, unchangedBy, type UseBench, wide } from './setup.ts'

export const appendContract = (bench: UseBench): void => {
  describe('taking in', () => {
    it('gives back what was appended, byte for byte, and where each history ends', async () => {
      const { store, ann } = bench()
      const history = makeTestHistory(ann, [2, 3])
      const outcomes = await store.append(space, history)
      expect(kinds(outcomes)).toEqual(['appended', 'appended'])
      const page = await store.readAfter(space, startCursor, wide)
      expect(bytesOf(page)).toEqual(plain(history))
      expect(page.batches[0].batch.header).toEqual(history[0].header)
      expect(page.batches[1].batch.body).toEqual(history[1].body)
      expect(page.batches.map(({ position }) => position)).toEqual(positions(outcomes))
      expect(page.batches.map(({ branch }) => branch)).toEqual([ann.device, ann.device])
      expect(outcomes).toMatchObject(outcomes.map(() => ({ branch: ann.device, isSplit: false })))
      expect(await store.vector(space)).toEqual(new Map([[ann.device, 5]]))
      const { tagAfter } = history[1].header
      expect(await store.tips(space)).toEqual(new Map([[ann.device, { seq: 5, tag: tagAfter }]]))
      expect(await store.certificate(space, ann.device)).toEqual(ann.certificate)
      expect(await store.end(space)).toEqual({ position: positions(outcomes)[1], tag: tagAfter })
    })

    it('keeps everything over a reopening', async () => {
      const { store, medium, ann, bob } = bench()
      await store.append(space, [...makeTestHistory(ann, [1, 4]), ...makeTestHistory(bob, [2])], {
        records: [{ key: 'clock', value: text.encode('12') }],
      })
      const before = await snapshot(store, space)
      const reopened = await medium.reopen()
      expect(await snapshot(reopened, space)).toEqual(before)
    })

    it('does not depend on the buffers of the caller once an append has settled', async () => {
      const { store, ann } = bench()
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
      expect(await store.tips(space)).toEqual(new Map([[ann.device, { seq: 1, tag: header.tagAfter }]]))
      expect(await store.certificate(space, ann.device)).toEqual(ann.certificate)
      expect(await store.records(space, '')).toEqual([{ key: 'key', value: text.encode('value') }])
    })

    it('STORE1 refuses a gap, says what is held, and changes nothing', async () => {
      const { store, ann } = bench()
      const [first, second, third] = makeTestHistory(ann, [2, 1, 1])
      expect(await store.append(space, [second])).toEqual([{ kind: 'gap', have: 0 }])
      expect(await store.vector(space)).toEqual(new Map())
      await store.append(space, [first])
      await unchangedBy(store, async () => {
        expect(await store.append(space, [third])).toEqual([{ kind: 'gap', have: 2 }])
      })
    })

    it('STORE1 judges each batch against those before it in the call', async () => {
      const { store, ann } = bench()
      const [first, second, third] = makeTestHistory(ann, [1, 1, 1])
      const outcomes = await store.append(space, [third, first, second, third, first])
      expect(kinds(outcomes)).toEqual(['gap', 'appended', 'appended', 'appended', 'duplicate'])
      expect(outcomes[0]).toEqual({ kind: 'gap', have: 0 })
      expect(bytesOf(await store.readAfter(space, startCursor, wide))).toEqual(plain([first, second, third]))
    })

    it('STORE1 refuses a batch that continues a branch whose beginning is not held', async () => {
      const { store, ann } = bench()
      await store.append(space, makeTestHistory(ann, [2]))
      const [, next] = makeTestHistory(ann, [2, 2], undefined, 'other')
      await unchangedBy(store, async () => {
        expect(await store.append(space, [next])).toEqual([{ kind: 'fork', have: 2 }])
      })
    })

    it('STORE1 refuses a partial overlap, at the end, inside and around', async () => {
      const { store, ann } = bench()
      const history = makeTestHistory(ann, [2, 1, 2, 1])
      const [, third, toFifth] = history
      await store.append(space, [history[0], mergeTestBatches(ann, [third, toFifth])])
      const overEnd = mergeTestBatches(ann, history.slice(1))
      const around = mergeTestBatches(ann, history)
      const otherEnd = mergeTestBatches(ann, [
        third,
        makeTestBatch(ann, { previous: third, body: text.encode('other') }),
      ])
      const otherFromInside = makeTestBatch(ann, { previous: third, body: text.encode('other') })
      await unchangedBy(store, async () => {
        for (const batch of [overEnd, around, third, otherEnd, otherFromInside]) {
          expect(await store.append(space, [batch])).toEqual([{ kind: 'fork', have: 5 }])
        }
        expect(kinds(await store.append(space, [toFifth]))).toEqual(['duplicate'])
      })
    })

    it('STORE3 a held batch is a duplicate: no change, no new position', async () => {
      const { store, ann } = bench()
      const history = makeTestHistory(ann, [2, 3])
      await store.append(space, history)
      await unchangedBy(store, async () => {
        expect(kinds(await store.append(space, history))).toEqual(['duplicate', 'duplicate'])
        expect(kinds(await store.append(space, [history[0]]))).toEqual(['duplicate'])
      })
    })

    it('STORE3 goes by the tag at the boundary: the same ops sealed again are a duplicate', async () => {
      const { store, ann } = bench()
      const history = makeTestHistory(ann, [2, 3, 1])
      await store.append(space, history)
      await unchangedBy(store, async () => {
        const outcomes = await store.append(space, [
          mergeTestBatches(ann, history),
          mergeTestBatches(ann, history.slice(0, 2)),
          mergeTestBatches(ann, history.slice(1)),
        ])
        expect(kinds(outcomes)).toEqual(['duplicate', 'duplicate', 'duplicate'])
      })
    })

    it('STORE5 positions rise in the order of arrival and are not reused after a reopening', async () => {
      const { store, medium, ann, bob } = bench()
      const [first, second, third] = makeTestHistory(ann, [1, 1, 1])
      const seen: number[] = []
      seen.push(...positions(await store.append(space, [first])))
      seen.push(...positions(await store.append(space, makeTestHistory(bob, [1, 1]))))
      seen.push(...positions(await store.append(space, [second])))
      const reopened = await medium.reopen()
      await reopened.append(space, [first, second])
      seen.push(...positions(await reopened.append(space, [third])))
      expect(seen).toHaveLength(5)
      expect(seen[0]).toBeGreaterThanOrEqual(1)
      expect(seen.every((position, index) => index === 0 || position > seen[index - 1])).toBe(true)
      const page = await reopened.readAfter(space, startCursor, wide)
      expect(page.batches.map(({ position }) => position)).toEqual(seen)
    })

    it('refuses what no caller may ask for, whole', async () => {
      const { store, ann } = bench()
      const elsewhere = makeTestBatch(makeTestDevice('elsewhere', 'ann'))
      const records = [{ key: 'kept', value: text.encode('no') }]
      await unchangedBy(store, async () => {
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
      const { store, medium, ann } = bench()
      await store.append(space, makeTestHistory(ann, [1]), { records })
      const reopened = await medium.reopen()
      expect(await reopened.vector(space)).toEqual(new Map([[ann.device, 1]]))
      expect(await reopened.records(space, '')).toEqual(records)
    })

    it('a gap or a fork skips that batch alone', async () => {
      const { store, ann } = bench()
      const [first, second, third] = makeTestHistory(ann, [1, 1, 1])
      const fork = makeTestHistory(ann, [1, 1], undefined, 'other')[1]
      const outcomes = await store.append(space, [first, third, fork, second], { records })
      expect(kinds(outcomes)).toEqual(['appended', 'gap', 'fork', 'appended'])
      expect(outcomes.slice(1, 3).map((outcome) => 'have' in outcome && outcome.have)).toEqual([1, 1])
      expect(await store.vector(space)).toEqual(new Map([[ann.device, 2]]))
      expect(await store.records(space, '')).toEqual(records)
    })

    for (const refusal of ['gap', 'fork'] as const) {
      it(`allOrNothing: a ${refusal} in the middle undoes everything`, async () => {
        const { store, ann, bob } = bench()
        const [first, second, third, fourth] = makeTestHistory(ann, [1, 1, 1, 1])
        const fork = makeTestHistory(ann, [1, 1], undefined, 'other')[1]
        await store.append(space, [first], { records: [{ key: 'old', value: text.encode('1') }] })
        await unchangedBy(store, async () => {
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
      const { store, ann } = bench()
      const [first, second] = makeTestHistory(ann, [1, 1])
      await store.append(space, [first])
      const outcomes = await store.append(space, [first, second], { records, allOrNothing: true })
      expect(kinds(outcomes)).toEqual(['duplicate', 'appended'])
      expect(await store.records(space, '')).toEqual(records)
    })
  })
}
