/**
 * What is held, as trees: for every device its branches (SPEC BR1), each with what of it waits to be projected.
 */
import type { DeviceId } from '../clock/dot.ts'
import type { Hlc } from '../clock/hlc.ts'
import { equalBytes } from '../codec/bytes.ts'
import type { DriftlogError } from '../errors.ts'
import type { Run } from '../op/run.ts'
import type { LateNote } from './late-record.ts'
import type { OpenedRun } from './seal.ts'

/** Why a batch is held and cannot be opened: a newer format, no key, or bytes that nobody can open. */
export type Parked = 'format' | 'key' | 'unopenable'

/** A run that is held and not projected, or a whole batch that is parked. */
export interface QueuedRun {
  /** undefined: parked, and why. */
  readonly opened: OpenedRun | undefined
  readonly parked: Parked | undefined
  readonly ops: number
  readonly toSeq: number
  readonly tag: Uint8Array
}

/** A run as it is meant, the chain hash after it, and the tag that its header has there. */
export interface VerifiedRun {
  /** Its `keyEpoch` is that of the tag. */
  readonly run: Run
  readonly hash: Uint8Array
  readonly tag: Uint8Array
  /** CUT11: what is told of it, which its chain fits. */
  readonly late?: LateNote
}

/** What of a branch is below a base (SPEC CUT). */
export interface BelowBase {
  /** Where the last run ends that is below it whole, and the tag there. */
  readonly seq: number
  readonly tag: Uint8Array
  /** The last op below it: it may be inside of the run that follows. */
  readonly lastSeq: number
  /** The shift that was in force there. */
  readonly shift: Hlc
}

export interface LogBranch {
  readonly id: DeviceId
  readonly device: DeviceId
  /** What it goes on from, after op `base`; undefined where it starts with nothing. */
  readonly parent: LogBranch | undefined
  readonly base: number
  /** The tag at `base`. */
  readonly baseTag: Uint8Array
  readonly certificate: Uint8Array
  /** What its device's chain begins with (OP3). */
  readonly start: Uint8Array
  readonly below?: BelowBase
  held: number
  /** The tag at the end of what was received last. */
  tip: { readonly seq: number; readonly tag: Uint8Array } | undefined
  /** Held and not projected, in seq order. */
  readonly queue: QueuedRun[]
  /** Where runs end inside of batches. Stores know no such places, and their tags are taken at their word until verified. */
  readonly inside: Set<number>
  /** The first of the queue that were verified: a group that is not complete yet. */
  verified: VerifiedRun[]
  /** Why the next run cannot be projected, whatever else is held so far: nothing that is held fits its chain. */
  stuck: DriftlogError | undefined
}

/** A branch as a local snapshot has it: nothing of it waits. */
export type SavedLogBranch = Omit<LogBranch, 'parent' | 'queue' | 'verified' | 'stuck'> & {
  readonly parent: DeviceId | undefined
}

export class BranchTree {
  readonly #branches = new Map<DeviceId, LogBranch>()
  readonly #byDevice = new Map<DeviceId, LogBranch[]>()
  readonly #children = new Map<LogBranch, LogBranch[]>()
  /** Device → its branches that start with nothing. */
  readonly #roots = new Map<DeviceId, LogBranch[]>()

  get(id: DeviceId): LogBranch | undefined {
    return this.#branches.get(id)
  }

  all(): IterableIterator<LogBranch> {
    return this.#branches.values()
  }

  devices(): IterableIterator<DeviceId> {
    return this.#byDevice.keys()
  }

  of(device: DeviceId): readonly LogBranch[] {
    return this.#byDevice.get(device) ?? []
  }

  add(branch: LogBranch): LogBranch {
    this.#branches.set(branch.id, branch)
    listed(this.#byDevice, branch.device).push(branch)
    if (branch.parent === undefined) listed(this.#roots, branch.device).push(branch)
    else listed(this.#children, branch.parent).push(branch)
    return branch
  }

  /** The branch of a device that holds a point as the end of a batch, as a store has it (ENV4); `tagAt` as of that branch. */
  find(
    device: DeviceId,
    seq: number,
    tag: Uint8Array,
    tagAt: (branch: LogBranch, seq: number) => Uint8Array | undefined,
  ): LogBranch | undefined {
    return this.of(device).find((branch) => {
      if (seq <= branch.base || seq > branch.held || branch.inside.has(seq)) return false
      const held = tagAt(branch, seq)
      return held !== undefined && equalBytes(held, tag)
    })
  }

  /**
   * The branches that an author may mean who names op `seq` of `name`: who does not know of a fork yet calls by the name of
   * the stem what goes on from it. `named`: the branch of that name, or that holds the stretch of that name.
   */
  meant(name: DeviceId, named: LogBranch | undefined, seq: number): LogBranch[] {
    const meant: LogBranch[] = []
    const next = named === undefined ? [...(this.#roots.get(name) ?? [])] : [named]
    for (let branch = next.pop(); branch !== undefined; branch = next.pop()) {
      if (seq <= branch.held) meant.push(branch)
      else for (const child of this.#children.get(branch) ?? []) if (seq > child.base) next.push(child)
    }
    return meant
  }
}

const listed = <K, V>(lists: Map<K, V[]>, key: K): V[] => {
  const known = lists.get(key)
  if (known !== undefined) return known
  const list: V[] = []
  lists.set(key, list)
  return list
}
