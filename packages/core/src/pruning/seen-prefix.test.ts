import { beforeAll, describe, expect, it } from 'vitest'
import { cryptoReady } from '../crypto/sodium.ts'
import { createReplica, type Replica, shapes, START_MS } from '../testing/replicas.test-support.ts'
import { hasSeenPrefix } from './seen-prefix.ts'

beforeAll(cryptoReady)

const write = (by: Replica, atMs: number): number => {
  const { hlc } = by.write(START_MS + atMs, by.change(shapes.insert, `${by.device}-${atMs}`))
  return hlc
}

describe('having seen what is below a cut', () => {
  it('CUT1: is told of an op that saw all of it, and of no other', () => {
    const [ada, ben] = [createReplica(1), createReplica(2)]
    const early = write(ben, 1)
    write(ada, 10)
    const cut = write(ben, 20)
    write(ada, 30)
    for (const bytes of ben.seal()) ada.receive(bytes)
    write(ada, 40)
    const late = write(ada, 50)
    const has = (seq: number, at: number): boolean => hasSeenPrefix(ada.projector, ada.device, seq, at)
    // Two that had seen nothing of the other, two that had seen all.
    expect([1, 2, 3, 4].map((seq) => has(seq, cut))).toEqual([false, false, true, true])
    expect([1, 2, 3, 4].map((seq) => has(seq, early))).toEqual([false, false, true, true])
    // Before the first of all there is nothing to have seen; and what is itself at the cut is not above it.
    expect(has(1, early - 1)).toBe(true)
    expect(has(4, late)).toBe(false)
    expect(has(4, late - 1)).toBe(true)
  })
})
