/**
 * What state needs to know of each projected op: its author, seq and stamp, and what it had seen. Eight bytes an op,
 * and a vector for ops with heads.
 *
 * Ops are counted by branch; a branch goes on from an op of its parent, and whatever of it is asked for below its base is its
 * parent's. In this file "device" is such a branch; the one whose key signed it is its author.
 */
import { compareDevices, type DeviceId, type Dot } from '../clock/dot.ts'
import type { Hlc } from '../clock/hlc.ts'
import type { Role } from '../membership/entry.ts'
import type { SeenLate, SeenOf } from '../log/late-record.ts'
import { deviceOfRef, type DotRef, dotRef, seqOfRef } from '../op/dot-ref.ts'
import {
  createSeenHistory,
  joinSeen,
  nothingSeen,
  type SeenHistory,
  seenAt,
  type SeenVector,
  seenSeq,
  withSeen,
} from '../clock/seen.ts'

/** A branch as a local snapshot has it. */
export type SavedBranch = Pick<DeviceOps, 'id' | 'author' | 'parent' | 'base' | 'stamps' | 'elasticFrom' | 'seen'>

/** What a base tells of the ops after it (SPEC CUT4), beside the stamps of those below it that something still names. */
export interface SeenBelow {
  /** All that is below. */
  readonly whole: SeenVector
  /** What of it op `seq` of a branch had seen; undefined: no more than its predecessor. */
  at(branch: DeviceId, seq: number): SeenVector | undefined
  /** Whether an op after the base is known to be void. */
  isVoid(branch: DeviceId, seq: number): boolean
  /** Whether an op after the base may name one below it as a head. */
  mayName(branch: DeviceId, seq: number, head: DotRef): boolean
  /** Whether an op below had seen another, of those of which it matters. */
  saw(op: DotRef, other: DotRef): boolean
}

/** A branch as far as a base has it. */
export type BranchBelow = Pick<DeviceOps, 'id' | 'author' | 'parent' | 'base' | 'below' | 'elasticFrom'> & {
  /** By seq: of those that something still names. */
  readonly kept: ReadonlyMap<number, Hlc>
}

interface DeviceOps {
  readonly id: DeviceId
  readonly author: DeviceId
  /** Index of the branch that this one goes on from, -1 for none, and the last op of it that it has. */
  readonly parent: number
  readonly base: number
  /** How many it goes on from, one after the other; and one of them (itself where there is none) to jump to on the way up. */
  readonly depth: number
  readonly jump: number
  readonly children: number[]
  /** The last op that is below a base (SPEC CUT); `base` where there is none. */
  readonly below: number
  /** The effective stamps of those below that something still names. */
  readonly kept: ReadonlyMap<number, Hlc>
  /** The same of those that late ops name. */
  readonly named: Map<number, Hlc>
  /** Effective stamp of op `seq` at `seq - below - 1`. */
  readonly stamps: Hlc[]
  /** From this seq on, effective stamps may be others than those that the author wrote (BR2). */
  elasticFrom: number
  /** Of the ops after a base. */
  readonly seen: SeenHistory
  /** Whether the last op had seen all that is below a base. */
  isWhole: boolean
  /** From this seq on, ops are late (SPEC CUT11): what they had seen of the base is what these say, and their heads. */
  lateFrom: number
  /** Up to this one. */
  lateTo: number
  readonly late: Map<number, SeenVector>
}

const NOTHING_KEPT: ReadonlyMap<number, Hlc> = new Map()
const NEVER = Number.POSITIVE_INFINITY

export class OpIndex {
  /** Where the index goes on from a base. */
  seenBelow: SeenBelow | undefined
  readonly #devices: DeviceOps[] = []
  readonly #indexes = new Map<DeviceId, number>()
  /** Author → its branches that start with nothing. */
  readonly #roots = new Map<DeviceId, number[]>()
  /** What the author of an op might do when it wrote; undefined in a space without members. */
  roleAt: ((branch: DeviceId, seq: number) => Role | undefined) | undefined

  /** The small number of a device, given out in the order of first sight; local to this replica. */
  deviceIndex(device: DeviceId): number {
    return this.#indexes.get(device) ?? this.#add(device, device, -1, 0, createSeenHistory())
  }

  /** By index. */
  get saved(): readonly (SavedBranch & Pick<DeviceOps, 'below'>)[] {
    return this.#devices
  }

  /** The next branch of an index that is made from a local snapshot. */
  restore({ id, author, parent, base, stamps, elasticFrom, seen }: SavedBranch): void {
    this.#restored(this.#add(id, author, parent, base, seen, { below: base, kept: NOTHING_KEPT, stamps }), elasticFrom)
  }

  /** The next branch of an index that goes on from a base. */
  restoreBelow({ id, author, parent, base, below, kept, elasticFrom }: BranchBelow): void {
    this.#restored(this.#add(id, author, parent, base, createSeenHistory(), { below, kept, stamps: [] }), elasticFrom)
  }

  /** SPEC CUT11: a run of a branch comes next that is late. */
  takeLate(device: number, fromSeq: number, { toSeq, before, ops, stamps }: SeenLate): void {
    if (this.seenBelow === undefined) return
    const own = this.#devices[device]
    own.lateFrom = Math.min(own.lateFrom, fromSeq)
    own.lateTo = toSeq
    this.#seeBefore(device, this.#belowOf(before))
    for (const { op, seen } of ops) own.late.set(fromSeq + op, this.#belowOf(seen))
    for (const { branch, seq, stamp } of stamps) {
      const index = this.#indexes.get(branch)
      if (index === undefined || !this.isBelow(dotRef(index, seq))) continue
      const { kept, named } = this.#devices[index]
      if (!kept.has(seq)) named.set(seq, stamp)
    }
  }

  /** What the last op of a branch had seen of the base: not known where it is below it, or void and all that is above it, too. */
  #seeBefore(device: number, before: SeenVector): void {
    const { seqs, vectors } = this.#devices[device].seen
    const last = this.lastSeen(device)
    const joined = joinSeen(last, before)
    if (joined === last) return
    const seq = this.projectedSeq(device)
    if (seqs.length > 0 && seqs[seqs.length - 1] >= seq) vectors[vectors.length - 1] = joined
    else {
      seqs.push(seq)
      vectors.push(joined)
    }
  }

  /** Of what is told as seen, what is below the base. */
  #belowOf(seen: SeenOf): SeenVector {
    let vector = nothingSeen
    for (const [branch, seq] of seen) {
      const index = this.#indexes.get(branch)
      if (index === undefined || !this.isOnBase(index)) continue
      const upTo = Math.min(seq, this.#devices[index].below)
      if (upTo > this.#devices[index].base) vector = withSeen(vector, index, upTo)
    }
    return vector
  }

  #restored(index: number, elasticFrom: number): void {
    const { parent } = this.#devices[index]
    this.#devices[index].elasticFrom = elasticFrom
    if (parent >= 0) this.#devices[parent].children.push(index)
  }

  #add(
    id: DeviceId,
    author: DeviceId,
    parent: number,
    base: number,
    seen: SeenHistory,
    ops: Pick<DeviceOps, 'below' | 'kept' | 'stamps'> = { below: base, kept: NOTHING_KEPT, stamps: [] },
  ): number {
    const elasticFrom = Number.POSITIVE_INFINITY
    const index = this.#devices.length
    const [depth, jump] = parent < 0 ? [0, index] : this.#jumpBelow(parent)
    const own = { id, author, parent, base, depth, jump, children: [], ...ops }
    this.#devices.push({
      ...own,
      elasticFrom,
      seen,
      isWhole: false,
      named: new Map(),
      lateFrom: NEVER,
      lateTo: NEVER,
      late: new Map(),
    })
    this.#indexes.set(id, index)
    if (parent >= 0) return index
    const roots = this.#roots.get(author)
    if (roots === undefined) this.#roots.set(author, [index])
    else roots.push(index)
    return index
  }

  // Jumps of 1, 3, 7 … branches (Myers, "An applicative random-access stack", 1983): any way up has logarithmically many steps.
  #jumpBelow(parent: number): readonly [depth: number, jump: number] {
    const { depth, jump } = this.#devices[parent]
    const next = this.#devices[jump]
    const isEven = depth - next.depth === next.depth - this.#devices[next.jump].depth
    return [depth + 1, isEven && depth > 0 ? next.jump : parent]
  }

  /**
   * The nearest of a branch and those that it goes on from that is not past. Where one is past, so are all below it; one that
   * starts with nothing never is. Members choose how deep branches nest: nothing here may recurse or walk them all.
   */
  nearest(device: number, isPast: (device: number) => boolean): number {
    let at = device
    while (isPast(at)) {
      const { parent, jump } = this.#devices[at]
      at = isPast(jump) ? jump : parent
    }
    return at
  }

  /** The number of a branch; undefined where nothing of it is projected or has begun. */
  indexOf(device: DeviceId): number | undefined {
    return this.#indexes.get(device)
  }

  /** Makes a branch known that goes on from op `base` of `parent`, which is projected; from nothing where that is undefined. */
  begin(branch: DeviceId, author: DeviceId, parent: DeviceId | undefined, base: number): void {
    const seen = createSeenHistory()
    if (parent === undefined) {
      this.#add(branch, author, -1, 0, seen)
      return
    }
    const from = this.deviceIndex(parent)
    seen.seqs.push(base + 1)
    seen.vectors.push(this.joinHead(nothingSeen, from, base))
    const index = this.#add(branch, author, from, base, seen)
    this.#devices[from].children.push(index)
    // What goes on from a late op is late.
    if (this.#isLate(deviceOfRef(this.refAt(from, base)), base)) this.#devices[index].lateFrom = base + 1
  }

  deviceId(index: number): DeviceId {
    return this.#devices[index].id
  }

  /** Whose key signed the ops of a branch. */
  authorId(index: number): DeviceId {
    return this.#devices[index].author
  }

  /** Branches that go on from ops of this one. */
  childrenOf(index: number): readonly number[] {
    return this.#devices[index].children
  }

  /** What a name stands for to who does not know of forks: the branch of that name, or all with which its device starts. */
  named(name: DeviceId): readonly number[] {
    const index = this.#indexes.get(name)
    return index === undefined ? (this.#roots.get(name) ?? []) : [index]
  }

  /** Branches by id. */
  compareIds(a: number, b: number): number {
    return compareDevices(this.deviceId(a), this.deviceId(b))
  }

  refOf(dot: Dot): DotRef {
    return this.refAt(this.deviceIndex(dot.device), dot.seq)
  }

  /** The op at `seq` of a branch or, below its base, of what it goes on from. */
  refAt(device: number, seq: number): DotRef {
    if (seq > this.#devices[device].base) return dotRef(device, seq)
    const isPast = (at: number): boolean => seq <= this.#devices[at].base && this.#devices[at].parent >= 0
    return dotRef(this.nearest(device, isPast), seq)
  }

  roleOf(ref: DotRef): Role | undefined {
    return this.roleAt?.(this.deviceId(deviceOfRef(ref)), seqOfRef(ref))
  }

  dotOf(ref: DotRef): Dot {
    return { device: this.deviceId(deviceOfRef(ref)), seq: seqOfRef(ref) }
  }

  /** The op that a branch goes on from; undefined where it starts with nothing. */
  beginningOf(device: number): DotRef | undefined {
    const { parent, base } = this.#devices[device]
    return parent < 0 ? undefined : this.refAt(parent, base)
  }

  get deviceCount(): number {
    return this.#devices.length
  }

  projectedSeq(device: number): number {
    return this.#devices[device].below + this.#devices[device].stamps.length
  }

  /** 0, before everything, for an op below a base that nothing there names. */
  stamp(ref: DotRef): Hlc {
    const { stamps, below, kept, named } = this.#devices[deviceOfRef(ref)]
    const seq = seqOfRef(ref)
    return seq > below ? stamps[seq - below - 1] : (kept.get(seq) ?? named.get(seq) ?? 0)
  }

  /** Whether a branch began below the base that the index goes on from. */
  isOnBase(device: number): boolean {
    return this.#devices[device].below > this.#devices[device].base
  }

  /** Whether an op is below the base that the index goes on from. */
  isBelow(ref: DotRef): boolean {
    const device = deviceOfRef(ref)
    return this.isOnBase(device) && seqOfRef(ref) <= this.#devices[device].below
  }

  /** The stamp of the last projected op of a branch; -1 where there is none. */
  lastStamp(device: number): Hlc {
    const { stamps, base } = this.#devices[device]
    if (stamps.length > 0) return stamps[stamps.length - 1]
    if (this.projectedSeq(device) > base) return this.stamp(dotRef(device, this.projectedSeq(device)))
    const beginning = this.beginningOf(device)
    return beginning === undefined ? -1 : this.stamp(beginning)
  }

  /** Whether the effective stamp of an op may be another than the one that its author wrote. */
  isElastic(ref: DotRef): boolean {
    return seqOfRef(ref) >= this.#devices[deviceOfRef(ref)].elasticFrom
  }

  /** The same of the last projected op of a branch. */
  isLastElastic(device: number): boolean {
    const { elasticFrom, base } = this.#devices[device]
    if (this.projectedSeq(device) > base) return this.projectedSeq(device) >= elasticFrom
    const beginning = this.beginningOf(device)
    return beginning !== undefined && this.isElastic(beginning)
  }

  /** Ops from `fromSeq` on are not stamped as their author wrote, or follow one that is not. */
  setElastic(device: number, fromSeq: number): void {
    const ops = this.#devices[device]
    ops.elasticFrom = Math.min(ops.elasticFrom, fromSeq)
  }

  /** The total order of ops: stamp, then author, then seq, then branch. */
  compare(a: DotRef, b: DotRef): number {
    return this.stamp(a) - this.stamp(b) || this.#compareDots(a, b)
  }

  #compareDots(a: DotRef, b: DotRef): number {
    const left = this.#devices[deviceOfRef(a)]
    const right = this.#devices[deviceOfRef(b)]
    return compareDevices(left.author, right.author) || seqOfRef(a) - seqOfRef(b) || compareDevices(left.id, right.id)
  }

  /** What the device's last projected op had seen. */
  lastSeen(device: number): SeenVector {
    const { seen } = this.#devices[device]
    return seen.vectors.length === 0 ? nothingSeen : seen.vectors[seen.vectors.length - 1]
  }

  /** What the next op of a device, at `seq`, had seen before its heads are looked at. */
  seenBefore(device: number, seq: number): SeenVector {
    const { id, isWhole, late } = this.#devices[device]
    const last = this.lastSeen(device)
    const more = this.#isLate(device, seq) ? late.get(seq) : isWhole ? undefined : this.seenBelow?.at(id, seq)
    return more === undefined ? last : joinSeen(last, more)
  }

  /** Whether an op of a branch, projected, is told to be late (SPEC CUT11). */
  isLate(branch: DeviceId, seq: number): boolean {
    const device = this.#indexes.get(branch)
    return device !== undefined && this.#isLate(device, seq)
  }

  #isLate(device: number, seq: number): boolean {
    const { lateFrom, lateTo } = this.#devices[device]
    return seq >= lateFrom && seq <= lateTo
  }

  /** Whether the base that the index goes on from says that an op is void. */
  isToldVoid(device: number, seq: number): boolean {
    return this.seenBelow?.isVoid(this.deviceId(device), seq) === true
  }

  /** Whether the next op of a device, at `seq`, may name a head: what it had seen below a base is not all known (CUT7). */
  mayName(device: number, seq: number, head: DotRef): boolean {
    if (!this.isBelow(head) || this.#isLate(device, seq)) return true
    return this.seenBelow?.mayName(this.deviceId(device), seq, head) === true
  }

  /** Whether op `seq` of a branch saw more of any branch than `vector` has of it. undefined: it is not projected, or below a base. */
  sawBeyond(branch: DeviceId, seq: number, vector: ReadonlyMap<DeviceId, number>): boolean | undefined {
    const index = this.#indexes.get(branch)
    if (index === undefined || seq > this.projectedSeq(index) || this.isBelow(dotRef(index, seq))) return undefined
    const seen = seenAt(this.#devices[index].seen, seq)
    for (const [other, upTo] of vector) {
      const device = this.#indexes.get(other)
      if (device !== undefined && seenSeq(seen, device) > upTo) return true
    }
    return false
  }

  /** Whether an op, projected, had seen another, or is it. */
  saw(op: DotRef, other: DotRef): boolean {
    const device = deviceOfRef(op)
    const seq = seqOfRef(op)
    if (this.isBelow(op) && deviceOfRef(other) !== device) return this.seenBelow?.saw(op, other) === true
    return sees(seenAt(this.#devices[device].seen, seq), device, seq, other)
  }

  /** What an op, projected, had seen of the branches of `of`: the highest seq of each. Of one below a base only its own branch is told. */
  seenOf(op: DotRef, of: Iterable<number>): Map<DeviceId, number> {
    const device = deviceOfRef(op)
    const seen = seenAt(this.#devices[device].seen, seqOfRef(op))
    const vector = new Map<DeviceId, number>()
    for (const other of of) {
      const seq = other === device ? seqOfRef(op) - 1 : seenSeq(seen, other)
      if (seq > 0) vector.set(this.deviceId(other), seq)
    }
    return vector
  }

  /** `seen`, joined with an op of `device` at `seq` and all that it had seen. */
  joinHead(seen: SeenVector, device: number, seq: number): SeenVector {
    return withSeen(joinSeen(seen, seenAt(this.#devices[device].seen, seq)), device, seq)
  }

  /** Takes in the next op of a device. `seen` is the vector of its predecessor where it has no heads. */
  append(device: number, stamp: Hlc, seen: SeenVector): DotRef {
    const ops = this.#devices[device]
    const seq = ops.below + ops.stamps.push(stamp)
    if (!ops.isWhole && this.seenBelow !== undefined) ops.isWhole = joinSeen(seen, this.seenBelow.whole) === seen
    if (seen !== this.lastSeen(device)) {
      ops.seen.seqs.push(seq)
      ops.seen.vectors.push(seen)
    }
    return dotRef(device, seq)
  }
}

/** Whether an op of `device` at `seq`, with vector `seen`, had seen `ref`, or is it. */
export const sees = (seen: SeenVector, device: number, seq: number, ref: DotRef): boolean => {
  const other = deviceOfRef(ref)
  return other === device ? seqOfRef(ref) <= seq : seenSeq(seen, other) >= seqOfRef(ref)
}
