import { beforeAll, describe, expect, it } from 'vitest'
import type { DeviceId } from '../clock/dot.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { branchId } from '../log/branch.ts'
import { identityOf } from '../testing/replicas.test-support.ts'
import type { LocalBranch } from './local-tree.ts'
import { placeTips } from './place-tips.ts'

const tagOf = (seq: number): Uint8Array =>
  Uint8Array.of(...new Uint8Array(12), seq >> 16, (seq >> 8) & 255, seq & 255, 1)
const markOf = (seq: number): Uint8Array => tagOf(seq).subarray(0, 8)

/** A device that was forked after each of its ops, of which one sibling each is held. */
const nested = (depth: number) => {
  const { device } = identityOf(1)
  const names: DeviceId[] = [device]
  const branches = new Map<DeviceId, LocalBranch>([[device, { device, base: 0, parent: undefined, seq: 1 }]])
  for (let base = 1; base < depth; base++) {
    const name = branchId(device, base, tagOf(base), tagOf(base + 1))
    branches.set(name, { device, base, parent: names[base - 1], seq: base + 1 })
    names.push(name)
  }
  const tree = {
    devices: () => [device],
    branchesOf: () => names,
    branch: (name: DeviceId) => branches.get(name),
    tagAt: (_: DeviceId, seq: number) => tagOf(seq),
    runAfter: (name: DeviceId, base: number) =>
      branches.get(name)!.seq > base ? { tagBefore: tagOf(base), firstTag: tagOf(base + 1) } : undefined,
    batchEnds: () => [],
  }
  return { device, names, tree }
}

describe('placing tips', () => {
  beforeAll(cryptoReady)

  it('[SYNC7] of a server that knows of no fork, where 20,000 are held inside each other', () => {
    const depth = 20_000
    const { device, names, tree } = nested(depth)
    const { vector, unverified } = placeTips(new Map([[device, { seq: depth, mark: markOf(depth) }]]), tree, new Set())
    expect(unverified).toEqual([])
    expect(vector.size).toBe(depth)
    expect(vector.get(names[depth - 1])).toBe(depth)
  })

  it('[SYNC7] of a server that has all of them, 20,000 names each', () => {
    const depth = 20_000
    const { names, tree } = nested(depth)
    const tips = new Map(names.map((name, at) => [name, { seq: at + 1, mark: markOf(at + 1) }] as const))
    const { vector, unverified } = placeTips(tips, tree, new Set())
    expect(unverified).toEqual([])
    expect([...vector]).toEqual(expect.arrayContaining([[names[depth - 1], depth]]))
    expect(vector.size).toBe(depth)
  })
})
