/**
 * What every adapter of BatchStore decides alike (STORE1 to STORE4), as pure functions over what it looked up.
 *
 *     beginning (device, fromSeq - 1, tagBefore)      end (device, toSeq, tagAfter)
 *
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
}

/** What is held of one device: all that judging a batch of it can ask for. */
export interface DeviceTree {
  readonly branches: readonly HeldBranch[]
  /** `tagAfter` of the batch of a branch that ends at `toSeq`, if one does. */
  tagAt(branch: DeviceId, toSeq: number): Uint8Array | undefined
  /** `firstTagOf` the batch of a branch that begins at `fromSeq`, if one does. */
  firstTagAt(branch: DeviceId, fromSeq: number): Uint8Array | undefined
}

export type Verdict =
  /** `start`: of the branch that the batch begins; undefined where it goes on one that is held. */
  | { readonly kind: 'append'; readonly branch: DeviceId; readonly start?: BranchStart; readonly split?: Split }
  | Exclude<AppendOutcome, { kind: 'appended' | 'undone' }>

/** All batches of `branch` above `above` belong to the branch `start` from now on. Nothing is left of `branch` where that is its base. */
export interface Split {
  readonly branch: DeviceId
  readonly above: number
  readonly start: BranchStart
}

export const judgeBatch = (header: BatchHeader, tree: DeviceTree): Verdict => {
  const { device, fromSeq, toSeq, tagBefore, tagAfter } = header
  const { branches } = tree
  const have = branches.reduce((highest, { seq }) => Math.max(highest, seq), 0)
  const base = fromSeq - 1
  const fork: Verdict = { kind: 'fork', have }
  const same = branches.find((branch) => holds(tree, branch, toSeq, tagAfter))
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
  { branch, base, seq, tag: last }: HeldBranch,
  at: number,
  tag: Uint8Array,
): boolean => {
  // Most batches go on where a branch ends: known without a look-up.
  const held = at === seq ? last : at > base && at < seq ? tree.tagAt(branch, at) : undefined
  return held !== undefined && equalBytes(held, tag)
}

/** The branch that holds a batch of these seqs and tags, as far as what is beside the bytes can tell. For `replace`. */
export const holderOf = (header: BatchHeader, tree: Pick<DeviceTree, 'branches' | 'tagAt'>): DeviceId | undefined => {
  const { fromSeq, toSeq, tagBefore, tagAfter } = header
  const isHolder = (held: HeldBranch): boolean => {
    if (!holds(tree, held, toSeq, tagAfter)) return false
    const before = fromSeq - 1 === held.base ? held.baseTag : tree.tagAt(held.branch, fromSeq - 1)
    return before !== undefined && equalBytes(before, tagBefore)
  }
  return tree.branches.find(isHolder)?.branch
}

export const isRefusal = (outcome: AppendOutcome): boolean => outcome.kind === 'gap' || outcome.kind === 'fork'

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
      : { kind: 'undone' },
  )

/** Throws OPTION_INVALID. Space ids become parts of file and lock names, so nothing else may pass. */
export const checkSpaceId = (space: string): void => {
  if (!isSpaceId(space)) throw new DriftlogError('OPTION_INVALID', 'space id', { space })
}

/** The bugs of a caller that no store should make durable. Throws OPTION_INVALID. */
export const checkAppend = (space: string, batches: readonly Batch[], records: readonly RecordChange[]): void => {
  checkSpaceId(space)
  for (const { header } of batches) {
    if (header.space !== space) {
      throw new DriftlogError('OPTION_INVALID', 'a batch of another space', { space, other: header.space })
    }
  }
  for (const { key } of records) {
    // A lone surrogate would become U+FFFD in a store that keeps UTF-8, and two keys would be one.
    if (!key.isWellFormed() || key.includes('\0')) throw new DriftlogError('OPTION_INVALID', 'record key', { key })
  }
}

/** UTF-16 code units, as IndexedDB orders keys; never by locale. */
export const compareKeys = (a: { readonly key: string }, b: { readonly key: string }): number =>
  a.key < b.key ? -1 : a.key > b.key ? 1 : 0
