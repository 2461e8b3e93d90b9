/**
 * Drives the cells: applies ops in a causal order, each once, and judges which are void (SPEC OP5, OP6, OP7).
 *
 * Invariants:
 * - `projected` is causally closed (SEEN2): the caller hands in an op only when all that it saw is projected;
 * - a void op keeps its seq, has no effect, and counts as having seen only its predecessor, stamped just above it;
 * - whether an op is void follows from its bytes and its causal past alone, so all replicas agree.
 */
import { type Applied, type CellChange, CellState, columnOf } from '../cells/cell-state.ts'
import { OpIndex, sees } from '../cells/ops.ts'
import { type DotRef, deviceOfRef, dotRef, seqOfRef } from '../op/dot-ref.ts'
import type { Row } from '../cells/row.ts'
import type { DeviceId, Dot } from '../clock/dot.ts'
import { advanceFrontier, type Frontier } from '../clock/frontier.ts'
import type { Hlc } from '../clock/hlc.ts'
import { nothingSeen, type SeenVector, seenSeq } from '../clock/seen.ts'
import { DriftlogError } from '../errors.ts'
import { fitsLaw } from '../laws/cell-laws.ts'
import type { RowChanges } from '../op/author.ts'
import type { SeenLate } from '../log/late-record.ts'
import type { RoleOf } from '../log/op-log.ts'
import { isRowLevel, Law } from '../op/law.ts'
import { firstChange, firstHead, HANDLE, NEW_ROW, opCount, type Run, SAME_ROW, type Shape } from '../op/run.ts'
import { MAX_GROUP_OPS, MAX_OP_BYTES } from '../op/run-codec.ts'

/** Rows that a branch introduced, in order, and the seq of the op that did; the first one is number `from` of its history. */
interface Introduced {
  readonly from: number
  readonly rows: Row[]
  readonly seqs: number[]
}

/** A shift (BR2) that is in force from an op of a branch on. */
interface ShiftInForce {
  readonly fromSeq: number
  readonly shift: Hlc
  readonly floor: Hlc
}

/** What a fold of a base asks of a projection (SPEC CUT4). */
export interface FoldWatch {
  /** What ops stamped above it change is not taken into the cells. */
  readonly cut: Hlc
  /** Void ops stamped above it. */
  readonly voids: DotRef[]
}

interface Reach {
  readonly device: number
  readonly seen: SeenVector
  readonly branches: Map<DeviceId, readonly number[]>
}

interface Judged {
  readonly run: Run
  readonly op: number
  readonly isVoid: boolean
  readonly stamp: Hlc
  readonly seen: SeenVector
  readonly heads: readonly Dot[]
  /** The row of each change. Empty where void. */
  readonly rows: readonly Row[]
}

const NO_HEADS: readonly Dot[] = []

export class Projector {
  readonly ops = new OpIndex()
  askRoles(roleOf: RoleOf): void {
    this.ops.roleAt = roleOf
  }

  /** Told of every change of an op that is not void, once it is in the cells. */
  onApply: ((row: Row, change: CellChange, op: Applied) => void) | undefined
  readonly cells: CellState
  readonly projected = new Map<DeviceId, number>()
  readonly frontier: Frontier = new Map()
  readonly #introduced: Introduced[] = []
  /** By branch, rising; the last counts. */
  readonly #shifts: ShiftInForce[][] = []
  readonly #columns = new WeakMap<Shape, number>()
  /** Set before anything is projected. */
  watch: FoldWatch | undefined
  /** What the op that is judged saw of branches that a name may stand for: asked for each of its handles. */
  #reach: Reach = { device: -1, seen: nothingSeen, branches: new Map() }
  /** The highest effective stamp projected. */
  highest: Hlc = 0
  /** The highest version of a schema that somebody wrote with. */
  schemaVersion = 0
  voidCount = 0

  /** `before`: of a projection of the same space of which this one takes the place. */
  constructor(before?: Projector) {
    this.cells = new CellState(this.ops, before?.cells)
  }

  /** What a local snapshot takes and fills in beside what is public. By branch. */
  get saved(): { readonly introduced: Introduced[]; readonly shifts: ShiftInForce[][] } {
    this.cells.awaken()
    return { introduced: this.#introduced, shifts: this.#shifts }
  }

  /**
   * Makes a branch known, before its first run is projected: it goes on from op `base` of `parent`, which is projected, or,
   * where that is undefined, from nothing.
   */
  begin(branch: DeviceId, author: DeviceId, parent: DeviceId | undefined, base: number): void {
    if (this.ops.indexOf(branch) !== undefined) return
    this.ops.begin(branch, author, parent, base)
    if (parent === undefined) return
    const before = deviceOfRef(this.ops.refAt(this.ops.deviceIndex(parent), base))
    const { from, seqs } = this.#introducedBy(before)
    const device = this.ops.deviceIndex(branch)
    // Only where they begin and what counts there: copies of all that is before would make nested branches quadratic.
    this.#introduced[device] = { from: from + seqs.findLastIndex((seq) => seq <= base) + 1, rows: [], seqs: [] }
    const shift = this.#shifts[before]?.findLast(({ fromSeq }) => fromSeq <= base)
    this.#shifts[device] = shift === undefined ? [] : [shift]
  }

  /** BR2: the stamps of a branch from `fromSeq` on, which is not projected yet, are shifted. Of several the largest counts. */
  shift(branch: DeviceId, fromSeq: number, shift: Hlc, floor: Hlc): void {
    const shifts = (this.#shifts[this.ops.deviceIndex(branch)] ??= [])
    const before = shifts.at(-1)
    shifts.push({ fromSeq, shift: Math.max(shift, before?.shift ?? 0), floor: Math.max(floor, before?.floor ?? 0) })
  }

  /** CUT11: a run that comes next in a branch is late. */
  late(branch: DeviceId, fromSeq: number, late: SeenLate): void {
    this.ops.takeLate(this.ops.deviceIndex(branch), fromSeq, late)
  }

  /** By how much the next stamps of a branch are shifted. */
  shiftOf(branch: DeviceId): Hlc {
    const device = this.ops.indexOf(branch)
    return device === undefined ? 0 : (this.#shifts[device]?.at(-1)?.shift ?? 0)
  }

  /** Projects consecutive runs of one branch whole. A group that goes on from one run into the next comes in one call. */
  project(runs: readonly Run[]): void {
    let group: Judged[] = []
    for (const run of runs) {
      for (let op = this.#firstNew(run); op < opCount(run); op++) {
        const left = run.groupLeft[op]
        if (left === 0 && group.length === 0) {
          this.#commit(this.#judge(run, op, undefined))
          continue
        }
        const continues = group.length > 0 && left === groupLeftOf(group[group.length - 1]) - 1
        if (group.length > 0 && !continues) {
          // The group before ends too early.
          this.#commitGroup(group, true)
          group = []
          op--
          continue
        }
        group.push(this.#judge(run, op, group[0]))
        if (left <= 1) {
          this.#commitGroup(group, !isGroupCount(groupLeftOf(group[0])))
          group = []
        }
      }
    }
    if (group.length > 0) this.#commitGroup(group, true)
  }

  /** The first op of a run that is not projected: a run may begin below the base that the projection goes on from. */
  #firstNew({ device, fromSeq }: Run): number {
    if (this.ops.seenBelow === undefined) return 0
    return Math.max(0, this.ops.projectedSeq(this.ops.deviceIndex(device)) + 1 - fromSeq)
  }

  /** Throws VALUE_INVALID for a change that would make its op void, wherever it is read (CELL12). */
  expectFit(rows: readonly RowChanges[]): void {
    for (const { shapes, values } of rows) {
      for (let index = 0; index < shapes.length; index++) {
        const { law, table, path } = shapes[index]
        if (law === Law.set || isRowLevel(law) || fitsLaw(law, path, values[index])) continue
        throw new DriftlogError('VALUE_INVALID', `${table}.${path.join('.')}: law ${law} does not take this`, {
          table,
          path,
        })
      }
    }
  }

  /** Projects one op that this replica just wrote. */
  projectOwn(run: Run, op: number): void {
    const judged = this.#judge(run, op, undefined)
    if (judged.isVoid) throw new Error('an own op would be void')
    this.#commit(judged)
  }

  /** Projects a group that this replica just wrote: ops `[from, to)` of a run. */
  projectOwnGroup(run: Run, from: number, to: number): void {
    const group: Judged[] = []
    for (let op = from; op < to; op++) group.push(this.#judge(run, op, group[0]))
    this.#commitGroup(group, false)
  }

  #commitGroup(group: readonly Judged[], isBroken: boolean): void {
    const isVoid = isBroken || group.some((judged) => judged.isVoid)
    group.forEach((judged, index) => this.#commit(isVoid ? { ...judged, isVoid } : judged, index > 0))
  }

  /** `first`: the first op of the group that this op is a later part of. */
  #judge(run: Run, op: number, first: Judged | undefined): Judged {
    const device = this.ops.deviceIndex(run.device)
    const seq = run.fromSeq + op
    const written = run.hlc[op]
    const shift = this.#shifts[device]?.findLast(({ fromSeq }) => fromSeq <= seq)
    let isVoid = run.voids.has(op) || run.opBytes[op] > MAX_OP_BYTES
    // Of a void group that a base divides the beginning is not here: that it is void, and from where on stamps are elastic, is told.
    const isToldVoid = this.ops.isToldVoid(device, seq)
    if (isToldVoid) isVoid = true
    let seen = first === undefined ? this.ops.seenBefore(device, seq) : first.seen
    let heads = NO_HEADS
    // The highest stamps of what it saw: of ops that stand as they were written, and of others.
    let firm = -1
    let elastic = -1

    const headFrom = firstHead(run, op)
    const headTo = run.headEnd[op]
    if (headTo > headFrom) {
      const named: Dot[] = []
      for (let head = headFrom; head < headTo; head++) {
        const ref = this.ops.refOf({ device: run.devices[run.headDevice[head]], seq: run.headSeq[head] })
        const other = deviceOfRef(ref)
        if (other === device || first !== undefined) {
          isVoid = true
          continue
        }
        if (seenSeq(this.ops.lastSeen(device), other) >= seqOfRef(ref)) isVoid = true
        if (!this.ops.mayName(device, seq, ref)) isVoid = true
        if (this.ops.isElastic(ref)) elastic = Math.max(elastic, this.ops.stamp(ref))
        else firm = Math.max(firm, this.ops.stamp(ref))
        seen = this.ops.joinHead(seen, other, seqOfRef(ref))
        named.push(this.ops.dotOf(ref))
      }
      heads = named
    }
    let stamp = written
    if (first !== undefined) {
      stamp = first.stamp
      if (written !== first.run.hlc[first.op]) isVoid = true
    } else {
      if (this.ops.isLastElastic(device)) elastic = Math.max(elastic, this.ops.lastStamp(device))
      else firm = Math.max(firm, this.ops.lastStamp(device))
      // OP5: above what it saw; where that does not stand as it was written, or the op does not, it is lifted (BR2).
      if (shift === undefined && written <= firm) isVoid = true
      if (shift !== undefined || written <= elastic) {
        stamp = Math.max(written - (shift?.shift ?? 0), shift?.floor ?? 0, firm + 1, elastic + 1)
        if (stamp !== written && !(isToldVoid && this.ops.isOnBase(device))) this.ops.setElastic(device, seq)
      }
    }

    const rows = this.#resolveRows(run, op, device, seq, seen)
    return { run, op, isVoid: isVoid || rows === undefined, stamp, seen, heads, rows: rows ?? [] }
  }

  /** The rows of an op's changes; undefined where one of its changes makes the op void. Introduces rows in any case. */
  #resolveRows(run: Run, op: number, device: number, seq: number, seen: SeenVector): Row[] | undefined {
    const first = firstChange(run, op)
    const rows = new Array<Row>(run.changeEnd[op] - first)
    let isVoid = false
    let row: Row | undefined
    for (let change = first; change < run.changeEnd[op]; change++) {
      const shape = run.shapes[run.shape[change]]
      const kind = run.rowKind[change]
      if (kind === NEW_ROW) row = this.#introduce(run, change, device, seq)
      else if (kind !== SAME_ROW) {
        row = this.#rowOf(run.devices[kind - HANDLE], run.rowOrdinal[change], { device, seq, seen })
      }
      if (row === undefined || row.table.name !== shape.table) isVoid = true
      else rows[change - first] = row
      const { law } = shape
      if (law !== Law.set && !isRowLevel(law) && !fitsLaw(law, shape.path, run.value[change])) isVoid = true
      const over = run.over.size === 0 ? undefined : run.over.get(change)
      if (over?.some((dot) => !this.#hadSeen(seen, device, seq - 1, dot))) isVoid = true
    }
    return isVoid ? undefined : rows
  }

  /**
   * The row that a handle names: one that the op saw being introduced. An author who did not know of a fork yet names the
   * branch that it had by the device, so what goes on from it is looked at too.
   */
  #rowOf(name: DeviceId, ordinal: number, op: { device: number; seq: number; seen: SeenVector }): Row | undefined {
    for (const branch of this.#reachOf(name, op.device, op.seen)) {
      const { from, rows, seqs } = this.#introducedBy(branch)
      const at = ordinal - from
      if (at >= 0 && at < rows.length && sees(op.seen, op.device, op.seq, dotRef(branch, seqs[at]))) return rows[at]
    }
    // Below where a branch begins, its numbers are those of what it goes on from.
    const [named] = this.ops.indexOf(name) === undefined ? [] : this.ops.named(name)
    if (named === undefined || ordinal >= this.#introducedBy(named).from) return undefined
    const holder = this.ops.nearest(named, (branch) => ordinal < this.#introducedBy(branch).from)
    const { from, rows, seqs } = this.#introducedBy(holder)
    const isSeen = sees(op.seen, op.device, op.seq, dotRef(holder, seqs[ordinal - from]))
    return isSeen ? rows[ordinal - from] : undefined
  }

  /**
   * The branch of a name, or those with which its device starts, and what goes on from them, as far as an op of `device` saw
   * it: each before what goes on from it, siblings by id.
   */
  #reachOf(name: DeviceId, device: number, seen: SeenVector): readonly number[] {
    if (this.#reach.device !== device || this.#reach.seen !== seen) this.#reach = { device, seen, branches: new Map() }
    const known = this.#reach.branches.get(name)
    if (known !== undefined) return known
    // Who saw an op of a branch saw what that goes on from, so what is below an unseen branch is unseen.
    const seenOf = (branches: readonly number[]): number[] =>
      branches
        .filter((branch) => branch === device || seenSeq(seen, branch) > 0)
        .sort((a, b) => this.ops.compareIds(b, a))
    const reached: number[] = []
    const next = seenOf(this.ops.named(name))
    for (let branch = next.pop(); branch !== undefined; branch = next.pop()) {
      reached.push(branch)
      for (const child of seenOf(this.ops.childrenOf(branch))) next.push(child)
    }
    this.#reach.branches.set(name, reached)
    return reached
  }

  #introducedBy(device: number): Introduced {
    this.cells.awaken()
    return (this.#introduced[device] ??= { from: 0, rows: [], seqs: [] })
  }

  /** How much of a branch the last projected op of another one saw. */
  seenBy(branch: DeviceId, other: DeviceId): number {
    const device = this.ops.indexOf(branch)
    const of = this.ops.indexOf(other)
    return device === undefined || of === undefined ? 0 : seenSeq(this.ops.lastSeen(device), of)
  }

  // A seq that nothing has reached is not turned into a ref: beyond 2^32 it would be the ref of another device's op.
  #hadSeen(seen: SeenVector, device: number, seq: number, dot: Dot): boolean {
    const other = this.ops.indexOf(dot.device)
    if (other === undefined || dot.seq < 1 || dot.seq > (other === device ? seq : this.ops.projectedSeq(other)))
      return false
    return sees(seen, device, seq, this.ops.refOf(dot))
  }

  #introduce(run: Run, change: number, device: number, seq: number): Row {
    const { table } = run.shapes[run.shape[change]]
    const row = this.cells.row(this.cells.table(table), run.rowId[change])
    const introduced = this.#introducedBy(device)
    const ordinal = introduced.from + introduced.rows.push(row) - 1
    introduced.seqs.push(seq)
    if (row.introducer < 0) {
      row.introducer = device
      row.ordinal = ordinal
    }
    return row
  }

  /** `isContinued`: a later op of a group, of which only the first has heads. */
  #commit(judged: Judged, isContinued = false): void {
    const { run, op } = judged
    const device = this.ops.deviceIndex(run.device)
    const seq = run.fromSeq + op
    if (this.ops.projectedSeq(device) !== seq - 1) throw new Error(`projected out of order: ${run.device} ${seq}`)
    this.projected.set(run.device, seq)
    const heads = isContinued ? NO_HEADS : this.#headsOf(judged, device)
    if (judged.isVoid) {
      const stamp = this.ops.lastStamp(device) + 1
      if (this.watch === undefined || stamp <= this.watch.cut) this.voidCount++
      else this.watch.voids.push(dotRef(device, seq))
      if (this.ops.isLastElastic(device)) this.ops.setElastic(device, seq)
      this.ops.append(device, stamp, this.ops.lastSeen(device))
      // Who writes next has seen it, and must be stamped above it.
      this.highest = Math.max(this.highest, stamp)
      advanceFrontier(this.frontier, run.device, seq, heads)
      return
    }
    const ref = this.ops.append(device, judged.stamp, judged.seen)
    this.highest = Math.max(this.highest, judged.stamp)
    advanceFrontier(this.frontier, run.device, seq, heads)
    if (this.watch !== undefined && judged.stamp > this.watch.cut) return
    this.schemaVersion = Math.max(this.schemaVersion, run.schemaVersion[op])
    this.#applyChanges(judged, { ref, device, seq, seen: judged.seen })
  }

  /** What the op takes from the frontier beside its predecessor in the branch: a void op has seen nothing else. */
  #headsOf({ isVoid, heads }: Judged, device: number): readonly Dot[] {
    const named = isVoid ? NO_HEADS : heads
    const beginning = this.ops.beginningOf(device)
    const isFirst = beginning !== undefined && this.ops.projectedSeq(device) === seqOfRef(beginning)
    return isFirst ? [...named, this.ops.dotOf(beginning)] : named
  }

  #applyChanges({ run, op, rows }: Judged, applied: Applied): void {
    const { cells } = this
    const first = firstChange(run, op)
    const end = run.changeEnd[op]
    // The row that takes plain changes (see `beginPlain`): mostly all of an op are to one.
    let plain: Row | undefined
    for (let change = first; change < end; change++) {
      const shape = run.shapes[run.shape[change]]
      const row = rows[change - first]
      const over = run.over.size === 0 ? undefined : run.over.get(change)
      const column = this.#column(shape, row)
      const value = run.value[change]
      const { law } = shape
      if (over === undefined && (law === Law.set || law === Law.insert)) {
        if (plain !== row) plain = cells.beginPlain(row, applied) ? row : undefined
      } else {
        plain = undefined
      }
      if (plain !== undefined && law === Law.set) cells.takePlain(row, column, value, applied)
      if (plain !== undefined && this.onApply === undefined) continue
      const made: CellChange = { shape, column, value, over }
      if (plain === undefined) cells.apply(row, made, applied)
      this.onApply?.(row, made, applied)
    }
  }

  /** The column of a shape in its table's rows, looked up by name once per run. */
  #column(shape: Shape, row: Row): number {
    let column = this.#columns.get(shape)
    if (column === undefined) {
      column = columnOf(row.table, shape)
      this.#columns.set(shape, column)
    }
    return column
  }

  /** How a new op of `device` names a row: undefined where the row has not been introduced yet. */
  handleOf(row: Row): { device: DeviceId; ordinal: number } | undefined {
    return row.introducer < 0 ? undefined : { device: this.ops.deviceId(row.introducer), ordinal: row.ordinal }
  }

  /** The heads of an op that `device` would write now: the frontier beyond its own previous op. */
  headsFor(device: DeviceId): Dot[] {
    const heads: Dot[] = []
    for (const [other, seq] of this.frontier) if (other !== device) heads.push({ device: other, seq })
    return heads
  }

  stampOf(ref: DotRef): Hlc {
    return this.ops.stamp(ref)
  }
}

const isGroupCount = (ops: number): boolean => ops >= 2 && ops <= MAX_GROUP_OPS

const groupLeftOf = (judged: Judged): number => judged.run.groupLeft[judged.op]
