/**
 * Late branches (SPEC CUT11 to CUT16): work that nobody had who made the base, by a device that was not counted. It comes in under its
 * ids, as it was signed. Who brings it in holds its old log, and so can say what those do not know any more who have the base alone:
 * the shifts that lift its stamps above the cut (BR2), and what of the prefix its ops had seen and refer to.
 *
 *                        cut
 *      A ────────────●────│──●── …          known to who made the base
 *      B ──●─────────●────│
 *      C ──●──○──○────────│──○               ○ late: C was away since the ●
 *              └ floor: cut + 1, seen: what of A and B it had when it went
 *
 * Invariants:
 * - what is told of an op follows from its causal past and from the base: whoever holds both tells the same;
 * - it is told as the ops stand once they are shifted: what is void for its stamp alone counts then (OP5).
 */
import { compareDevices, type DeviceId } from '../clock/dot.ts'
import { nothingSeen, seenAt, seenSeq, type SeenVector } from '../clock/seen.ts'
import { equalBytes } from '../codec/bytes.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { MAX_SHIFTS, type Shift } from '../log/batch.ts'
import type { StoredBatch } from '../log/batch-store.ts'
import { branchId } from '../log/branch.ts'
import { foreignReferences, type KeptRun, type Members } from '../log/chain-index.ts'
import { encodeLate, type LateRecord, type LateRun, type NamedOp, type SeenOf } from '../log/late-record.ts'
import { OpLog } from '../log/op-log.ts'
import { deviceOfRef, dotRef } from '../op/dot-ref.ts'
import { opCount, type Run, toSeqOf } from '../op/run.ts'
import { Projector } from '../projection/projector.ts'
import type { Base, BaseBranch } from './base.ts'

/** So many bytes of a record fit an op (OP7), and so many records a batch. */
const MAX_RECORD_BYTES = 200 * 1024
const MAX_RECORDS = 4

export interface LateInput {
  readonly keyring: Keyring
  /** Undefined in a space without members. */
  readonly members?: Members | undefined
  readonly base: Base
  /** What goes on from that base, with all that can be had of the rest. */
  readonly log: OpLog
  /** The log as it was held while away: of each branch in order, and after what the branch goes on from. */
  readonly batches: Iterable<Pick<StoredBatch, 'batch' | 'branch'>>
}

/** For the first batch of one fresh device: see `sealShifts`. */
export interface LateStatement {
  readonly shifts: readonly Shift[]
  readonly records: readonly LateRecord[]
}

/** Ops `[fromSeq, toSeq]` of a branch, by its name in the old log. */
export interface LateStretch {
  readonly branch: DeviceId
  readonly fromSeq: number
  readonly toSeq: number
}

export interface LateBranches {
  /** Mostly one, or none. To be held by others before the ops that they concern. */
  readonly statements: readonly LateStatement[]
  /** What comes in by them, parents first. */
  readonly entering: readonly LateStretch[]
  /** What cannot: it parts from the prefix inside of it, or waits for what is not held (CUT15). It is to be kept, and shown. */
  readonly left: readonly LateStretch[]
}

interface ToldRun {
  readonly run: LateRun
  readonly kept: ReadonlyMap<string, LateRecord['kept'][number]>
  readonly named: ReadonlyMap<string, NamedOp>
}

export const findLate = (input: LateInput): LateBranches => new LateFinder(input).find()

class LateFinder {
  readonly #input: LateInput
  readonly #places: ReadonlyMap<DeviceId, number>
  /** The old log: at first as it was, then with the shifts in force. */
  #log: OpLog
  #projector = new Projector()
  readonly #runs: Run[] = []

  constructor(input: LateInput) {
    this.#input = input
    const { branches } = input.base
    this.#places = new Map(branches.map(({ id }, place) => [id, place]))
    this.#log = this.#replay([])
  }

  find(): LateBranches {
    const { base } = this.#input
    const { late, entering, left } = this.#late()
    const shifts = late.flatMap(({ isFirst: is, device, base: from, firstTag }): Shift[] =>
      is ? [{ device, base: from, firstTag, shift: 0, floor: base.cut + 1 }] : [],
    )
    this.#log = this.#replay(shifts)
    const isFirst = new Map(late.map(({ branch, base: from, isFirst: is }) => [`${branch}/${from}`, is]))
    const told = this.#runs.flatMap((run) => {
      const is = isFirst.get(`${run.device}/${run.fromSeq - 1}`)
      const one = is === undefined ? undefined : this.#told(run, is)
      return one !== undefined && (is === true || one.run.ops.length > 0 || one.named.size > 0) ? [one] : []
    })
    return { statements: statementsOf(shifts, told, base.cut), entering, left }
  }

  #replay(shifts: readonly Shift[]): OpLog {
    const { keyring, members, base, batches } = this.#input
    const projector = new Projector()
    this.#runs.length = 0
    const log = new OpLog(
      keyring,
      {
        projected: projector.projected,
        begin: (branch, author, parent, from) => projector.begin(branch, author, parent, from),
        shift: (branch, fromSeq, shift, floor) => projector.shift(branch, fromSeq, shift, floor),
        seenBy: (branch, other) => projector.seenBy(branch, other),
        askRoles: (roleOf) => projector.askRoles(roleOf),
        project: (runs) => {
          projector.project(runs)
          this.#runs.push(...runs)
        },
      },
      members,
    )
    log.addShifts(base.shifts)
    log.addShifts(shifts)
    const all = [...batches]
    for (const { batch } of all) log.addShifts(batch.header.shifts)
    for (const { batch, branch } of all) log.receive(log.open(batch), branch)
    this.#projector = projector
    return log
  }

  /** The runs that come in, those of a branch in order, parents first. */
  #late() {
    const late: (Pick<LateRun, 'device' | 'base' | 'firstTag'> & { branch: DeviceId; isFirst: boolean })[] = []
    const entering: LateStretch[] = []
    const left: LateStretch[] = []
    /** Branch → whether what goes on from its end is late, or cannot come in. */
    const ends = new Map<DeviceId, 'held' | 'late' | 'left'>()
    for (const branch of this.#byParents()) {
      const { device, base, parent, seq } = this.#log.branch(branch)!
      let state = (parent !== undefined && ends.get(parent)) || 'held'
      let before = base
      let isAfterStatement = false
      for (const toSeq of this.#log.runEnds(branch, base, seq)) {
        const fromSeq = before + 1
        const firstTag = this.#log.tagAt(branch, toSeq)!
        const isFirst = state === 'held'
        const isStatement = this.#isStatement(branch, fromSeq)
        if (state === 'held' && !isStatement && !this.#isHeld(branch, toSeq, firstTag)) {
          state = isAfterStatement || this.#canGoOn(branch, before) ? 'late' : 'left'
        }
        isAfterStatement = isStatement
        if (state === 'late' && (this.#projector.projected.get(branch) ?? 0) < toSeq) state = 'left'
        if (state === 'late') {
          late.push({ branch, device, base: before, firstTag, isFirst })
          extend(entering, { branch, fromSeq, toSeq })
        }
        if (state === 'left') extend(left, { branch, fromSeq, toSeq })
        before = toSeq
      }
      ends.set(branch, state)
    }
    return { late, entering, left }
  }

  #byParents(): DeviceId[] {
    const ids = [...this.#log.devices()].flatMap((device) => this.#log.branchesOf(device))
    const depthOf = (id: DeviceId): number => {
      let depth = 0
      for (let at = this.#log.branch(id)!.parent; at !== undefined; at = this.#log.branch(at)!.parent) depth++
      return depth
    }
    const depths = new Map(ids.map((id) => [id, depthOf(id)]))
    return ids.sort((a, b) => depths.get(a)! - depths.get(b)! || compareDevices(a, b))
  }

  /** Whether a run of the old log is in the prefix, as far as hashes tell, or in what goes on from the base. */
  #isHeld(branch: DeviceId, toSeq: number, tag: Uint8Array): boolean {
    const { log } = this.#input
    const { device } = this.#log.branch(branch)!
    const isThere = (other: DeviceId): boolean => {
      const there = log.tagAt(other, toSeq)
      return there !== undefined && equalBytes(there, tag)
    }
    return log.branchesOf(device).some(isThere) || this.#placeOf(branch, toSeq) !== undefined
  }

  /** Whether a run is that of a statement above the cut: it has seen nothing, and everybody knows that (BR2). */
  #isStatement(branch: DeviceId, fromSeq: number): boolean {
    if (fromSeq > 1 || !this.#log.statingShifts.has(branch)) return false
    const { ops } = this.#projector
    const index = ops.indexOf(branch)
    return index !== undefined && ops.projectedSeq(index) > 0 && ops.stamp(dotRef(index, 1)) > this.#input.base.cut
  }

  /** Whether what comes after an op of a branch goes on from a run whose chain hash is known on the base. */
  #canGoOn(branch: DeviceId, seq: number): boolean {
    if (seq === 0) return true
    const { log } = this.#input
    const { device } = this.#log.branch(branch)!
    const tag = this.#log.tagAt(branch, seq) ?? this.#log.tagAt(this.#holderOf(branch, seq), seq)
    return log.branchesOf(device).some((other) => {
      const there = log.tagAt(other, seq)
      return tag !== undefined && there !== undefined && equalBytes(there, tag)
    })
  }

  #holderOf(branch: DeviceId, seq: number): DeviceId {
    let at = branch
    for (;;) {
      const { base, parent } = this.#log.branch(at)!
      if (seq > base || parent === undefined) return at
      at = parent
    }
  }

  /** The branch of the base that has an op of the old log in the prefix; undefined where none has. */
  #placeOf(branch: DeviceId, seq: number): number | undefined {
    const { branches } = this.#input.base
    const place = this.#deepest(branch, seq)
    return place !== undefined && seq <= branches[place].lastSeq ? place : undefined
  }

  /** The last branch of the base on the way to an op of the old log. It may have other names here, where forks were not known. */
  #deepest(branch: DeviceId, seq: number): number | undefined {
    const { branches } = this.#input.base
    const root = this.#holderOf(branch, 1)
    let place = this.#places.get(root) ?? this.#placeOfName(branch, 0)
    while (place !== undefined && seq > branches[place].lastSeq) {
      const next: number | undefined = this.#placeOfName(branch, branches[place].lastSeq)
      if (next === undefined || branches[next].parent !== place) break
      place = next
    }
    if (place === undefined) return undefined
    return this.#isSame(branch, branches[place], seq) ? place : undefined
  }

  /** The branch of the base that begins where the way to a branch of the old log passes a seq. */
  #placeOfName(branch: DeviceId, base: number): number | undefined {
    const holder = this.#holderOf(branch, base + 1)
    const tags = this.#log.runAfter(holder, base)
    if (tags === undefined) return undefined
    return this.#places.get(branchId(this.#log.branch(branch)!.device, base, tags.tagBefore, tags.firstTag))
  }

  /** Whether no chain hash that the base keeps of a branch says that an op of the old log is another. */
  #isSame(branch: DeviceId, { runs }: BaseBranch, seq: number): boolean {
    return runs.every(({ toSeq, hash }) => {
      const here = toSeq > seq ? undefined : this.#log.chain.covering(branch, toSeq)
      return here === undefined || equalBytes(here, hash)
    })
  }

  /** What of the prefix is in a vector, as the base names it. */
  #seenOf(seen: SeenVector): Map<number, number> {
    const { ops } = this.#projector
    const { branches } = this.#input.base
    const told = new Map<number, number>()
    for (let index = 0; index < ops.deviceCount; index++) {
      const seq = seenSeq(seen, index)
      if (seq === 0) continue
      const branch = ops.deviceId(index)
      for (let place = this.#deepest(branch, seq) ?? -1; place >= 0; place = branches[place].parent) {
        const upTo = Math.min(seq, branches[place].lastSeq)
        if (upTo > (told.get(place) ?? 0)) told.set(place, upTo)
      }
    }
    return told
  }

  #told(run: Run, isFirst: boolean): ToldRun {
    const { ops } = this.#projector
    const { device: branch, fromSeq } = run
    const index = ops.deviceIndex(branch)
    const { device } = this.#log.branch(branch)!
    const before = fromSeq === 1 ? undefined : ops.refAt(index, fromSeq - 1)
    const history = ops.saved[index].seen
    const beforeIndex = before === undefined ? index : deviceOfRef(before)
    let vector = before === undefined ? nothingSeen : seenAt(ops.saved[beforeIndex].seen, fromSeq - 1)
    let seen = this.#seenOf(vector)
    const first = isFirst ? this.#named(seen, new Map()) : []
    const told: LateRun['ops'][number][] = []
    for (let op = 0; op < opCount(run); op++) {
      const next = seenAt(history, fromSeq + op)
      if (next === vector) continue
      vector = next
      const all = this.#seenOf(next)
      const more = this.#named(all, seen)
      if (more.length > 0) told.push({ op, seen: more })
      seen = all
    }
    const firstTag = this.#log.tagAt(branch, toSeqOf(run))!
    const own = { device, base: fromSeq - 1, firstTag, before: first, ops: told }
    return { run: own, ...this.#references(run) }
  }

  #named(seen: ReadonlyMap<number, number>, before: ReadonlyMap<number, number>): SeenOf {
    const { branches } = this.#input.base
    return [...seen]
      .filter(([place, seq]) => before.get(place) !== seq)
      .sort(([a], [b]) => a - b)
      .map(([place, seq]) => [branches[place].id, seq] as const)
  }

  #references(run: Run): Omit<ToldRun, 'run'> {
    const { ops } = this.#projector
    const { branches } = this.#input.base
    const kept = new Map<string, KeptRun & { branch: DeviceId }>()
    const named = new Map<string, NamedOp>()
    const foreign = [...foreignReferences(run)]
    for (const [at, dot] of [...foreign, ...[...run.over.values()].flat()].entries()) {
      const index = ops.indexOf(dot.device)
      // Of an `over` that names nothing the op is void (OP7).
      if (index === undefined || dot.seq < 1 || dot.seq > ops.projectedSeq(index)) continue
      const { device: holder, seq } = ops.dotOf(ops.refAt(index, dot.seq))
      const place = this.#placeOf(holder, seq)
      if (place === undefined) continue
      const { id } = branches[place]
      const position = this.#log.chain.positionAt(holder, seq) ?? 0
      const stamp = ops.stamp(dotRef(ops.deviceIndex(holder), seq))
      named.set(`${id}/${seq}`, { branch: id, seq, stamp, position })
      const covering = at < foreign.length ? this.#log.chain.runOf(holder, seq) : undefined
      if (covering !== undefined) kept.set(`${id}/${covering.toSeq}`, { branch: id, ...covering })
    }
    return { kept, named }
  }
}

const extend = (stretches: LateStretch[], { branch, fromSeq, toSeq }: LateStretch): void => {
  const last = stretches.at(-1)
  if (last?.branch === branch && last.toSeq === fromSeq - 1) stretches[stretches.length - 1] = { ...last, toSeq }
  else stretches.push({ branch, fromSeq, toSeq })
}

/** As few first batches as it takes. */
const statementsOf = (shifts: readonly Shift[], told: readonly ToldRun[], cut: number): LateStatement[] => {
  const records = recordsOf(told, cut)
  const statements: LateStatement[] = []
  for (let at = 0; at * MAX_SHIFTS < shifts.length || at * MAX_RECORDS < records.length; at++) {
    statements.push({
      shifts: shifts.slice(at * MAX_SHIFTS, (at + 1) * MAX_SHIFTS),
      records: records.slice(at * MAX_RECORDS, (at + 1) * MAX_RECORDS),
    })
  }
  return statements
}

/** One, or as many as it takes for each to fit an op. */
const recordsOf = (told: readonly ToldRun[], cut: number): LateRecord[] => {
  if (told.length === 0) return []
  const kept = new Map(told.flatMap((one) => [...one.kept]))
  const named = new Map(told.flatMap((one) => [...one.named]))
  const byId = <T extends { branch: DeviceId }>(items: Iterable<T>, seq: (item: T) => number): T[] =>
    [...items].sort((a, b) => compareDevices(a.branch, b.branch) || seq(a) - seq(b))
  const record = {
    cut,
    kept: byId(kept.values(), ({ toSeq }) => toSeq),
    named: byId(named.values(), ({ seq }) => seq),
    runs: told.map(({ run }) => run),
  }
  if (told.length === 1 || encodeLate(record).length <= MAX_RECORD_BYTES) return [record]
  const half = told.length >>> 1
  return [...recordsOf(told.slice(0, half), cut), ...recordsOf(told.slice(half), cut)]
}
