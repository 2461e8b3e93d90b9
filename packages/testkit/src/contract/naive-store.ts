/** What a store must say of batches, worked out from the ops in them rather than from tags, and anew each time: slow and plain. */
import type { AppendOutcome, DeviceId, Floor } from '@driftlog/core'
import type { TestBatch } from '../test-batches.ts'
import { type NaiveTree, naiveTree } from './naive-tree.ts'

/** What the model sees of a batch: the name of each op from the device's first to the last of the batch. */
export interface Candidate {
  readonly batch: TestBatch
  readonly history: readonly string[]
}

const upTo = ({ batch, history }: Candidate, seq: number): string =>
  [batch.header.device, ...history.slice(0, seq)].join()

const toEnd = (candidate: Candidate): string => upTo(candidate, candidate.batch.header.toSeq)

export class NaiveStore {
  /** All that were ever taken in, in that order. */
  readonly taken: readonly Candidate[]
  readonly pruned: ReadonlySet<Candidate>
  /** Names come from what is gone too. */
  readonly tree: NaiveTree

  constructor(taken: readonly Candidate[] = [], pruned: ReadonlySet<Candidate> = new Set()) {
    this.taken = taken
    this.pruned = pruned
    this.tree = naiveTree(taken.map(({ batch }) => batch))
  }

  nameOf(candidate: Candidate): DeviceId | undefined {
    return this.tree.names[this.taken.indexOf(candidate)]
  }

  get left(): Candidate[] {
    return this.taken.filter((candidate) => !this.pruned.has(candidate))
  }

  highestSeq(device: DeviceId): number {
    return Math.max(0, ...this.#of(device).map(({ batch }) => batch.header.toSeq))
  }

  get floors(): Map<DeviceId, Floor> {
    const floors = new Map<DeviceId, Floor>()
    for (const candidate of this.#floorBatches()) {
      const branch = this.nameOf(candidate)!
      const { header } = this.#firstOf(branch).batch
      const { toSeq: seq, tagAfter: tag, device } = candidate.batch.header
      floors.set(branch, { seq, tag, device, base: header.fromSeq - 1, baseTag: header.tagBefore })
    }
    return floors
  }

  /** Whether a batch that is there, or a floor, ends where this one does. */
  holdsEndOf(candidate: Candidate): boolean {
    return this.#isEnd(toEnd(candidate))
  }

  #isEnd(history: string): boolean {
    return [...this.left, ...this.#floorBatches()].some((other) => toEnd(other) === history)
  }

  /** The kind of the outcome, and what is held after it. */
  append(candidate: Candidate): [AppendOutcome['kind'], NaiveStore] {
    const { device, fromSeq } = candidate.batch.header
    if (this.floorOver(candidate) !== undefined) return ['below', this]
    if (this.holdsEndOf(candidate)) return ['duplicate', this]
    if (fromSeq > 1 && !this.#isEnd(upTo(candidate, fromSeq - 1))) {
      return [this.highestSeq(device) < fromSeq - 1 ? 'gap' : 'fork', this]
    }
    // The same first op here means the same first run: a part of it, or more, is held in another envelope.
    if (this.#of(device).some((other) => this.#beginsAlike(other, candidate))) return ['fork', this]
    return ['appended', new NaiveStore([...this.taken, candidate], this.pruned)]
  }

  /** STORE8, as a floor. */
  floorOver(candidate: Candidate): number | undefined {
    const { device, fromSeq } = candidate.batch.header
    const gone = this.#of(device).filter((other) => this.pruned.has(other))
    const floorOf = (other: Candidate): number => this.floors.get(this.nameOf(other)!)!.seq
    // Where its end is known, so is all before it.
    if (this.holdsEndOf(candidate)) {
      const at = gone.find(({ batch: { header } }, index) => {
        const isAround = header.fromSeq <= fromSeq && fromSeq <= header.toSeq
        return isAround && upTo(gone[index], fromSeq) === upTo(candidate, fromSeq)
      })
      return at && floorOf(at)
    }
    if (fromSeq === 1) {
      const root = gone.find((other) => other.batch.header.fromSeq === 1 && this.nameOf(other) === device)
      if (root !== undefined) return floorOf(root)
    }
    if (fromSeq === 1 || this.#isEnd(upTo(candidate, fromSeq - 1))) {
      const same = gone.find((other) => this.#beginsAlike(other, candidate))
      return same && floorOf(same)
    }
    const over = [...this.floors.values()].filter(
      (floor) => floor.device === device && floor.base < fromSeq - 1 && fromSeq - 1 < floor.seq,
    )
    return over.length === 0 ? undefined : Math.max(...over.map(({ seq }) => seq))
  }

  /** What goes by it, undefined where the point is unknown, and what is held after it. */
  prune(branch: DeviceId, point: Candidate): [readonly Candidate[] | undefined, NaiveStore] {
    const { toSeq } = point.batch.header
    const within = this.taken.filter((other) => this.nameOf(other) === branch)
    const floor = this.floors.get(branch)?.seq ?? 0
    if (toSeq < floor) return [[], this]
    const isHeld = within.some(
      (other) => toEnd(other) === toEnd(point) && (!this.pruned.has(other) || other.batch.header.toSeq === floor),
    )
    if (!isHeld) return [undefined, this]
    const going = within.filter((other) => other.batch.header.toSeq <= toSeq && !this.pruned.has(other))
    return [going, new NaiveStore(this.taken, new Set([...this.pruned, ...going]))]
  }

  #of(device: DeviceId): Candidate[] {
    return this.taken.filter(({ batch }) => batch.header.device === device)
  }

  #firstOf(branch: DeviceId): Candidate {
    return this.taken.find((candidate) => this.nameOf(candidate) === branch)!
  }

  /** Of each branch the last that was pruned. */
  #floorBatches(): Candidate[] {
    const last = new Map<DeviceId, Candidate>()
    for (const candidate of this.taken) if (this.pruned.has(candidate)) last.set(this.nameOf(candidate)!, candidate)
    return [...last.values()]
  }

  #beginsAlike(other: Candidate, candidate: Candidate): boolean {
    const { fromSeq } = candidate.batch.header
    return other.batch.header.fromSeq === fromSeq && upTo(other, fromSeq) === upTo(candidate, fromSeq)
  }
}
