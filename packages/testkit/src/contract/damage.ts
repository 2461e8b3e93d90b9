/** ENV4 and STORE6: what a batch whose bytes rotted does to reads, and how it is put right. */
import { type BatchStore, type Cursor, type DriftlogError, startCursor } from '@driftlog/core'
import { assert, describe, expect, it } from 'vitest'
import { makeTestBatch, makeTestDevice, makeTestHistory, type TestBatch, type TestDevice } from '../test-batches.ts'
import {
  type Abilities,
  bytesOf,
  kinds,
  plain,
  snapshot,
  space,
  text,
  unchangedBy,
  type UseBench,
  wide,
} from './setup.ts'

/** Everything in arrival order, going past what is damaged, as a reader may. */
const readPast = async (store: BatchStore): Promise<{ bytes: Uint8Array[]; damaged: number[] }> => {
  const bytes: Uint8Array[] = []
  const damaged: number[] = []
  for (let cursor = startCursor, more = true; more; ) {
    try {
      const page = await store.readAfter(space, cursor, wide)
      bytes.push(...bytesOf(page))
      cursor = page.cursor
      more = page.more
    } catch (error) {
      const { code, details } = error as DriftlogError
      expect(code).toBe('STORAGE_DAMAGED')
      cursor = { position: details['position'], tag: details['tagAfter'] } as Cursor
      damaged.push(cursor.position)
    }
  }
  return { bytes, damaged }
}

/** Other bytes of the same ops. */
const sealedAnew = (author: TestDevice, previous: TestBatch, { header: { toSeq }, chainAfter }: TestBatch): TestBatch =>
  makeTestBatch(author, { previous, toSeq, body: text.encode('sealed anew'), chainAfter })

export const damageContract = (bench: UseBench, { damage }: Abilities): void => {
  describe('ENV4 replace', () => {
    it('puts a batch in the place of the one with the same ends: position, branch and tips stay', async () => {
      const { store, medium, ann } = bench()
      const history = makeTestHistory(ann, [2, 1, 3])
      const fork = makeTestHistory(ann, [2], history[0], 'other')
      await store.append(space, [...history, ...fork], { records: [{ key: 'key', value: text.encode('1') }] })
      const before = await snapshot(store, space)
      for (const batch of [history[2], history[0], fork[0], history[1]]) {
        expect(await store.replace(space, batch)).toBe(true)
        expect(await snapshot(store, space)).toEqual(before)
      }
      // Sealed once more: other bytes of the same ops.
      const { chainAfter } = history[1]
      const again = makeTestBatch(ann, { previous: history[0], body: text.encode('sealed anew'), chainAfter })
      expect(await store.replace(space, again)).toBe(true)
      const after = await snapshot(await medium.reopen(), space)
      const bytes = before.batches.map(([position, branch, bytes]) => [
        position,
        branch,
        position === before.batches[1][0] ? again.bytes : bytes,
      ])
      expect(after).toEqual({ ...before, batches: bytes })
    })

    it('is false, and changes nothing, where there is no such batch', async () => {
      const { store, ann, bob } = bench()
      const history = makeTestHistory(ann, [1, 2, 1])
      await store.append(space, history.slice(0, 2))
      await unchangedBy(store, async () => {
        const other = makeTestHistory(ann, [1, 2], undefined, 'other')
        const { chainAfter } = history[1]
        const otherStart = makeTestBatch(ann, { previous: other[0], toSeq: 3, chainAfter })
        const inside = makeTestBatch(ann, { fromSeq: 3, toSeq: 3, chainAfter })
        for (const batch of [history[2], ...other, otherStart, inside, makeTestBatch(bob)]) {
          expect(await store.replace(space, batch)).toBe(false)
        }
      })
      const elsewhere = makeTestBatch(makeTestDevice('elsewhere', 'ann'))
      await expect(store.replace(space, elsewhere)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    })
  })

  describe('STORE4 an append that replaces', () => {
    it('is one transaction with what it appends and with its records', async () => {
      const { store, medium, ann, bob } = bench()
      const history = makeTestHistory(ann, [1, 2, 1])
      await store.append(space, history.slice(0, 2))
      const [, second, third] = history
      const again = sealedAnew(ann, history[0], second)
      const records = [{ key: 'key', value: text.encode('1') }]
      // What is replaced and what goes on from it may come together, and a fork before it, which renames it.
      const fork = makeTestHistory(ann, [1], history[0], 'other')
      const outcomes = await store.append(space, [...fork, again, third], {
        records,
        allOrNothing: true,
        replacing: new Set([again]),
      })
      expect(kinds(outcomes)).toEqual(['appended', 'replaced', 'appended'])
      const { batches } = await store.readAfter(space, startCursor, wide)
      expect(batches.map(({ position, batch }) => [position, batch.bytes])).toEqual(
        [history[0], again, ...fork, third].map(({ bytes }, index) => [index + 1, bytes]),
      )
      expect(outcomes[1]).toEqual({ kind: 'replaced', branch: batches[1].branch })
      expect((await store.records(space, '')).map(({ key }) => key)).toEqual(['key'])
      const before = await snapshot(store, space)
      expect(await snapshot(await medium.reopen(), space)).toEqual(before)
      expect(before.vector.has(bob.device)).toBe(false)
    })

    it('is undone with the rest of its call, and undoes the rest where there is nothing to replace', async () => {
      const { store, ann, bob } = bench()
      const history = makeTestHistory(ann, [1, 2, 1])
      const others = makeTestHistory(bob, [1, 1])
      await store.append(space, history.slice(0, 2))
      const again = sealedAnew(ann, history[0], history[1])
      const options = { records: [{ key: 'key', value: text.encode('1') }], allOrNothing: true }
      await unchangedBy(store, async () => {
        const gap = [again, others[1]]
        expect(kinds(await store.append(space, gap, { ...options, replacing: new Set([again]) }))).toEqual([
          'undone',
          'gap',
        ])
        const nothing = [others[0], again, history[2]]
        const replacing = new Set([again, history[2]])
        expect(await store.append(space, nothing, { ...options, replacing })).toEqual([
          { kind: 'undone' },
          { kind: 'undone' },
          { kind: 'gap', have: 3 },
        ])
      })
      const outcomes = await store.append(space, [history[2], again], { replacing: new Set([history[2], again]) })
      expect(kinds(outcomes)).toEqual(['gap', 'replaced'])
    })
  })

  if (!damage) return
  describe('STORE6 a batch whose bytes are not those that came', () => {
    it('ends a page before it; as the first it rejects, and says how to go past it', async () => {
      const { store, medium, ann, bob } = bench()
      assert(medium.damage)
      const history = makeTestHistory(ann, [1, 1, 2, 1])
      const others = makeTestHistory(bob, [1, 1])
      await store.append(space, [...history.slice(0, 3), others[0], history[3], others[1]])
      await medium.damage(space, 3)
      const first = await store.readAfter(space, startCursor, wide)
      expect({ bytes: bytesOf(first), more: first.more }).toEqual({ bytes: plain(history.slice(0, 2)), more: true })
      const { tagAfter } = history[2].header
      const details = { space, branch: ann.device, fromSeq: 3, toSeq: 4, position: 3, tagAfter }
      await expect(store.readAfter(space, first.cursor, wide)).rejects.toMatchObject({
        code: 'STORAGE_DAMAGED',
        details,
      })
      expect(bytesOf(await store.readAfter(space, { position: 3, tag: tagAfter }, wide))).toEqual(
        plain([others[0], history[3], others[1]]),
      )
      const above = await store.readAbove(space, new Map([[bob.device, 2]]), wide)
      expect({ bytes: bytesOf(above), more: above.more }).toEqual({ bytes: plain(history.slice(0, 2)), more: true })
      const next = new Map([
        [ann.device, 2],
        [bob.device, 0],
      ])
      await expect(store.readAbove(space, next, wide)).rejects.toMatchObject({ code: 'STORAGE_DAMAGED', details })
      expect(bytesOf(await store.readAbove(space, next.set(ann.device, 5), wide))).toEqual(plain(others))
      // A page that is full before it does not care.
      const full = await store.readAfter(space, startCursor, { batches: 2, bytes: wide.bytes })
      expect([full.batches.length, full.more]).toEqual([2, true])
    })

    it('nothing but reading it depends on its bytes: it goes on, forks and ends as before', async () => {
      const { store, medium, ann } = bench()
      assert(medium.damage)
      const [first, second, third, fourth] = makeTestHistory(ann, [1, 1, 1, 1])
      await store.append(space, [first, second, third])
      for (const position of [1, 2, 3]) await medium.damage(space, position)
      expect(await store.append(space, [third, fourth])).toMatchObject([{ kind: 'duplicate' }, { kind: 'appended' }])
      expect(await store.append(space, makeTestHistory(ann, [1], first, 'other'))).toMatchObject([{ isSplit: true }])
      expect(await store.append(space, makeTestHistory(ann, [1], undefined, 'other'))).toMatchObject([
        { isSplit: true },
      ])
      expect((await store.tips(space)).size).toBe(4)
      expect(await store.certificate(space, ann.device)).toEqual(ann.certificate)
      const { tagAfter } = third.header
      expect(await store.common(space, ann.device, [{ seq: 3, tag: tagAfter }])).toBe(3)
      expect((await readPast(store)).damaged).toEqual([1, 2, 3])
    })

    it('is put right by replace, wherever it is, in any order, for good', async () => {
      const { store, medium, ann, bob } = bench()
      assert(medium.damage)
      const history = makeTestHistory(ann, [1, 3, 1])
      const fork = makeTestHistory(ann, [1, 1], history[0], 'other')
      const others = makeTestHistory(bob, [2])
      const all = [...history, ...fork, ...others]
      await store.append(space, all)
      const before = await snapshot(store, space)
      for (const position of [1, 2, 5, 6]) await medium.damage(space, position)
      expect(await readPast(store)).toEqual({ bytes: plain([history[2], fork[0]]), damaged: [1, 2, 5, 6] })
      for (const index of [4, 0, 5, 1]) expect(await store.replace(space, all[index])).toBe(true)
      expect(await snapshot(store, space)).toEqual(before)
      expect(await snapshot(await medium.reopen(), space)).toEqual(before)
    })
  })
}
