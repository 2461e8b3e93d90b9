import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSeenHistory, joinSeen, nothingSeen, seenAt, type SeenVector, seenSeq, withSeen } from './seen.ts'

const MAX_DEVICE = 40_000
const device = fc.oneof(fc.nat(40), fc.constantFrom(31, 32, 1_023, 1_024, 32_767, 32_768), fc.nat(MAX_DEVICE - 1))
const entries = fc.array(fc.tuple(device, fc.integer({ min: 1, max: 2 ** 31 })), { maxLength: 60 })

const vectorOf = (list: readonly (readonly [number, number])[], start = nothingSeen): SeenVector => {
  let vector = start
  for (const [index, seq] of list) vector = withSeen(vector, index, seq)
  return vector
}

const naiveOf = (list: readonly (readonly [number, number])[]): Map<number, number> => {
  const map = new Map<number, number>()
  for (const [index, seq] of list) map.set(index, Math.max(map.get(index) ?? 0, seq))
  return map
}

const expectEqual = (vector: SeenVector, naive: ReadonlyMap<number, number>, absent: readonly number[]): void => {
  for (const [index, seq] of naive) if (seenSeq(vector, index) !== seq) expect(seenSeq(vector, index)).toBe(seq)
  for (const index of absent) expect(seenSeq(vector, index)).toBe(naive.get(index) ?? 0)
}

const PROBES = [0, 1, 31, 32, 33, 1_023, 1_024, 32_767, 32_768, MAX_DEVICE, 2 ** 20, 2 ** 29]

describe('seen vectors', () => {
  it('[SEEN1] agree with naive maps after any entries', () => {
    fc.assert(
      fc.property(entries, fc.array(device), (list, probes) => {
        expectEqual(vectorOf(list), naiveOf(list), [...probes, ...PROBES])
      }),
    )
  })

  it('[SEEN1] join to the greater of each entry, in any order, and leave their arguments as they were', () => {
    fc.assert(
      fc.property(entries, entries, (a, b) => {
        const left = vectorOf(a)
        const right = vectorOf(b)
        expectEqual(joinSeen(left, right), naiveOf([...a, ...b]), PROBES)
        expectEqual(joinSeen(right, left), naiveOf([...a, ...b]), PROBES)
        expectEqual(left, naiveOf(a), PROBES)
        expectEqual(right, naiveOf(b), PROBES)
      }),
    )
  })

  it('[SEEN1] a join with less returns the vector itself, from either side', () => {
    fc.assert(
      fc.property(entries, fc.nat(), (list, cut) => {
        const start = list.slice(0, list.length === 0 ? 0 : cut % list.length)
        const part = vectorOf(start)
        const grown = vectorOf(list.slice(start.length), part)
        expect(joinSeen(grown, part)).toBe(grown)
        expect(joinSeen(part, grown)).toBe(grown)
        // Equal parts that were built apart are not recognised from the right; from the left they are.
        const whole = vectorOf(list)
        expect(joinSeen(whole, part)).toBe(whole)
        for (const [index, seq] of list) expect(withSeen(whole, index, seq)).toBe(whole)
      }),
    )
  })

  it('[SEEN1] 40,000 devices: each entry is found, and one more shares all but its path', () => {
    const whole = vectorOf(Array.from({ length: MAX_DEVICE }, (_, index) => [index, index + 1] as const))
    for (let index = 0; index < MAX_DEVICE; index++) if (seenSeq(whole, index) !== index + 1) expect.unreachable()
    const more = withSeen(whole, 20_000, 2 ** 40)
    const nodesOf = (vector: SeenVector): Set<unknown> => {
      const nodes = new Set<unknown>()
      const walk = (node: SeenVector['root']): void => {
        nodes.add(node)
        for (const child of node) if (typeof child !== 'number') walk(child)
      }
      walk(vector.root)
      return nodes
    }
    const before = nodesOf(whole)
    const fresh = [...nodesOf(more)].filter((node) => !before.has(node))
    expect(fresh).toHaveLength(more.height + 1)
    expect(joinSeen(more, whole)).toBe(more)
  })

  it('[SEEN1] what op n had seen is the vector of the last op up to n that had heads', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 50 }), { maxLength: 12 }), (unsorted) => {
        const seqs = unsorted.sort((a, b) => a - b)
        const history = createSeenHistory()
        for (const seq of seqs) {
          history.seqs.push(seq)
          history.vectors.push(vectorOf([[1, seq]]))
        }
        for (let seq = 0; seq <= 51; seq++) {
          expect(seenSeq(seenAt(history, seq), 1)).toBe(seqs.findLast((other) => other <= seq) ?? 0)
        }
      }),
    )
  })
})
