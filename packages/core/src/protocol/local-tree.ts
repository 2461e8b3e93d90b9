/**
 * What a driver of the device's side looks up in what is held here, to answer the session's questions about branches
 * (SYNC7, SYNC22). Whoever holds the batches backs the port; nothing in here reads a store.
 */
import type { DeviceId } from '../clock/dot.ts'
import type { BatchHeader } from '../log/batch.ts'
import type { BranchPoints } from './client-types.ts'
import { MAX_POINTS } from './messages.ts'

export interface LocalBranch {
  readonly device: DeviceId
  /** The last seq before it, and the branch that ends there: none at the start of the device. */
  readonly base: number
  readonly parent: DeviceId | undefined
  /** Its last seq. */
  readonly seq: number
}

/** Everything that is durable here, by branch (STORE2). */
export interface LocalTree {
  devices(): Iterable<DeviceId>
  /** Of a device; none where nothing of it is held. */
  branchesOf(device: DeviceId): readonly DeviceId[]
  branch(name: DeviceId): LocalBranch | undefined
  /** The tag at `seq`, above the branch's base, if a run ends there: 16 bytes. */
  tagAt(name: DeviceId, seq: number): Uint8Array | undefined
  /** The tags around the run of the branch that begins at `base + 1`, if one does. */
  runAfter(name: DeviceId, base: number): { readonly tagBefore: Uint8Array; readonly firstTag: Uint8Array } | undefined
  /** The last seqs of the branch's batches in (`above`, `upTo`], rising. */
  batchEnds(name: DeviceId, above: number, upTo: number): readonly number[]
}

/** The branches from the start of the device to `name`, that included; none where it is not held. */
export const pathTo = (tree: LocalTree, name: DeviceId): readonly (LocalBranch & { readonly name: DeviceId })[] => {
  const path: (LocalBranch & { readonly name: DeviceId })[] = []
  for (let next: DeviceId | undefined = name; next !== undefined; ) {
    const branch: LocalBranch | undefined = tree.branch(next)
    if (branch === undefined) break
    path.push({ ...branch, name: next })
    next = branch.parent
  }
  return path.reverse()
}

/**
 * Answers `readPoints`; undefined where the branch is not held: it was named anew, and `renamed` says so. `most`: how many
 * points it names.
 */
export const pointsOf = (
  tree: LocalTree,
  { branch, above, upTo }: { readonly branch: DeviceId; readonly above: number; readonly upTo: number },
  most = MAX_POINTS,
): BranchPoints | undefined => {
  const path = pathTo(tree, branch)
  if (path.length === 0) return undefined
  const ends = path.flatMap(({ name, base, seq }) => {
    const last = Math.min(seq, upTo)
    return last <= above ? [] : tree.batchEnds(name, Math.max(base, above), last).map((end) => ({ name, end }))
  })
  const points = spread(ends, most).map(({ name, end }) => ({ seq: end, tag: tree.tagAt(name, end)! }))
  return {
    device: path[0].device,
    path: path.map(({ name, base }) => ({ branch: name, base })),
    points,
    isComplete: ends.length <= most,
  }
}

/** At most `count` of them, evenly, the last included. */
const spread = <T>(all: readonly T[], count: number): readonly T[] =>
  all.length <= count
    ? all
    : Array.from({ length: count }, (_, index) => all[Math.ceil(((index + 1) * all.length) / count) - 1])

/**
 * Which local branches keep a batch out that the local store calls a fork: those that reach its beginning (at seq 0, its
 * first op) with something else than it continues, or that overlap it in part. Each becomes one entry of `stored.refused`.
 */
export const branchesInTheWay = (tree: LocalTree, { device, fromSeq, toSeq }: BatchHeader): readonly DeviceId[] =>
  tree.branchesOf(device).filter((name) => {
    const { base, seq } = tree.branch(name)!
    return base < toSeq && seq >= Math.max(1, fromSeq - 1)
  })
