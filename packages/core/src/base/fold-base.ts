/**
 * Folds a base (SPEC CUT4, CUT5): replays the log up to the vector, from nothing or from the base before, with the changes of what is
 * stamped above the cut left out of the cells; and takes from that what a base keeps.
 *
 * Invariant: what is taken is a function of cut and vector. Nothing local goes in: no number of a device, row or column, no order of
 * arrival, no boundary of a batch.
 */
import type { OpIndex } from '../cells/ops.ts'
import { ABSENT, type Row, SIBLINGS } from '../cells/row.ts'
import { compareDevices, type DeviceId } from '../clock/dot.ts'
import type { Hlc } from '../clock/hlc.ts'
import { joinSeen, nothingSeen, seenAt, seenJust, seenSeq, type SeenVector, withSeen } from '../clock/seen.ts'
import { equalVectors, type VersionVector } from '../clock/version-vector.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { hash } from '../crypto/sodium.ts'
import { DriftlogError } from '../errors.ts'
import type { Shift } from '../log/batch.ts'
import type { LogBranch } from '../log/branch-tree.ts'
import type { StoredBatch } from '../log/batch-store.ts'
import { foreignReferences, type KeptRun, type Members } from '../log/chain-index.ts'
import { type CheckedBatch, OpLog, type ProjectionTarget } from '../log/op-log.ts'
import { deviceOfRef, type DotRef, dotRef, seqOfRef } from '../op/dot-ref.ts'
import { toSeqOf } from '../op/run.ts'
import { Projector } from '../projection/projector.ts'
import type { Base, BaseAfter, BaseBranch, BaseSettled } from './base.ts'
import { decodeBase, encodeBase } from './base-bytes.ts'
import { refsOfCell } from './cell-bytes.ts'
import { compareText, type FoldedTable, settledOf, tablesOf } from './folded-cells.ts'
import { logOf } from './open-base.ts'

export interface FoldInput {
  readonly keyring: Keyring
  /** Undefined in a space without members. */
  readonly members?: Members
  /** All ops with an effective stamp up to it are pruned. A group has one stamp, so that no cut divides it (OP6). */
  readonly cut: Hlc
  /** Up to where what is stamped above the cut may not have seen all below it (CUT4); every branch in it ends where a run does. */
  readonly vector: VersionVector
  /** The base before. */
  readonly base?: Uint8Array
  /** What is held of the log since, at least up to the vector: of each branch in order, and after what the branch goes on from. */
  readonly batches: Iterable<Pick<StoredBatch, 'batch' | 'branch'>>
}

export interface FoldedBase {
  readonly cut: Hlc
  readonly vector: VersionVector
  readonly bytes: Uint8Array
  /** BLAKE2b-256 of the bytes. */
  readonly digest: Uint8Array
}

/** Throws OPTION_INVALID where that is not held, cannot all be opened, or is below the base before. */
export const foldBase = (input: FoldInput): FoldedBase => {
  const base = new Fold(input).fold()
  const bytes = encodeBase(base)
  return { cut: base.cut, vector: base.vector, bytes, digest: hash(bytes) }
}

class Fold {
  readonly #input: FoldInput
  readonly #projector = new Projector()
  readonly #before: Base | undefined
  readonly #log: OpLog
  readonly #voids: DotRef[] = []
  /** What runs that end after the cut refer to: of other branches, so that the chain hash there is needed, and of their own. */
  readonly #referred = new Set<DotRef>()
  readonly #named = new Set<DotRef>()
  /** By index of the projection: the last op in the prefix; at most the base of the branch where none is. */
  readonly #lastSeqs: number[] = []
  readonly #logBranches = new Map<DeviceId, LogBranch>()
  /** Index of the projection → place in the base. */
  readonly #places = new Map<number, number>()

  constructor(input: FoldInput) {
    const { keyring, members, cut } = input
    this.#input = input
    this.#before = input.base === undefined ? undefined : decodeBase(input.base)
    const target = this.#target()
    this.#log =
      this.#before === undefined
        ? new OpLog(keyring, target, members)
        : logOf(this.#before, { keyring, members }, this.#projector, target)
    this.#projector.watch = { cut, voids: this.#voids }
  }

  fold(): Base {
    const { cut, keyring, vector } = this.#input
    this.#replay()
    const { ops, projector } = { ops: this.#projector.ops, projector: this.#projector }
    for (let index = 0; index < ops.deviceCount; index++) this.#lastSeqs.push(lastUpTo(ops, index, cut))
    const order = this.#order()
    order.forEach((index, place) => this.#places.set(index, place))
    const tables = tablesOf(this.#rows(order), ops)
    const rowPlaces = new Map<Row, number>()
    for (const { rows } of tables) for (const { row } of rows) rowPlaces.set(row, rowPlaces.size)
    const settled = settledOf(projector.cells, rowPlaces)
    const named = this.#kept(tables, settled)
    const heads = this.#heads(order)
    for (const branch of this.#log.saved.branches) this.#logBranches.set(branch.id, branch)
    const branches = order.map((index) => this.#branch(index, named, rowPlaces, heads))
    return {
      space: keyring.space,
      cut,
      vector: new Map([...vector].filter(([, seq]) => seq > 0).sort(([a], [b]) => compareDevices(a, b))),
      schemaVersion: projector.schemaVersion,
      voidCount: projector.voidCount,
      shifts: sortedShifts(this.#log.saved.shifts),
      branches,
      after: this.#after(order),
      tables,
      settled,
      refs: this.#refs(order, named.kept),
    }
  }

  #target(): ProjectionTarget {
    const projector = this.#projector
    const { ops } = projector
    return {
      projected: projector.projected,
      begin: (branch, author, parent, base) => projector.begin(branch, author, parent, base),
      shift: (branch, fromSeq, shift, floor) => projector.shift(branch, fromSeq, shift, floor),
      seenBy: (branch, other) => projector.seenBy(branch, other),
      askRoles: (roleOf) => projector.askRoles(roleOf),
      project: (runs) => {
        projector.project(runs)
        for (const run of runs) {
          if (ops.stamp(ops.refOf({ device: run.device, seq: toSeqOf(run) })) <= this.#input.cut) continue
          for (const dot of foreignReferences(run)) this.#referred.add(ops.refOf(dot))
          for (const dots of run.over.values()) for (const dot of dots) this.#named.add(ops.refOf(dot))
        }
      },
    }
  }

  #replay(): void {
    const { batches, vector, cut } = this.#input
    const before = this.#before
    const isAfter = before === undefined || (cut >= before.cut && includesAll(vector, before.vector))
    if (!isAfter) throw new DriftlogError('OPTION_INVALID', 'a base is after the one before', { cut })
    const held = [...batches].filter(({ batch, branch }) => batch.header.fromSeq <= (vector.get(branch) ?? 0))
    for (const { batch } of held) this.#log.addShifts(batch.header.shifts)
    for (const { batch, branch } of held) {
      const checked = upTo(this.#log.open(batch), vector.get(branch)!)
      if (checked !== undefined) this.#log.receive(checked, branch)
    }
    if (!equalVectors(this.#projector.projected, vector)) {
      throw new DriftlogError('OPTION_INVALID', 'to fold a base, all of its vector must be held and projected', { cut })
    }
  }

  #isBelow(ref: DotRef): boolean {
    return seqOfRef(ref) <= this.#lastSeqs[deviceOfRef(ref)]
  }

  /** The branches that begin in the prefix: parents before children, else by id. */
  #order(): number[] {
    const { ops } = this.#projector
    const { saved } = ops
    const order: number[] = []
    const byId = (indexes: readonly number[]): number[] =>
      indexes.filter((index) => this.#lastSeqs[index] > saved[index].base).sort((a, b) => ops.compareIds(b, a))
    const next = byId(saved.flatMap(({ parent }, index) => (parent < 0 ? [index] : [])))
    for (let index = next.pop(); index !== undefined; index = next.pop()) {
      order.push(index)
      for (const child of byId(ops.childrenOf(index))) next.push(child)
    }
    return order
  }

  #introduced(index: number): {
    readonly from: number
    readonly rows: readonly Row[]
    readonly seqs: readonly number[]
  } {
    const { from, rows, seqs } = this.#projector.saved.introduced[index] ?? { from: 0, rows: [], seqs: [] }
    const count = seqs.findLastIndex((seq) => seq <= this.#lastSeqs[index]) + 1
    return { from, rows: rows.slice(0, count), seqs: seqs.slice(0, count) }
  }

  /** What an op of the prefix introduced; everything else in the cells is a name without a row. */
  #rows(order: readonly number[]): Set<Row> {
    return new Set(order.flatMap((index) => this.#introduced(index).rows))
  }

  /** The ops of the prefix that something still names, and the ends of the runs that something may still refer to. */
  #kept(tables: readonly FoldedTable[], settled: readonly BaseSettled[]): Named {
    const { ops } = this.#projector
    const kept = new Set<DotRef>()
    const covered = new Set<DotRef>()
    const keep = (ref: DotRef): void => void kept.add(ref)
    // A write, a change and a deletion may be named by who replaces or settles them.
    const name = (ref: DotRef): void => {
      kept.add(ref)
      covered.add(ref)
    }
    for (const ref of this.#referred) if (this.#isBelow(ref)) name(ref)
    for (const ref of this.#named) if (this.#isBelow(ref)) keep(ref)
    for (const { columns, rows } of tables) {
      for (const row of rows) {
        for (const ref of [row.erased, row.created, row.updated]) if (ref !== ABSENT) keep(ref)
        row.touches.forEach(name)
        row.deletes.forEach(name)
        for (const index of columns.keys()) {
          const ref = row.refs[index]
          refsOfCell(ref, row.values[index], isNameable(ref) ? name : keep)
        }
      }
    }
    for (const one of settled) {
      keep(one.by)
      for (const { ref } of one.column === undefined ? one.sides : one.candidates) keep(ref)
    }
    for (const index of this.#places.keys()) name(dotRef(index, this.#lastSeqs[index]))
    const runs = new Map<number, Map<number, KeptRun>>()
    for (const ref of covered) {
      const index = deviceOfRef(ref)
      const run = this.#log.chain.runOf(ops.deviceId(index), seqOfRef(ref))
      // The run that the cut divides is in the log.
      if (run === undefined || run.toSeq > this.#lastSeqs[index]) continue
      const own = runs.get(index) ?? new Map<number, KeptRun>()
      runs.set(index, own.set(run.toSeq, run))
    }
    for (const index of this.#places.keys()) {
      const anchor = this.#anchor(index)
      if (anchor !== undefined)
        runs.set(index, (runs.get(index) ?? new Map<number, KeptRun>()).set(anchor.toSeq, anchor))
    }
    const sorted = new Map<number, number[]>()
    for (const ref of kept) {
      const own = sorted.get(deviceOfRef(ref))
      if (own === undefined) sorted.set(deviceOfRef(ref), [seqOfRef(ref)])
      else own.push(seqOfRef(ref))
    }
    for (const seqs of sorted.values()) seqs.sort((a, b) => a - b)
    return { kept: sorted, runs }
  }

  /** The last run of a branch that is wholly in the prefix. */
  #anchor(index: number): KeptRun | undefined {
    const { chain } = this.#log
    const id = this.#projector.ops.deviceId(index)
    const last = chain.runOf(id, this.#lastSeqs[index])!
    return last.toSeq <= this.#lastSeqs[index] ? last : chain.runOf(id, last.fromSeq - 1)
  }

  /** The branches whose last op in the prefix no other op of the prefix had seen. */
  #heads(order: readonly number[]): Set<number> {
    const { saved } = this.#projector.ops
    const before = new Map(this.#before?.branches.map(({ id, isHead, lastSeq }) => [id, { isHead, lastSeq }]))
    const grown = order.filter((index) => before.get(saved[index].id)?.lastSeq !== this.#lastSeqs[index])
    let seen = nothingSeen
    for (const index of grown) seen = joinSeen(seen, seenAt(saved[index].seen, this.#lastSeqs[index]))
    const isNew = new Set(grown)
    const mayBe = order.filter((index) => isNew.has(index) || before.get(saved[index].id)?.isHead === true)
    return new Set(mayBe.filter((index) => seenSeq(seen, index) < this.#lastSeqs[index]))
  }

  #branch(
    index: number,
    { kept, runs }: Named,
    rowPlaces: ReadonlyMap<Row, number>,
    heads: ReadonlySet<number>,
  ): BaseBranch {
    const { ops } = this.#projector
    const { id, author, parent, base, elasticFrom } = ops.saved[index]
    const lastSeq = this.#lastSeqs[index]
    const inForce = this.#projector.saved.shifts[index]?.findLast(({ fromSeq }) => fromSeq <= lastSeq)
    const { from, rows, seqs } = this.#introduced(index)
    const { certificate, start } = this.#logBranches.get(id)!
    const isStating = this.#log.statingShifts.has(id)
    return {
      id,
      author,
      parent: parent < 0 ? -1 : this.#places.get(parent)!,
      base,
      certificate: parent < 0 ? certificate : undefined,
      start: parent < 0 && isStating ? start : undefined,
      lastSeq,
      isHead: heads.has(index),
      elasticFrom,
      shifted: inForce && { shift: inForce.shift, floor: inForce.floor },
      kept: new Map(kept.get(index)!.map((seq) => [seq, ops.stamp(dotRef(index, seq))])),
      positions: kept.get(index)!.map((seq) => this.#log.chain.positionAt(id, seq) ?? 0),
      runs: [...(runs.get(index)?.values() ?? [])].sort((a, b) => a.toSeq - b.toSeq),
      introducedFrom: from,
      introduced: rows.map((row, at) => ({ row: rowPlaces.get(row)!, seq: seqs[at] })),
    }
  }

  /** What the ops after the cut are told of it. */
  #after(order: readonly number[]): BaseAfter[] {
    const { ops } = this.#projector
    let whole = nothingSeen
    for (const index of order) whole = seenJust(whole, index, this.#lastSeqs[index])
    const voids = Map.groupBy(this.#voids, deviceOfRef)
    const after: BaseAfter[] = []
    for (let index = 0; index < ops.deviceCount; index++) {
      const one = this.#afterOf(index, new Set(voids.get(index)?.map(seqOfRef)), whole, order)
      if (one.voids.length > 0 || one.lacks.length > 0) after.push(one)
    }
    return after.sort((a, b) => compareDevices(a.branch, b.branch))
  }

  #afterOf(index: number, voids: ReadonlySet<number>, whole: SeenVector, order: readonly number[]): BaseAfter {
    const { ops } = this.#projector
    const { id, seen: history } = ops.saved[index]
    const end = ops.projectedSeq(index)
    const lacks: BaseAfter['lacks'][number][] = []
    const own = this.#places.has(index) ? this.#lastSeqs[index] : 0
    let wholeFrom = end + 1
    let before: SeenVector | undefined
    // As of the op before; of the first, all. Not made for each branch: mostly nothing is lacking.
    let told: readonly number[] | undefined
    for (let seq = Math.max(this.#lastSeqs[index], ops.saved[index].base) + 1; seq <= end; seq++) {
      if (voids.has(seq)) continue
      const seen = seenAt(history, seq)
      if (seen === before) continue
      before = seen
      const all = own === 0 ? seen : withSeen(seen, index, own)
      if (joinSeen(all, whole) === all) {
        wholeFrom = seq
        break
      }
      const now = order.map((other) => Math.min(seenSeq(all, other), this.#lastSeqs[other]))
      const last = told ?? order.map((other) => this.#lastSeqs[other])
      const changed = now.flatMap((upTo, place) => (upTo === last[place] ? [] : [[place, upTo] as const]))
      if (changed.length > 0) lacks.push({ seq, seen: changed })
      told = now
    }
    return { branch: id, voids: [...voids].sort((a, b) => a - b), wholeFrom, lacks }
  }

  #refs(order: readonly number[], kept: Named['kept']): Base['refs'] {
    const { ops } = this.#projector
    const places = new Map<DotRef, number>()
    for (const index of order) for (const seq of kept.get(index)!) places.set(dotRef(index, seq), places.size)
    return {
      place: (ref) => places.get(ref)!,
      compare: (a, b) => ops.compare(a, b),
      tell: (ref) => ({ branch: ops.dotOf(ref).device, seq: seqOfRef(ref), stamp: ops.stamp(ref) }),
    }
  }
}

interface Named {
  /** By index of the projection: seqs, rising. */
  readonly kept: ReadonlyMap<number, readonly number[]>
  /** By last seq. */
  readonly runs: ReadonlyMap<number, ReadonlyMap<number, KeptRun>>
}

/** Writes of registers: of what cells are composed of no op names exactly what it replaces (CELL2). */
const isNameable = (ref: DotRef): boolean => ref > 0 || ref === SIBLINGS

const includesAll = (vector: VersionVector, other: VersionVector): boolean =>
  [...other].every(([id, seq]) => (vector.get(id) ?? 0) >= seq)

/** The runs of a batch that end up to a seq, as a batch; undefined where none does. */
const upTo = (checked: CheckedBatch, last: number): CheckedBatch | undefined => {
  const { batch, runs } = checked
  const { header } = batch
  if (header.toSeq <= last) return checked
  const within = runs?.filter(({ run }) => toSeqOf(run) <= last)
  if (within === undefined || within.length === 0) return undefined
  const { tagAfter } = within[within.length - 1]
  const toSeq = toSeqOf(within[within.length - 1].run)
  const innerEnds = header.innerEnds.filter((end) => end.toSeq < toSeq)
  return { batch: { ...batch, header: { ...header, toSeq, tagAfter, innerEnds } }, runs: within }
}

/** The last op of a branch that is stamped up to the cut: stamps rise along a branch. */
export const lastUpTo = (ops: OpIndex, index: number, cut: Hlc): number => {
  const { below } = ops.saved[index]
  let low = below + 1
  let high = ops.projectedSeq(index) + 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ops.stamp(dotRef(index, middle)) <= cut) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** Of several of one run the largest counts: the log has joined them. */
const sortedShifts = (shifts: readonly Shift[]): Shift[] => {
  const key = ({ device, base, firstTag }: Shift): readonly [DeviceId, number, string] => [
    device,
    base,
    firstTag.join(),
  ]
  return shifts.toSorted((a, b) => {
    const [left, right] = [key(a), key(b)]
    return compareDevices(left[0], right[0]) || left[1] - right[1] || compareText(left[2], right[2])
  })
}
