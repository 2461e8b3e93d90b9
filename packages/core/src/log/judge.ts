/**
 * What every adapter of BatchStore decides alike (STORE1 to STORE4, STORE7, STORE8), as pure functions over what it looked up.
 *
 *     beginning (device, fromSeq - 1, tagBefore)      end (device, toSeq, tagAfter)
 *
 *     its first op is pruned, or may be               below (STORE8)
 *     its end is held                                 duplicate (a tag covers the whole history up to it); where it
 *                                                     begins at seq 0 with another tag, fork: one of the two lies
 *     its beginning is not held                       gap, or fork where other content of the device reaches so far
 *     its beginning is the end of a branch            append to that branch; where others begin there, a new branch
 *     its beginning is inside a branch                split: the branch ends there, what follows is named anew
 */
import type { DeviceId } from '../clock/dot.ts'
import { equalBytes } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import { type Batch, type BatchHeader, firstTagOf, isSpaceId } from './batch.ts'
import type { AppendOutcome, NamedRun, Point, RecordChange } from './batch-store.ts'
import { branchId } from './branch.ts'

/** Where a branch begins. */
export interface BranchStart {
  readonly branch: DeviceId
  /** The seq before its first, and the tag there. */
  readonly base: number
  readonly baseTag: Uint8Array
}

/** A branch that is held, up to `seq`. */
export interface HeldBranch extends BranchStart {
  readonly seq: number
  readonly tag: Uint8Array
  /** Its batches are there from here on; 0, and an empty tag, where it was never pruned. */
  readonly floor: number
  readonly floorTag: Uint8Array
}

/** The floor of a branch that was never pruned. */
export const UNPRUNED: Pick<HeldBranch, 'floor' | 'floorTag'> = { floor: 0, floorTag: new Uint8Array(0) }

/** What is held of one device: all that judging a batch of it can ask for. */
export interface DeviceTree {
  readonly branches: readonly HeldBranch[]
  /** `tagAfter` of the batch of a branch that ends at `toSeq`, if one that is there does. */
  tagAt(branch: DeviceId, toSeq: number): Uint8Array | undefined
  /** `firstTagOf` the batch of a branch that begins at `fromSeq`, if one that is there does. */
  firstTagAt(branch: DeviceId, fromSeq: number): Uint8Array | undefined
}

export type Verdict =
  /** `start`: of the branch that the batch begins; undefined where it goes on one that is held. */
  | { readonly kind: 'append'; readonly branch: DeviceId; readonly start?: BranchStart; readonly split?: Split }
  | Exclude<AppendOutcome, { kind: 'appended' | 'undone' }>

/**
 * All batches of `branch` above `above` belong to the branch `start` from now on, which has no floor: `above` is not below that
 * of `branch`. Nothing is left of `branch` where `above` is its base.
 */
export interface Split {
  readonly branch: DeviceId
  readonly above: number
  readonly start: BranchStart
}

export const judgeBatch = (header: BatchHeader, tree: DeviceTree): Verdict => {
  const { device, fromSeq, tagBefore } = header
  const { branches } = tree
  const have = highestOf(branches)
  const base = fromSeq - 1
  const fork: Verdict = { kind: 'fork', have }
  const same = holderOfEnd(header, tree)
  const below = floorOver(header, tree, same)
  if (below !== undefined) return below
  // A tag covers the start too: where the two start otherwise, one of them lies.
  if (same !== undefined && base === 0 && !equalBytes(startOf(branches, same).baseTag, tagBefore)) return fork
  if (same !== undefined) return { kind: 'duplicate', branch: same.branch }
  const parent = base === 0 ? rootOf(header, branches) : branches.find((branch) => holds(tree, branch, base, tagBefore))
  if (parent === undefined) {
    if (base > 0) return have < base ? { kind: 'gap', have } : fork
    if (branches.length === 0) return begun({ branch: device, base, baseTag: tagBefore })
  } else if (base < parent.seq) {
    const next = tree.firstTagAt(parent.branch, fromSeq)
    const baseTag = base === 0 ? parent.baseTag : tagBefore
    // The same run in other envelopes: neither new nor a whole duplicate. (At seq 0 the start must be the same too.)
    const isSameStart = equalBytes(baseTag, tagBefore)
    if (next === undefined || (isSameStart && equalBytes(next, firstTagOf(header)))) return fork
    const renamed = { branch: branchId(device, base, baseTag, next), base, baseTag }
    const start = beginningOf(header)
    // Headers are taken at their word: of two that name one run, the first that is held has its name.
    if (branches.some(({ branch }) => branch === start.branch || branch === renamed.branch)) return fork
    return { ...begun(start), split: { branch: parent.branch, above: base, start: renamed } }
  } else if (!branches.some((other) => other.base === base && equalBytes(other.baseTag, tagBefore))) {
    return { kind: 'append', branch: parent.branch }
  }
  const start = beginningOf(header)
  return branches.some(({ branch }) => branch === start.branch) ? fork : begun(start)
}

const holderOfEnd = ({ toSeq, tagAfter }: BatchHeader, tree: DeviceTree): HeldBranch | undefined =>
  tree.branches.find((branch) => holds(tree, branch, toSeq, tagAfter))

type Below = AppendOutcome & { readonly kind: 'below' }

/** STORE8: whether the first op of a batch is pruned, or may be. `same`: the branch that holds its end. */
const floorOver = (header: BatchHeader, tree: DeviceTree, same: HeldBranch | undefined): Below | undefined => {
  const { branches } = tree
  const pruned = branches.filter(({ floor }) => floor > 0)
  if (pruned.length === 0) return undefined
  const { fromSeq, tagBefore } = header
  const base = fromSeq - 1
  const over = (branch: HeldBranch | undefined): Below | undefined =>
    branch !== undefined && branch.floor > base ? { kind: 'below', floor: branch.floor } : undefined
  if (same !== undefined) return over(pathOf(branches, same).find((branch) => branch.base <= base))
  if (base === 0 || branches.some((branch) => holds(tree, branch, base, tagBefore))) {
    const root = base === 0 ? rootOf(header, branches) : undefined
    // Of the unforked beginning nothing tells what its first run was; any other branch is called by it.
    if (root !== undefined || !pruned.some((branch) => branch.base === base)) return over(root)
    const { branch: name } = beginningOf(header)
    return over(pruned.find(({ branch }) => branch === name))
  }
  const around = pruned.filter((branch) => branch.base < base)
  return over(around.sort((a, b) => b.floor - a.floor)[0])
}

/** The branch in which the way to one begins. */
const startOf = (branches: readonly HeldBranch[], last: HeldBranch): HeldBranch => pathOf(branches, last).at(-1)!

/** A branch, what it goes on from, and so on to the start of its device. Where a branch goes on, another one ends. */
const pathOf = (branches: readonly HeldBranch[], last: HeldBranch): HeldBranch[] => {
  const path = [last]
  for (let at: HeldBranch | undefined = last; at !== undefined && at.base > 0; ) {
    const { base, baseTag }: HeldBranch = at
    at = branches.find(({ seq, tag }) => seq === base && equalBytes(tag, baseTag))
    if (at !== undefined) path.push(at)
  }
  return path
}

/** For `BatchStore.onPath`. */
export const runsOnPath = (tree: DeviceTree, { seq, tag }: Point, runs: readonly NamedRun[]): boolean[] => {
  const holder = tree.branches.find((branch) => holds(tree, branch, seq, tag))
  const path = holder === undefined ? [] : pathOf(tree.branches, holder)
  return runs.map(({ base, firstTag }) => {
    const branch = base < seq ? path.find((held) => held.base <= base) : undefined
    const held = branch && tree.firstTagAt(branch.branch, base + 1)
    return held !== undefined && equalBytes(held, firstTag)
  })
}

const begun = (start: BranchStart): Verdict & { kind: 'append' } => ({ kind: 'append', branch: start.branch, start })

const beginningOf = (header: BatchHeader): BranchStart => {
  const base = header.fromSeq - 1
  const { device, tagBefore } = header
  return { branch: branchId(device, base, tagBefore, firstTagOf(header)), base, baseTag: tagBefore }
}

/** The unforked beginning of a device: whatever starts otherwise (OP3) is its sibling from seq 0 on. */
const rootOf = ({ device }: BatchHeader, branches: readonly HeldBranch[]): HeldBranch | undefined =>
  branches.find(({ branch, base }) => branch === device && base === 0)

const holds = (
  tree: Pick<DeviceTree, 'tagAt'>,
  { branch, base, seq, tag: last, floor, floorTag }: HeldBranch,
  at: number,
  tag: Uint8Array,
): boolean => {
  // Most batches go on where a branch ends: known without a look-up.
  if (at === seq) return equalBytes(last, tag)
  if (at === floor && floor > 0) return equalBytes(floorTag, tag)
  const held = at > base && at > floor && at < seq ? tree.tagAt(branch, at) : undefined
  return held !== undefined && equalBytes(held, tag)
}

/** For `BatchStore.common`. */
export const commonPoint = (tree: Pick<DeviceTree, 'branches' | 'tagAt'>, points: readonly Point[]): number => {
  const isHeld = ({ seq, tag }: Point): boolean => tree.branches.some((branch) => holds(tree, branch, seq, tag))
  return points.reduce((highest, point) => (point.seq > highest && isHeld(point) ? point.seq : highest), 0)
}

/** For `BatchStore.prune`: what to do about a point, `branch` being what is held under its name. */
export const judgePoint = (
  point: Point,
  branch: HeldBranch | undefined,
  tagAt: DeviceTree['tagAt'],
): 'unknown' | 'done' | 'prune' => {
  if (branch === undefined) return 'unknown'
  if (point.seq < branch.floor) return 'done'
  if (!holds({ tagAt }, branch, point.seq, point.tag)) return 'unknown'
  return point.seq === branch.floor ? 'done' : 'prune'
}

/** Of a batch that is to be put in the place of one that is not there. */
export const notReplaced = (header: BatchHeader, tree: DeviceTree): AppendOutcome =>
  floorOver(header, tree, holderOfEnd(header, tree)) ?? { kind: 'gap', have: highestOf(tree.branches) }

export const highestOf = (branches: Iterable<HeldBranch>): number => {
  let highest = 0
  for (const { seq } of branches) highest = Math.max(highest, seq)
  return highest
}

/** The branch that holds a batch of these seqs and tags, as far as what is beside the bytes can tell. For `replace`. */
export const holderOf = (header: BatchHeader, tree: Pick<DeviceTree, 'branches' | 'tagAt'>): DeviceId | undefined => {
  const { fromSeq, toSeq, tagBefore, tagAfter } = header
  const isHolder = (held: HeldBranch): boolean => {
    if (!holds(tree, held, toSeq, tagAfter)) return false
    const base = fromSeq - 1
    return base === held.base ? equalBytes(held.baseTag, tagBefore) : holds(tree, held, base, tagBefore)
  }
  return tree.branches.find(isHolder)?.branch
}

export const isRefusal = (
  outcome: AppendOutcome,
): outcome is AppendOutcome & { readonly kind: 'gap' | 'fork' | 'below' } =>
  outcome.kind === 'gap' || outcome.kind === 'fork' || outcome.kind === 'below'

/**
 * The outcomes of an `allOrNothing` call that was undone: none of them may claim a position, and `have` is told as it is
 * after the undoing. `heldBefore`: a device's highest held seq before the call.
 */
export const undoneOutcomes = (
  batches: readonly Batch[],
  outcomes: readonly AppendOutcome[],
  heldBefore: (batch: Batch) => number,
): AppendOutcome[] =>
  outcomes.map((outcome, index) =>
    outcome.kind === 'gap' || outcome.kind === 'fork'
      ? { kind: outcome.kind, have: heldBefore(batches[index]) }
      : outcome.kind === 'below'
        ? outcome
        : { kind: 'undone' },
  )

/** Throws OPTION_INVALID. Space ids become parts of file and lock names, so nothing else may pass. */
export const checkSpaceId = (space: string): void => {
  if (!isSpaceId(space)) throw new DriftlogError('OPTION_INVALID', 'space id', { space })
}

/** The bugs of a caller that no store should make durable. Throws OPTION_INVALID. */
export const checkAppend = (
  space: string,
  batches: readonly Batch[],
  records: readonly RecordChange[],
  absent: readonly string[] = [],
): void => {
  checkSpaceId(space)
  for (const { header } of batches) {
    if (header.space !== space) {
      throw new DriftlogError('OPTION_INVALID', 'a batch of another space', { space, other: header.space })
    }
  }
  for (const key of [...records.map(({ key }) => key), ...absent]) {
    // A lone surrogate would become U+FFFD in a store that keeps UTF-8, and two keys would be one.
    if (!key.isWellFormed() || key.includes('\0')) throw new DriftlogError('OPTION_INVALID', 'record key', { key })
  }
}

/** STORE9. */
export const recordExists = (space: string, key: string): DriftlogError =>
  new DriftlogError('RECORD_EXISTS', key, { space, key })

/** UTF-16 code units, as IndexedDB orders keys; never by locale. */
export const compareKeys = (a: { readonly key: string }, b: { readonly key: string }): number =>
  a.key < b.key ? -1 : a.key > b.key ? 1 : 0
