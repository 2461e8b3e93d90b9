/** What stores in memory share, as processes share a disk. Their invariants are those of `memory-store.ts`. */
import type { DeviceId } from '../clock/dot.ts'
import { type Cursor, type Point, startCursor, type StoredBatch } from './batch-store.ts'
import type { BranchStart } from './judge.ts'

export interface MemoryBranch extends BranchStart {
  readonly device: DeviceId
  readonly held: StoredBatch[]
  floor: Point | undefined
}

export interface MemorySpace {
  batches: StoredBatch[]
  /** The last batch that was pruned, by order of arrival. */
  pruned: Cursor
  /** Positions of batches that do not read back: see `damageBatch`. */
  readonly damaged: Set<number>
  readonly branches: Map<DeviceId, MemoryBranch>
  /** Device → its branches. */
  readonly trees: Map<DeviceId, Set<MemoryBranch>>
  readonly certificates: Map<DeviceId, Uint8Array>
  readonly records: Map<string, Uint8Array>
  readonly slots: Set<number>
  readonly listeners: Set<() => void>
}

export const memorySpace = (): MemorySpace => ({
  batches: [],
  pruned: startCursor,
  damaged: new Set(),
  branches: new Map(),
  trees: new Map(),
  certificates: new Map(),
  records: new Map(),
  slots: new Set(),
  listeners: new Set(),
})

/** What a closed memory store leaves behind, as a disk would: open another one on it to see what was stored. */
export interface MemoryMedium {
  readonly spaces: Map<string, MemorySpace>
}

export const memoryMedium = (): MemoryMedium => ({ spaces: new Map() })

/** As it is now, without the slots that are claimed and the listeners. */
export const copyMedium = (medium: MemoryMedium): MemoryMedium => {
  const copyOf = (space: MemorySpace): MemorySpace => {
    const branches = new Map<DeviceId, MemoryBranch>()
    for (const [name, branch] of space.branches) branches.set(name, { ...branch, held: [...branch.held] })
    const trees = new Map<DeviceId, Set<MemoryBranch>>()
    for (const [device, tree] of space.trees) {
      trees.set(device, new Set(Array.from(tree, ({ branch }) => branches.get(branch)!)))
    }
    return {
      ...memorySpace(),
      batches: [...space.batches],
      pruned: space.pruned,
      damaged: new Set(space.damaged),
      branches,
      trees,
      certificates: new Map(space.certificates),
      records: new Map(space.records),
    }
  }
  return { spaces: new Map(Array.from(medium.spaces, ([name, space]) => [name, copyOf(space)] as const)) }
}

/** What memory does not do by itself: from now on the bytes of a batch are not those that came. For tests and simulations. */
export const damageBatch = (medium: MemoryMedium, space: string, position: number): void => {
  medium.spaces.get(space)?.damaged.add(position)
}
