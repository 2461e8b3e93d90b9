/** STORE7 and STORE8: what a prune takes away, what stays, and what is taken in after it. */
import { type BatchStore, type Cursor, type DeviceId, firstTagOf, type PrunePoint, startCursor } from '@driftlog/core'
import { assert, describe, expect, it } from 'vitest'
import { makeTestBatch, makeTestDevice, makeTestHistory, mergeTestBatches, type TestBatch } from '../test-batches.ts'
import { siblingName as named } from './naive-tree.ts'
import {
  type Abilities,
  appended,
  bytesOf,
  kinds,
  plain,
  positions,
  repeated,
  snapshot,
  space,
  text,
  unchangedBy,
  type UseBench,
  wide,
} from './setup.ts'

const pointAt = ({ header }: TestBatch, branch: DeviceId = header.device): PrunePoint => ({
  branch,
  seq: header.toSeq,
  tag: header.tagAfter,
})
const endOf = ({ header }: TestBatch) => ({ seq: header.toSeq, tag: header.tagAfter })
const sizeOf = (batches: readonly TestBatch[]): number => batches.reduce((sum, { bytes }) => sum + bytes.length, 0)
const gone = (...batches: readonly TestBatch[]) => ({
  kind: 'pruned',
  batches: batches.length,
  bytes: sizeOf(batches),
})
const below = (floor: number) => ({ kind: 'below', floor })
const startsAt = ({ header }: TestBatch) => ({
  device: header.device,
  base: header.fromSeq - 1,
  baseTag: header.tagBefore,
})

const all = async (store: BatchStore): Promise<Uint8Array[]> => bytesOf(await store.readAfter(space, startCursor, wide))

const mismatch = { code: 'BASE_MISMATCH' }

export const pruneContract = (bench: UseBench, { another, damage }: Abilities): void => {
  describe('STORE7 a prune', () => {
    it('takes away what ends at or below a point, for good; the tree stays', async () => {
      const { store, medium, ann, bob } = bench()
      const [history, others] = [makeTestHistory(ann, [2, 1, 2, 1]), makeTestHistory(bob, [1, 1])]
      await store.append(space, [history[0], others[0], ...history.slice(1, 3), others[1], history[3]])
      const before = await snapshot(store, space)
      expect(await store.floors(space)).toEqual(new Map())
      expect(await store.prune(space, [pointAt(history[1])])).toEqual([gone(history[0], history[1])])
      const floors = new Map([[ann.device, { ...endOf(history[1]), ...startsAt(history[0]) }]])
      const check = async (within: BatchStore): Promise<void> => {
        expect(await within.floors(space)).toEqual(floors)
        const after = await snapshot(within, space)
        const batches = [1, 3, 4, 5].map((index) => before.batches[index])
        expect(after).toEqual({ ...before, batches, certificates: [bob.certificate, ann.certificate] })
        expect(await within.certificate(space, ann.device)).toEqual(ann.certificate)
        expect(bytesOf(await within.readAbove(space, new Map([[bob.device, 1]]), wide))).toEqual(
          plain([history[2], others[1], history[3]]),
        )
        expect(bytesOf(await within.readAbove(space, new Map([[ann.device, 3]]), wide))).toEqual(
          plain([others[0], history[2], others[1], history[3]]),
        )
      }
      await check(store)
      await check(await medium.reopen())
    })

    it('changes nothing where it was done before, or where nothing ends', async () => {
      const { store, ann, bob } = bench()
      const history = makeTestHistory(ann, [2, 1, 2])
      const strange = makeTestHistory(ann, [2, 1], undefined, 'strange')
      await store.append(space, history)
      await unchangedBy(store, async () => {
        const unknown = [
          pointAt(strange[0]),
          { ...pointAt(history[0]), seq: 1 },
          { ...pointAt(history[2]), seq: 6 },
          { ...pointAt(history[0]), seq: 0 },
          pointAt(history[0], bob.device),
          { branch: ann.device, seq: 0, tag: history[0].header.tagBefore },
        ]
        expect(await store.prune(space, unknown)).toEqual(unknown.map(() => ({ kind: 'unknown' })))
        expect(await store.floors(space)).toEqual(new Map())
        expect(await store.prune(space, [])).toEqual([])
        expect(await store.prune('empty', [pointAt(history[0])])).toEqual([{ kind: 'unknown' }])
      })
      await store.prune(space, [pointAt(history[1])])
      await unchangedBy(store, async () => {
        // At the floor, and below it, where nothing can be told any more.
        const done = [pointAt(history[1]), pointAt(history[0]), pointAt(strange[0])]
        expect(await store.prune(space, done)).toEqual(done.map(() => gone()))
        expect(await store.prune(space, [pointAt(strange[1])])).toEqual([{ kind: 'unknown' }])
      })
      // Several of one branch, one after the other.
      const [last] = makeTestHistory(ann, [1], history[2])
      await store.append(space, [last])
      expect(await store.prune(space, [pointAt(history[2]), pointAt(strange[1]), pointAt(last)])).toEqual([
        gone(history[2]),
        gone(),
        gone(last),
      ])
    })

    it('is one transaction with its records, and touches no others', async () => {
      const { store, medium, ann, bob } = bench()
      const [history, others] = [makeTestHistory(ann, [1, 1]), makeTestHistory(bob, [1, 1])]
      await store.append(space, [...history, ...others], {
        records: ['kept', 'gone'].map((key) => ({ key, value: text.encode(key) })),
      })
      const records = [
        { key: 'base', value: text.encode('1') },
        { key: 'gone', value: undefined },
      ]
      const points = [pointAt(history[0]), pointAt(others[1], ann.device), pointAt(others[1])]
      expect(await store.prune(space, points, { records })).toEqual([
        gone(history[0]),
        { kind: 'unknown' },
        gone(...others),
      ])
      const reopened = await medium.reopen()
      expect(await all(reopened)).toEqual(plain([history[1]]))
      expect((await reopened.records(space, '')).map(({ key }) => key)).toEqual(['base', 'kept'])
      const bad = { records: [{ key: 'a\0b', value: undefined }] }
      await expect(reopened.prune(space, points, bad)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
      await expect(reopened.prune('a b', [])).rejects.toMatchObject({ code: 'OPTION_INVALID' })
      await reopened.close()
      await expect(reopened.prune(space, [])).rejects.toMatchObject({ code: 'CLOSED' })
      await expect(reopened.floors(space)).rejects.toMatchObject({ code: 'CLOSED' })
    })

    it('STORE5 positions are never reused, the end stays, and no cursor of a pruned batch but the last of them', async () => {
      const { store, medium, ann, bob } = bench()
      const history = makeTestHistory(ann, [1, 1, 1])
      const [other, next] = makeTestHistory(bob, [1, 1])
      const cursorsOf = async (): Promise<Cursor[]> =>
        (await store.readAfter(space, startCursor, wide)).batches.map(({ position, batch }) => ({
          position,
          tag: batch.header.tagAfter,
        }))
      await store.append(space, [history[0], other, history[1], history[2]])
      const [first, second, third, fourth] = await cursorsOf()
      await store.prune(space, [pointAt(history[1])])
      expect(bytesOf(await store.readAfter(space, second, wide))).toEqual(plain([history[2]]))
      expect(bytesOf(await store.readAfter(space, third, wide))).toEqual(plain([history[2]]))
      await expect(store.readAfter(space, first, wide)).rejects.toMatchObject(mismatch)
      await expect(store.readAfter(space, { ...third, tag: first.tag }, wide)).rejects.toMatchObject(mismatch)
      // All of it: who had read to the end is at the end.
      await store.prune(space, [pointAt(history[2]), pointAt(other)])
      const reopened = await medium.reopen()
      expect(await reopened.end(space)).toEqual(fourth)
      const empty = { batches: [], cursor: fourth, more: false }
      expect(await reopened.readAfter(space, fourth, wide)).toEqual(empty)
      expect(await reopened.readAfter(space, startCursor, wide)).toEqual(empty)
      expect(await reopened.readAbove(space, new Map(), wide)).toEqual(empty)
      for (const cursor of [first, second, third]) {
        await expect(reopened.readAfter(space, cursor, wide)).rejects.toMatchObject(mismatch)
      }
      const [later] = makeTestHistory(ann, [1], history[2])
      expect(positions(await reopened.append(space, [next, later]))).toEqual([5, 6])
      expect(bytesOf(await reopened.readAfter(space, fourth, wide))).toEqual(plain([next, later]))
      await reopened.prune(space, [pointAt(next)])
      await expect(reopened.readAfter(space, fourth, wide)).rejects.toMatchObject(mismatch)
      expect(await reopened.end(space)).toEqual({ position: 6, tag: later.header.tagAfter })
    })

    it('a branch that was pruned up to its end goes on, and forks there, under the names that it would have', async () => {
      const { store, ann } = bench()
      const history = makeTestHistory(ann, [2, 1, 1])
      const fork = makeTestHistory(ann, [2, 1], history[1], 'other')
      await store.append(space, history.slice(0, 2))
      await store.prune(space, [pointAt(history[1])])
      expect(await store.vector(space)).toEqual(new Map([[ann.device, 3]]))
      expect(await store.append(space, [history[2]])).toEqual([appended(3, ann.device)])
      const [left, right] = [named(history[2]), named(fork[0])]
      expect(await store.append(space, fork)).toEqual([appended(4, right, true), appended(5, right)])
      expect(Object.fromEntries(await store.vector(space))).toEqual({ [ann.device]: 3, [left]: 4, [right]: 6 })
      expect([...(await store.floors(space)).keys()]).toEqual([ann.device])
      expect(await store.append(space, [history[2], ...fork])).toEqual([
        { kind: 'duplicate', branch: left },
        { kind: 'duplicate', branch: right },
        { kind: 'duplicate', branch: right },
      ])
    })

    it('a fork above the floor splits as ever, and the floor stays with what keeps the name', async () => {
      const { store, medium, ann } = bench()
      const history = makeTestHistory(ann, [1, 1, 1, 1])
      const fork = makeTestHistory(ann, [1], history[2], 'other')
      await store.append(space, history)
      await store.prune(space, [pointAt(history[0])])
      expect(await store.append(space, fork)).toEqual([appended(5, named(fork[0]), true)])
      const floor = { ...endOf(history[0]), ...startsAt(history[0]) }
      expect(await store.floors(space)).toEqual(new Map([[ann.device, floor]]))
      await store.prune(space, [pointAt(history[3], named(history[3]))])
      const reopened = await medium.reopen()
      expect(await reopened.floors(space)).toEqual(
        new Map([
          [ann.device, floor],
          [named(history[3]), { ...endOf(history[3]), ...startsAt(history[3]) }],
        ]),
      )
      expect(await all(reopened)).toEqual(plain([history[1], history[2], fork[0]]))
    })

    it('common and onPath answer from what is left, and from floors', async () => {
      const { store, ann } = bench()
      const history = makeTestHistory(ann, [1, 1, 1, 1])
      const fork = makeTestHistory(ann, [1, 1], history[2], 'other')
      await store.append(space, [...history, ...fork])
      await store.prune(space, [pointAt(history[1]), pointAt(fork[1], named(fork[0]))])
      const common = (...batches: TestBatch[]): Promise<number> => store.common(space, ann.device, batches.map(endOf))
      expect(await common(history[0])).toBe(0)
      expect(await common(history[0], history[1])).toBe(2)
      expect(await common(...history)).toBe(4)
      expect(await common(...history.slice(0, 3), fork[0])).toBe(3)
      expect(await common(...history.slice(0, 3), ...fork)).toBe(5)
      const runs = [...history, ...fork].map(({ header }) => ({
        base: header.fromSeq - 1,
        firstTag: firstTagOf(header),
      }))
      const path = (batch: TestBatch) => store.onPath(space, ann.device, endOf(batch), runs)
      expect(await path(history[3])).toEqual([false, false, true, true, false, false])
      expect(await path(fork[1])).toEqual([false, false, true, false, false, false])
      expect(await path(history[1])).toEqual(runs.map(() => false))
      expect(await path(fork[0])).toEqual(runs.map(() => false))
    })

    it('replace of a pruned batch is false', async () => {
      const { store, ann } = bench()
      const history = makeTestHistory(ann, [1, 1, 1])
      await store.append(space, history)
      await store.prune(space, [pointAt(history[1])])
      await unchangedBy(store, async () => {
        for (const batch of history.slice(0, 2)) expect(await store.replace(space, batch)).toBe(false)
        const replacing = new Set([history[1]])
        expect(await store.append(space, [history[1]], { replacing })).toEqual([below(2)])
      })
      expect(await store.replace(space, history[2])).toBe(true)
    })

    it('leaves other spaces alone', async () => {
      const { store, ann } = bench()
      const there = makeTestHistory(makeTestDevice('there', 'ann'), [1, 1])
      const here = makeTestHistory(ann, [1, 1])
      await store.append('there', there)
      await store.append(space, here)
      const before = await snapshot(store, 'there')
      await store.prune(space, [pointAt(here[1])])
      expect(await snapshot(store, 'there')).toEqual(before)
      expect(await store.floors('there')).toEqual(new Map())
    })

    if (another) {
      it('by one store is there for another one on the same medium', async () => {
        const { store, medium, ann } = bench()
        assert(medium.another)
        const other = await medium.another()
        const history = makeTestHistory(ann, [1, 1, 1])
        await other.append(space, history)
        const end = await other.end(space)
        const first = (await other.readAfter(space, startCursor, { batches: 1, bytes: 1 })).cursor
        await store.prune(space, [pointAt(history[2])])
        expect(await other.append(space, [history[1]])).toEqual([below(3)])
        await expect(other.readAfter(space, first, wide)).rejects.toMatchObject(mismatch)
        expect(await other.end(space)).toEqual(end)
        expect(positions(await other.append(space, makeTestHistory(ann, [1], history[2])))).toEqual([4])
        expect(await snapshot(other, space)).toEqual(await snapshot(store, space))
      })
    }

    if (damage) {
      it('STORE6 takes damaged batches away like any others', async () => {
        const { store, medium, ann } = bench()
        assert(medium.damage)
        const history = makeTestHistory(ann, [1, 1, 1])
        await store.append(space, history)
        await medium.damage(space, 1)
        await medium.damage(space, 2)
        expect(await store.prune(space, [pointAt(history[1])])).toEqual([gone(history[0], history[1])])
        expect(await all(store)).toEqual(plain([history[2]]))
      })
    }
  })

  describe('STORE8 what is pruned cannot be told any more', () => {
    it('a batch that begins below a floor is below, wherever it ends and whatever it holds', async () => {
      const { store, ann } = bench()
      const history = makeTestHistory(ann, [1, 1, 1, 1, 1, 1])
      const other = makeTestHistory(ann, repeated(6, 1), undefined, 'other')
      await store.append(space, history.slice(0, 5))
      await store.prune(space, [pointAt(history[2])])
      const merged = (from: number, to: number): TestBatch => mergeTestBatches(ann, history.slice(from, to))
      await unchangedBy(store, async () => {
        const batches = [...history.slice(0, 3), merged(0, 2), merged(0, 3), merged(1, 3), merged(2, 5), merged(1, 6)]
        for (const batch of [...batches, ...other.slice(0, 3)]) {
          expect(await store.append(space, [batch])).toEqual([below(3)])
        }
        // At the floor and above it all is as ever.
        const [forked, gap] = [other.slice(3, 5), makeTestBatch(ann, { fromSeq: 9 })]
        expect(kinds(await store.append(space, [...forked, gap]))).toEqual(['fork', 'fork', 'gap'])
        expect(kinds(await store.append(space, [history[3], merged(3, 5), merged(3, 6)]))).toEqual([
          'duplicate',
          'duplicate',
          'fork',
        ])
      })
    })

    it('undoes an allOrNothing call, and skips that batch alone in any other', async () => {
      const { store, ann, bob } = bench()
      const history = makeTestHistory(ann, [1, 1])
      const others = makeTestHistory(bob, [1, 1])
      await store.append(space, history)
      await store.prune(space, [pointAt(history[1])])
      const records = [{ key: 'key', value: text.encode('1') }]
      await unchangedBy(store, async () => {
        const outcomes = await store.append(space, [others[0], history[0]], { records, allOrNothing: true })
        expect(outcomes).toEqual([{ kind: 'undone' }, below(2)])
      })
      expect(await store.append(space, [others[0], history[0], others[1]], { records })).toEqual([
        appended(3, bob.device),
        below(2),
        appended(4, bob.device),
      ])
      expect((await store.records(space, '')).length).toBe(1)
    })

    it('is told by the floor of the very branch, where its name tells which that is', async () => {
      const { store, ann } = bench()
      const root = makeTestHistory(ann, [1])
      const left = makeTestHistory(ann, [1, 1, 1], root[0], 'left')
      const right = makeTestHistory(ann, [1, 1], root[0], 'right')
      const third = makeTestHistory(ann, [1], root[0], 'third')
      await store.append(space, [...root, ...left, ...right])
      await store.prune(space, [pointAt(left[1], named(left[0])), pointAt(right[1], named(right[0]))])
      await unchangedBy(store, async () => {
        // From an end that is held: the names of branches tell what went on from there.
        expect(await store.append(space, [left[0], right[0]])).toEqual([below(3), below(3)])
        expect(await store.append(space, [mergeTestBatches(ann, left.slice(0, 3))])).toEqual([below(3)])
        // Of what begins within, it is not known in which.
        expect(await store.append(space, [left[1], right[1]])).toEqual([below(3), below(3)])
        expect(await store.append(space, [left[2]])).toEqual([{ kind: 'duplicate', branch: named(left[0]) }])
        // Over a floor, from a beginning that is there: its end is held.
        const over = mergeTestBatches(ann, [...root, ...left])
        expect(await store.append(space, [over])).toEqual([{ kind: 'duplicate', branch: named(left[0]) }])
      })
      expect(await store.append(space, third)).toEqual([appended(7, named(third[0]))])
      await store.prune(space, [pointAt(left[2], named(left[0]))])
      expect(await store.append(space, [left[1], right[1]])).toEqual([below(4), below(3)])
      expect(await store.append(space, [left[0], right[0]])).toEqual([below(4), below(3)])
    })

    it('a device that forked before its first op: other beginnings are siblings, the same are below', async () => {
      const { store, ann } = bench()
      const [left, right, third] = ['left', 'right', 'third'].map((seed) =>
        makeTestHistory(ann, [1, 1], undefined, seed),
      )
      await store.append(space, [...left, ...right])
      await store.prune(space, [pointAt(left[0], named(left[0]))])
      expect(await store.append(space, [left[0], right[0], left[1]])).toEqual([
        below(1),
        { kind: 'duplicate', branch: named(right[0]) },
        { kind: 'duplicate', branch: named(left[0]) },
      ])
      expect(await store.append(space, third)).toEqual([appended(5, named(third[0])), appended(6, named(third[0]))])
    })

    it('batches go on where the parent of their branch was pruned', async () => {
      const { store, ann } = bench()
      const root = makeTestHistory(ann, [1, 1])
      const left = makeTestHistory(ann, [1, 1], root[1], 'left')
      const right = makeTestHistory(ann, [1, 1], root[1], 'right')
      const third = makeTestHistory(ann, [1], root[1], 'third')
      await store.append(space, [...root, left[0], right[0]])
      await store.prune(space, [pointAt(root[1])])
      expect(await store.append(space, [left[0], left[1], right[1], third[0]])).toEqual([
        { kind: 'duplicate', branch: named(left[0]) },
        appended(5, named(left[0])),
        appended(6, named(right[0])),
        appended(7, named(third[0])),
      ])
      expect(await store.append(space, [mergeTestBatches(ann, [root[1], ...left]), root[0]])).toEqual([
        below(2),
        below(2),
      ])
    })
  })
}
