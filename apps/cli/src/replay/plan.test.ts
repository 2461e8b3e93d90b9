import { describe, expect, test } from 'vitest'
import * as fc from 'fast-check'
import { forEachAncestorBlock } from './ancestry.ts'
import { commit, graphs, historyOf } from './graphs.test-support.ts'
import { planReplay } from './plan.ts'

describe('planReplay', () => {
  test('one author in one line is one device with one session', () => {
    const plan = planReplay(historyOf([commit([], 0), commit([0], 0), commit([1], 0)]))
    expect(plan.devices).toEqual([{ author: 0, writes: [0, 1, 2] }])
    expect(plan.sessions).toEqual([{ device: 0, receives: [], writes: [0, 1, 2], pushes: true }])
  })

  test('an author on two branches is two devices, and a merge goes on with the latest of them', () => {
    //  0 ─ 1 ─ 3 ─ 4
    //   \─ 2 ─/
    const plan = planReplay(
      historyOf([commit([], 0), commit([0], 0), commit([0], 0), commit([1, 2], 0, []), commit([3], 0)]),
    )
    expect(plan.devices.map(({ writes }) => writes)).toEqual([
      [0, 1],
      [2, 4],
    ])
    expect(plan.sessions).toEqual([
      { device: 0, receives: [], writes: [0], pushes: true },
      { device: 0, receives: [], writes: [1], pushes: true },
      { device: 1, receives: [0], writes: [2], pushes: false },
      { device: 1, receives: [1], writes: [4], pushes: true },
    ])
  })

  test('what a device sees is exactly what its commits descend from, and pushed before (PLAN1 to PLAN4)', () => {
    fc.assert(
      fc.property(graphs(), (history) => {
        const plan = planReplay(history)
        const { commits } = history
        const pasts = pastsOf(commits.map(({ parents }) => parents))
        const deviceOf = new Map(plan.devices.flatMap(({ writes }, device) => writes.map((write) => [write, device])))
        const seen = plan.devices.map(() => new Set<number>())
        const pushed = plan.devices.map(() => 0)
        const written: number[] = []
        for (const { device, receives, writes, pushes } of plan.sessions) {
          for (const last of receives) {
            const other = deviceOf.get(last) as number
            const count = plan.devices[other].writes.indexOf(last) + 1
            // Whoever receives gets the whole batches up to this one: its end must be a boundary that was pushed.
            expect(pushed[other]).toBeGreaterThanOrEqual(count)
            for (const write of plan.devices[other].writes.slice(0, count)) seen[device].add(write)
          }
          for (const write of writes) {
            expect(seen[device]).toEqual(new Set([...pasts[write]].filter((past) => commits[past].files.length > 0)))
            expect(commits[write].author).toBe(plan.devices[device].author)
            seen[device].add(write)
            written.push(write)
          }
          if (pushes) pushed[device] = plan.devices[device].writes.indexOf(writes.at(-1) as number) + 1
        }
        expect(written.toSorted((a, b) => a - b)).toEqual([...deviceOf.keys()].toSorted((a, b) => a - b))
        expect(plan.devices.map(({ writes }) => writes.length)).toEqual(pushed)
        expect(plan.mutations).toBe(written.length)
      }),
    )
  })
})

describe('forEachAncestorBlock', () => {
  test('agrees with sets', () => {
    fc.assert(
      fc.property(graphs(), ({ commits }) => {
        const parents = commits.map((each) => each.parents)
        const pasts = pastsOf(parents)
        forEachAncestorBlock(parents, (from, to, isAncestor) => {
          for (let ancestor = from; ancestor < to; ancestor++) {
            parents.forEach((_, of) => expect(isAncestor(ancestor, of)).toBe(pasts[of].has(ancestor)))
          }
        })
      }),
      { numRuns: 30 },
    )
  })

  test('goes on across blocks', () => {
    const line = Array.from({ length: 5_000 }, (_, index) => (index === 0 ? [] : [index - 1]))
    const blocks: number[] = []
    forEachAncestorBlock(line, (from, to, isAncestor) => {
      blocks.push(to - from)
      expect(isAncestor(from, from)).toBe(false)
      expect(isAncestor(from, 4_999)).toBe(true)
      expect(isAncestor(to - 1, to - 2)).toBe(false)
    })
    expect(blocks).toEqual([2_048, 2_048, 904])
  })
})

const pastsOf = (parents: readonly (readonly number[])[]): Set<number>[] => {
  const pasts: Set<number>[] = []
  for (const list of parents) pasts.push(new Set(list.flatMap((parent) => [parent, ...pasts[parent]])))
  return pasts
}
