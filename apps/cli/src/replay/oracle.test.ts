import { describe, expect, test } from 'vitest'
import { commit, historyOf } from './graphs.test-support.ts'
import type { History } from './history.ts'
import { expectedState, stampsOf } from './oracle.ts'

const idOf = (position: number): string => `device-${position}`
const fileOf = (history: History, path = 'a') => expectedState(history, idOf).files.get(path)

describe('expectedState', () => {
  test('a write replaces what it saw, however late the other clock was', () => {
    // The parent was stamped an hour later by its clock: the child's stamp moves above it (ORA3).
    const history = historyOf([commit([], 0, ['a'], 3_600_000), commit([0], 1, ['a'], 0)])
    expect(fileOf(history)?.lastWriters).toEqual([1])
    const [first, second] = stampsOf(history)
    expect(second).toBe(first + 1)
  })

  test('of concurrent writes the latest stamp is shown and the others are kept', () => {
    //  0 ─ 1 (later clock)
    //   \─ 2
    const history = historyOf([commit([], 0), commit([0], 1, ['a'], 5_000), commit([0], 2, ['a'], 1_000)])
    expect(fileOf(history)).toEqual({ lines: 3, commits: 3, lastWriters: [2, 1] })
    expect(expectedState(history, idOf).conflicts).toBe(2)
  })

  test('concurrent writes of one author differ in one field', () => {
    const history = historyOf([commit([], 0), commit([0], 1), commit([0], 1)])
    expect(expectedState(history, idOf).conflicts).toBe(1)
  })

  test('a skewed ancestor on another path lifts the stamp of a concurrent write', () => {
    // 1 is written by a clock a day ahead; 3 saw it, so 3 beats 2 although its own clock is behind.
    const history = historyOf([
      commit([], 0),
      commit([0], 1, ['b'], 86_400_000),
      commit([0], 2, ['a'], 60_000),
      commit([1], 3, ['a'], 1_000),
    ])
    expect(fileOf(history)?.lastWriters).toEqual([2, 3])
  })

  test('a merge without changes writes nothing, and who saw it saw both sides', () => {
    const history = historyOf([commit([], 0), commit([0], 1), commit([0], 2), commit([1, 2], 1, []), commit([3], 3)])
    expect(fileOf(history)).toEqual({ lines: 4, commits: 4, lastWriters: [4] })
  })

  test('criss-cross: two merges of the same two sides are concurrent, and each replaces both', () => {
    //  0 ─ 1 ─ 3      3 and 4 have both 1 and 2 as parents
    //   \   ╳
    //    ─ 2 ─ 4
    const history = historyOf([
      commit([], 0),
      commit([0], 1, ['a'], 1_000),
      commit([0], 2, ['a'], 2_000),
      commit([1, 2], 1, ['a'], 9_000),
      commit([2, 1], 2, ['a'], 3_000),
    ])
    expect(fileOf(history)?.lastWriters).toEqual([4, 3])
    const settled = historyOf([...history.commits, commit([3, 4], 0, ['a'], 0)])
    expect(fileOf(settled)?.lastWriters).toEqual([5])
  })

  test('equal stamps are ordered by device', () => {
    const history = historyOf([commit([], 0, ['b']), commit([0], 1, ['a'], 1_000), commit([0], 2, ['a'], 1_000)])
    const shown = (ids: string[]) => expectedState(history, (position) => ids[position]).files.get('a')?.lastWriters
    expect(shown(['x', 'm', 'n'])).toEqual([1, 2])
    expect(shown(['x', 'n', 'm'])).toEqual([2, 1])
  })

  test('a path that two roots introduce is one file, and its path no conflict', () => {
    const history = historyOf([commit([], 0), commit([], 1), commit([0, 1], 2)])
    expect(fileOf(history)).toMatchObject({ lastWriters: [2] })
    expect(expectedState(history, idOf).conflicts).toBe(0)
  })
})

test('a clock before 2020 counts as 2020, and stamps go on from there', () => {
  const early = { ...commit([], 0), authoredMs: 0 }
  expect([...stampsOf(historyOf([early, { ...early, parents: [0] }]))]).toEqual([1, 2])
})
