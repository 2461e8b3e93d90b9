/**
 * The names that stretches of held branches have for who knows of a fork that this replica does not know of (BR1): each run
 * of a branch may be the first of such a stretch, and a name cannot be traced back to what it was derived from. So they are
 * all derived, once each, from when the first name shows up that is not that of a held branch.
 */
import type { DeviceId } from '../clock/dot.ts'
import { branchId } from './branch.ts'
import type { LogBranch } from './branch-tree.ts'

/** Where a verified or queued run of a branch ends, and the tag there. */
export interface RunEnd {
  readonly toSeq: number
  readonly tag: Uint8Array
}

export class StretchNames {
  /** The ends of the runs of a branch that end above `seq`, rising. */
  readonly #endsAbove: (branch: LogBranch, seq: number) => Iterable<RunEnd>
  readonly #holders = new Map<DeviceId, LogBranch>()
  /** Branches with runs whose names are not derived yet, and how far they are in each. */
  readonly #behind = new Set<LogBranch>()
  readonly #done = new Map<LogBranch, RunEnd>()
  /** Derived since they were taken last. */
  #new: DeviceId[] = []

  constructor(endsAbove: (branch: LogBranch, seq: number) => Iterable<RunEnd>) {
    this.#endsAbove = endsAbove
  }

  /** More of a branch is held. */
  grown(branch: LogBranch): void {
    this.#behind.add(branch)
  }

  /** The branch that holds the stretch of that name. */
  holder(name: DeviceId): LogBranch | undefined {
    this.#derive()
    return this.#holders.get(name)
  }

  /** The names that came with what was held since. */
  takeNew(): readonly DeviceId[] {
    this.#derive()
    const taken = this.#new
    this.#new = []
    return taken
  }

  #derive(): void {
    for (const branch of this.#behind) {
      let done = this.#done.get(branch) ?? beginningOf(branch)
      for (const end of this.#endsAbove(branch, done.toSeq)) {
        const name = branchId(branch.device, done.toSeq, done.tag, end.tag)
        this.#holders.set(name, branch)
        this.#new.push(name)
        done = end
      }
      this.#done.set(branch, done)
      // An own run that is not sealed yet has no end.
      if (done.toSeq === branch.held) this.#behind.delete(branch)
    }
  }
}

/** Runs below a base have no names any more. */
const beginningOf = ({ below, base, baseTag }: LogBranch): RunEnd =>
  below === undefined ? { toSeq: base, tag: baseTag } : { toSeq: below.seq, tag: below.tag }
