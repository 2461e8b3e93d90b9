/**
 * What is held, as trees: for every device its branches (SPEC BR1), each with what of it waits to be projected.
 */
import type { DeviceId } from '../clock/dot.ts'
import { equalBytes } from '../codec/bytes.ts'
import type { DriftlogError } from '../errors.ts'
import type { OpenedRun } from './seal.ts'

/** A run that is held and not projected, or a whole batch of an unknown format. */
export interface QueuedRun {
  /** undefined: of an unknown format. */
  readonly opened: OpenedRun | undefined
  readonly ops: number
  readonly toSeq: number
  readonly tag: Uint8Array
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
  held: number
  /** The tag at the end of what was received last. */
  tip: { readonly seq: number; readonly tag: Uint8Array } | undefined
  /** Held and not projected, in seq order. */
  readonly queue: QueuedRun[]
  /** Where runs end inside of batches. Stores know no such places, and their tags are taken at their word until verified. */
  readonly inside: Set<number>
  /** Why the next run cannot be projected, whatever else is held so far: nothing that is held fits its chain. */
  stuck: DriftlogError | undefined
}

export class BranchTree {
  readonly #branches = new Map<DeviceId, LogBranch>()
  readonly #byDevice = new Map<DeviceId, LogBranch[]>()

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
    const others = this.#byDevice.get(branch.device)
    if (others === undefined) this.#byDevice.set(branch.device, [branch])
    else others.push(branch)
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
   * the stem what goes on from it.
   */
  meant(name: DeviceId, seq: number): LogBranch[] {
    const named = this.#branches.get(name)
    if (named !== undefined && seq <= named.held) return [named]
    const tree = this.of(named?.device ?? name)
    return tree.filter(
      (branch) => seq > branch.base && seq <= branch.held && (named === undefined || isBelow(branch, named)),
    )
  }
}

const isBelow = (branch: LogBranch, above: LogBranch): boolean => {
  let at: LogBranch | undefined = branch
  while (at !== undefined && at !== above) at = at.parent
  return at !== undefined
}
