/** Where copies of a device went on by themselves: the history is a tree, and STORE2 says what its branches are called. */
import {
  type BatchStore,
  type DeviceId,
  firstTagOf,
  makeCertificate,
  type NamedRun,
  type Point,
  startCursor,
} from '@driftlog/core'
import { assert, describe, expect, it } from 'vitest'
import {
  makeTestBatch,
  makeTestDevice,
  makeTestHistory,
  mergeTestBatches,
  type TestBatch,
  type TestDevice,
} from '../test-batches.ts'
import { naiveTree, siblingName as named } from './naive-tree.ts'
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

const branchesIn = async (store: BatchStore, within = space): Promise<DeviceId[]> =>
  (await store.readAfter(within, startCursor, wide)).batches.map(({ branch }) => branch)

export const treesContract = (bench: UseBench, { another }: Abilities): void => {
  describe('trees', () => {
    it('STORE2 a fork inside a branch: it ends there, and what followed gets its own name', async () => {
      const { store, ann } = bench()
      const history = makeTestHistory(ann, [2, 1, 3])
      const other = makeTestHistory(ann, [2, 1], history[0], 'other')
      await store.append(space, history)
      const [left, right] = [named(history[1]), named(other[0])]
      expect(await store.append(space, other)).toEqual([appended(4, right, true), appended(5, right)])
      expect(await branchesIn(store)).toEqual([ann.device, left, left, right, right])
      const [root, leftTip, rightTip] = [history[0], history[2], other[1]].map(({ header }) => ({
        seq: header.toSeq,
        tag: header.tagAfter,
      }))
      expect(await store.tips(space)).toEqual(
        new Map([
          [ann.device, root],
          [left, leftTip],
          [right, rightTip],
        ]),
      )
      expect(Object.fromEntries(await store.vector(space))).toEqual({ [ann.device]: 2, [left]: 6, [right]: 5 })
      const [leftNext] = makeTestHistory(ann, [1], history[2])
      const [rightNext] = makeTestHistory(ann, [1], other[1])
      expect(await store.append(space, [leftNext, rightNext])).toEqual([appended(6, left), appended(7, right)])
    })

    it('STORE2 two that go on from the end: the first keeps the name until the second comes', async () => {
      const { store, ann } = bench()
      const [root] = makeTestHistory(ann, [2])
      const [left] = makeTestHistory(ann, [1], root, 'left')
      const [right] = makeTestHistory(ann, [1], root, 'right')
      const outcomes = await store.append(space, [root, left, right])
      const expected = [appended(1, ann.device), appended(2, ann.device), appended(3, named(right), true)]
      expect(outcomes).toEqual(expected)
      expect(await branchesIn(store)).toEqual([ann.device, named(left), named(right)])
    })

    it('STORE2 a fork before the first op leaves no branch with the id of the device', async () => {
      const { store, medium, ann } = bench()
      const left = makeTestHistory(ann, [1, 2], undefined, 'left')
      const right = makeTestHistory(ann, [3], undefined, 'right')
      await store.append(space, left)
      expect(await store.append(space, right)).toEqual([appended(3, named(right[0]), true)])
      const vector = new Map([
        [named(left[0]), 3],
        [named(right[0]), 3],
      ])
      expect(await store.vector(space)).toEqual(vector)
      const third = makeTestHistory(ann, [1], undefined, 'third')
      expect(await store.append(space, third)).toEqual([appended(4, named(third[0]))])
      const before = await snapshot(store, space)
      const reopened = await medium.reopen()
      expect(await snapshot(reopened, space)).toEqual(before)
      const [next] = makeTestHistory(ann, [1], left[1])
      expect(await reopened.append(space, [next])).toEqual([appended(5, named(left[0]))])
    })

    it('the certificate is that of the first batch that came, whatever others came with later', async () => {
      const { store, medium, ann } = bench()
      const certificate = makeCertificate(space, ann.keys.publicKey, makeTestDevice(space, 'elsewhere').installation)
      const copy: TestDevice = { ...ann, certificate }
      expect(certificate).not.toEqual(ann.certificate)
      await store.append(space, makeTestHistory(ann, [1, 1]))
      const outcomes = await store.append(space, makeTestHistory(copy, [1, 1], undefined, 'copy'))
      expect(kinds(outcomes)).toEqual(['appended', 'appended'])
      expect(await store.certificate(space, ann.device)).toEqual(ann.certificate)
      expect((await store.vector(space)).size).toBe(2)
      const reopened = await medium.reopen()
      expect(await reopened.certificate(space, ann.device)).toEqual(ann.certificate)
    })

    it('STORE2 three siblings and more: no branch that is there already is named anew', async () => {
      const { store, ann } = bench()
      const [root, ...rest] = makeTestHistory(ann, [1, 1, 1])
      const siblings = [1, 2, 3].map((seed) => makeTestHistory(ann, [1, 1], root, seed))
      await store.append(space, [root, ...rest, ...siblings[0]])
      const before = await branchesIn(store)
      const outcomes = await store.append(space, [...siblings[1], ...siblings[2]])
      const [second, third] = [named(siblings[1][0]), named(siblings[2][0])]
      const expected = [appended(6, second), appended(7, second), appended(8, third), appended(9, third)]
      expect(outcomes).toEqual(expected)
      expect(await branchesIn(store)).toEqual([...before, second, second, third, third])
    })

    it('STORE2 nested forks, above and below an earlier one, rename only what is split off', async () => {
      const { store, ann } = bench()
      const main = makeTestHistory(ann, [1, 1, 1, 1, 1, 1])
      const fork = (after: number, seed: string): TestBatch[] => makeTestHistory(ann, [1, 1], main[after], seed)
      const [middle, above, below] = [fork(2, 'middle'), fork(4, 'above'), fork(0, 'below')]
      await store.append(space, [...main, ...middle])
      const mainAbove = named(main[3])
      expect(await branchesIn(store)).toEqual([
        ann.device,
        ann.device,
        ann.device,
        mainAbove,
        mainAbove,
        mainAbove,
        named(middle[0]),
        named(middle[0]),
      ])
      await store.append(space, above)
      const afterAbove = [mainAbove, mainAbove, named(main[5]), named(middle[0]), named(middle[0])]
      const above2 = [named(above[0]), named(above[0])]
      expect(await branchesIn(store)).toEqual([ann.device, ann.device, ann.device, ...afterAbove, ...above2])
      await store.append(space, below)
      expect(await branchesIn(store)).toEqual([
        ann.device,
        named(main[1]),
        named(main[1]),
        ...afterAbove,
        ...above2,
        named(below[0]),
        named(below[0]),
      ])
      const inMiddle = makeTestHistory(ann, [1], middle[0], 'in the middle')
      expect(await store.append(space, inMiddle)).toEqual([appended(13, named(inMiddle[0]), true)])
      expect((await branchesIn(store)).slice(6, 8)).toEqual([named(middle[0]), named(middle[1])])
    })

    it('STORE3 a duplicate is one in any branch, and says where it stands now', async () => {
      const { store, ann } = bench()
      const main = makeTestHistory(ann, [1, 1, 1, 1])
      const other = makeTestHistory(ann, [1, 1, 1], main[1], 'other')
      await store.append(space, [...main, ...other])
      const branches = await branchesIn(store)
      await unchangedBy(store, async () => {
        const again = await store.append(space, [...main, ...other])
        expect(again).toEqual(branches.map((branch) => ({ kind: 'duplicate', branch })))
        // Over the fork, and within a branch: the same ops in other envelopes.
        const merged = [mergeTestBatches(ann, [...main.slice(0, 2), ...other]), mergeTestBatches(ann, main.slice(2))]
        expect(await store.append(space, merged)).toEqual([
          { kind: 'duplicate', branch: named(other[0]) },
          { kind: 'duplicate', branch: named(main[2]) },
        ])
      })
    })

    it('STORE1 above all branches it is a gap, beside them a fork; `have` is the highest seq of any', async () => {
      const { store, ann } = bench()
      const main = makeTestHistory(ann, [1, 1])
      const other = makeTestHistory(ann, [1, 1, 1, 1, 1], main[0], 'other')
      const strange = makeTestHistory(ann, repeated(7, 1), undefined, 'strange')
      await store.append(space, [...main, ...other.slice(0, 3)])
      await unchangedBy(store, async () => {
        const outcomes = await store.append(space, [other[4], strange[1], strange[4], strange[5]])
        expect(outcomes).toEqual(['gap', 'fork', 'fork', 'gap'].map((kind) => ({ kind, have: 4 })))
        const overlap = mergeTestBatches(ann, other.slice(2, 4))
        expect(await store.append(space, [overlap])).toEqual([{ kind: 'fork', have: 4 }])
        const overFork = mergeTestBatches(ann, [main[0], ...other.slice(0, 4)])
        expect(await store.append(space, [overFork])).toEqual([{ kind: 'fork', have: 4 }])
        const sameStart = mergeTestBatches(ann, other.slice(0, 4))
        expect(await store.append(space, [sameStart])).toEqual([{ kind: 'fork', have: 4 }])
      })
    })

    it('STORE1 a header that lies about its first tag never gets the name of another branch', async () => {
      const { store, ann } = bench()
      const [left] = makeTestHistory(ann, [1], undefined, 'left')
      const [right] = makeTestHistory(ann, [1], undefined, 'right')
      const [one] = makeTestHistory(ann, [2], left, 'one')
      const [two] = makeTestHistory(ann, [2], left, 'two')
      const [three] = makeTestHistory(ann, [2], right, 'three')
      await store.append(space, [left, right, one, two, three])
      const [fourth] = makeTestHistory(ann, [2], right, 'four')
      // As nobody who has the runs would seal it: an inner tag that is not its own.
      const saying = (tag: Uint8Array): TestBatch =>
        makeTestBatch(ann, { previous: right, toSeq: 3, body: text.encode('lie'), innerEnds: [{ toSeq: 2, tag }] })
      await unchangedBy(store, async () => {
        expect(kinds(await store.append(space, [saying(three.header.tagAfter)]))).toEqual(['fork'])
      })
      expect(await store.append(space, [fourth])).toEqual([appended(6, named(fourth), true)])
      // The tag of a run that begins elsewhere takes nobody's name.
      const elsewhere = saying(one.header.tagAfter)
      expect(named(elsewhere)).not.toBe(named(one))
      expect(await store.append(space, [elsewhere])).toEqual([appended(7, named(elsewhere))])
      expect(await branchesIn(store)).toEqual(naiveTree([left, right, one, two, three, fourth, elsewhere]).names)
    })

    it('STORE2 STORE3 first batches that state other shifts are siblings, and never duplicates', async () => {
      const { store, ann, bob } = bench()
      const shift = { device: bob.device, base: 0, firstTag: new Uint8Array(16), shift: 5, floor: 0 }
      const silent = makeTestBatch(ann)
      const next = makeTestBatch(ann, { previous: silent })
      const stating = makeTestBatch(ann, { shifts: [shift] })
      await store.append(space, [silent, next])
      await unchangedBy(store, async () => {
        const lie = makeTestBatch(ann, { shifts: [shift], chainAfter: silent.chainAfter })
        const longLie = makeTestBatch(ann, { shifts: [shift], toSeq: 2, chainAfter: next.chainAfter })
        expect(await store.append(space, [lie, longLie])).toEqual([2, 2].map((have) => ({ kind: 'fork', have })))
      })
      expect(await store.append(space, [stating])).toEqual([appended(3, named(stating), true)])
      expect(await branchesIn(store)).toEqual(naiveTree([silent, next, stating]).names)
      await unchangedBy(store, async () => {
        // Where the branch begins at a fork too.
        const lie = makeTestBatch(ann, { shifts: [shift], toSeq: 2, chainAfter: next.chainAfter })
        expect(kinds(await store.append(space, [lie]))).toEqual(['fork'])
        expect(kinds(await store.append(space, [silent, next, stating]))).toEqual([
          'duplicate',
          'duplicate',
          'duplicate',
        ])
      })
    })

    it('STORE4 allOrNothing: an undoing takes splits back', async () => {
      const { store, medium, ann } = bench()
      const main = makeTestHistory(ann, [1, 1, 1])
      const [inside, atStart] = [
        makeTestHistory(ann, [1, 1], main[0], 'a'),
        makeTestHistory(ann, [1, 1], undefined, 'b'),
      ]
      const [deeper] = makeTestHistory(ann, [1], inside[0], 'c')
      const gap = makeTestHistory(ann, repeated(9, 1), undefined, 'd')[8]
      const records = [{ key: 'key', value: text.encode('1') }]
      await store.append(space, main)
      await unchangedBy(store, async () => {
        const batches = [...inside, ...atStart, deeper, gap]
        const outcomes = await store.append(space, batches, { records, allOrNothing: true })
        expect(kinds(outcomes)).toEqual(['undone', 'undone', 'undone', 'undone', 'undone', 'gap'])
        expect(outcomes[5]).toEqual({ kind: 'gap', have: 3 })
      })
      const before = await snapshot(store, space)
      const reopened = await medium.reopen()
      expect(await snapshot(reopened, space)).toEqual(before)
      const outcomes = await reopened.append(space, [...inside, ...atStart, deeper], { allOrNothing: true })
      expect(positions(outcomes)).toEqual([4, 5, 6, 7, 8])
      const held = [...main, ...inside, ...atStart, deeper]
      expect(await branchesIn(reopened)).toEqual(naiveTree(held).names)
    })

    it('STORE5 a split changes no position and no cursor', async () => {
      const { store, ann, bob } = bench()
      const [main, others] = [makeTestHistory(ann, [1, 1, 1]), makeTestHistory(bob, [1, 1, 1])]
      for (const [index, batch] of main.entries()) await store.append(space, [batch, others[index]])
      const before = (await store.readAfter(space, startCursor, wide)).batches
      const cursor = (await store.readAfter(space, startCursor, { batches: 3, bytes: wide.bytes })).cursor
      const fork = makeTestHistory(ann, [1], main[0], 'other')
      await store.append(space, fork)
      const after = (await store.readAfter(space, startCursor, wide)).batches
      expect(after.slice(0, 6).map(({ position, batch }) => [position, batch.bytes])).toEqual(
        before.map(({ position, batch }) => [position, batch.bytes]),
      )
      const rest = await store.readAfter(space, cursor, wide)
      expect(bytesOf(rest)).toEqual(plain([others[1], main[2], others[2], fork[0]]))
      expect(rest.batches.map(({ branch }) => branch)).toEqual([bob.device, named(main[1]), bob.device, named(fork[0])])
    })

    it('readAbove goes by the names of branches', async () => {
      const { store, ann } = bench()
      const main = makeTestHistory(ann, [2, 2, 2])
      const other = makeTestHistory(ann, [1, 1], main[0], 'other')
      await store.append(space, [...main, ...other])
      const [left, right] = [named(main[1]), named(other[0])]
      const above = async (...entries: (readonly [DeviceId, number])[]): Promise<Uint8Array[]> => {
        const read: Uint8Array[] = []
        const vector = new Map(entries)
        for (;;) {
          const page = await store.readAbove(space, vector, { batches: 2, bytes: wide.bytes })
          read.push(...bytesOf(page))
          for (const { branch, batch } of page.batches) vector.set(branch, batch.header.toSeq)
          if (!page.more) return read
        }
      }
      expect(await above()).toEqual(plain([...main, ...other]))
      expect(await above([ann.device, 2], [left, 6])).toEqual(plain(other))
      expect(await above([ann.device, 2], [right, 3])).toEqual(plain([main[1], main[2], other[1]]))
      expect(await above([ann.device, 1], [left, 4], [right, 9])).toEqual(plain([main[0], main[2]]))
      // As one says who has not heard of the fork: of what is named anew it gets all.
      expect(await above([ann.device, 6])).toEqual(plain([main[1], main[2], ...other]))
      expect(await above([ann.device, 2], [left, 6], [right, 4])).toEqual([])
    })

    it('common is the highest point that is held in any branch', async () => {
      const { store, ann, bob } = bench()
      const main = makeTestHistory(ann, [2, 2, 2])
      const other = makeTestHistory(ann, [1, 4], main[0], 'other')
      const strange = makeTestHistory(ann, [2, 2, 2], undefined, 'strange')
      await store.append(space, [...main, ...other])
      const common = (...batches: TestBatch[]): Promise<number> => {
        const points = batches.map(({ header }) => ({ seq: header.toSeq, tag: header.tagAfter }))
        return store.common(space, ann.device, points)
      }
      expect(await common()).toBe(0)
      expect(await common(...strange)).toBe(0)
      expect(await common(...main)).toBe(6)
      expect(await common(...main.toReversed())).toBe(6)
      expect(await common(main[0], ...strange)).toBe(2)
      expect(await common(main[1], other[0])).toBe(4)
      expect(await common(main[1], ...other)).toBe(7)
      expect(await common(...makeTestHistory(ann, [2, 2], main[2]))).toBe(0)
      // A tag that is held, at another seq or of another device.
      expect(await store.common(space, ann.device, [{ seq: 4, tag: main[0].header.tagAfter }])).toBe(0)
      expect(await store.common(space, bob.device, [{ seq: 2, tag: main[0].header.tagAfter }])).toBe(0)
      expect(await store.common(space, ann.device, [{ seq: 2, tag: new Uint8Array(0) }])).toBe(0)
      expect(await store.common(space, ann.device, [{ seq: 0, tag: main[0].header.tagBefore }])).toBe(0)
    })

    it('onPath tells of runs whether a batch that begins with them is before a point, in any branch', async () => {
      const { store, ann, bob } = bench()
      const main = makeTestHistory(ann, [2, 2, 2])
      const merged = mergeTestBatches(ann, makeTestHistory(ann, [1, 4], main[0], 'other'))
      const beyond = makeTestHistory(ann, [1, 1], merged, 'beyond')
      const inside = makeTestHistory(ann, [1], beyond[0], 'inside')
      const atStart = makeTestHistory(ann, [3], undefined, 'start')
      const runOf = ({ header }: TestBatch): NamedRun => ({ base: header.fromSeq - 1, firstTag: firstTagOf(header) })
      const endOf = ({ header }: TestBatch): Point => ({ seq: header.toSeq, tag: header.tagAfter })
      const all = [...main, merged, ...beyond, ...inside, ...atStart]
      // Which of all batches are on the way to the end of one of them.
      const onPath = async (to: TestBatch): Promise<TestBatch[]> => {
        const found = await store.onPath(space, ann.device, endOf(to), all.map(runOf))
        expect(found).toHaveLength(all.length)
        return all.filter((_, index) => found[index])
      }
      expect(await onPath(main[0])).toEqual([])
      await store.append(space, main)
      expect(await onPath(main[0])).toEqual([main[0]])
      expect(await onPath(main[1])).toEqual([main[0], main[1]])
      await store.append(space, [merged, ...beyond, ...inside, ...atStart])
      expect(await onPath(main[1])).toEqual([main[0], main[1]])
      expect(await onPath(main[2])).toEqual(main)
      expect(await onPath(merged)).toEqual([main[0], merged])
      expect(await onPath(beyond[1])).toEqual([main[0], merged, ...beyond])
      expect(await onPath(inside[0])).toEqual([main[0], merged, beyond[0], inside[0]])
      expect(await onPath(atStart[0])).toEqual(atStart)
      const run = runOf(main[1])
      const ask = (point: Point, ...runs: NamedRun[]): Promise<readonly boolean[]> =>
        store.onPath(space, ann.device, point, runs)
      // A run that ends inside of a batch, a wrong base, another tag; a point inside, another device.
      const wrong = [
        { base: 3, firstTag: merged.header.tagAfter },
        { ...run, base: 1 },
        { ...run, base: 4 },
        { ...run, firstTag: new Uint8Array(16) },
      ]
      expect(await ask(endOf(main[2]), ...wrong, run)).toEqual([false, false, false, false, true])
      expect(await ask(endOf(merged), ...wrong)).toEqual([false, false, false, false])
      expect(await ask({ ...endOf(main[2]), seq: 5 }, run)).toEqual([false])
      expect(await ask({ seq: 0, tag: main[0].header.tagBefore }, runOf(main[0]))).toEqual([false])
      expect(await store.onPath(space, bob.device, endOf(main[2]), [run])).toEqual([false])
      expect(await ask(endOf(main[2]))).toEqual([])
    })

    it('keeps the trees of spaces and of devices apart', async () => {
      const { store, ann, bob } = bench()
      const there = makeTestDevice('there', 'ann')
      const [here, away] = [makeTestHistory(ann, [1, 1]), makeTestHistory(there, [1, 1])]
      await store.append(space, [...here, ...makeTestHistory(bob, [1, 1])])
      await store.append('there', away)
      await unchangedBy(store, async () => {
        await store.append('there', makeTestHistory(there, [1], away[0], 'other'))
        await store.append('there', makeTestHistory(there, [1], undefined, 'other'))
      })
      expect((await store.vector('there')).size).toBe(4)
      await store.append(space, makeTestHistory(ann, [1], here[0], 'other'))
      expect((await branchesIn(store)).slice(2, 4)).toEqual([bob.device, bob.device])
      expect((await store.vector('there')).size).toBe(4)
    })

    if (another) {
      it('a split by one store is there for another one on the same medium', async () => {
        const { store, medium, ann } = bench()
        assert(medium.another)
        const other = await medium.another()
        const main = makeTestHistory(ann, [1, 1, 1])
        const fork = makeTestHistory(ann, [1, 1], main[0], 'other')
        await store.append(space, main.slice(0, 2))
        expect(kinds(await other.append(space, [main[1]]))).toEqual(['duplicate'])
        await other.append(space, [fork[0]])
        expect(await store.append(space, [main[2], fork[1]])).toEqual([
          appended(4, named(main[1])),
          appended(5, named(fork[0])),
        ])
        expect(await branchesIn(other)).toEqual(naiveTree([...main.slice(0, 2), fork[0], main[2], fork[1]]).names)
        expect(await other.tips(space)).toEqual(await store.tips(space))
      })
    }
  })
}
