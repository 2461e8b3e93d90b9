/**
 * The op-log of one space as a replica sees it: what is held, what waits for what, and what is projected.
 *
 *     batch ─ check ─▶ (stored) ─ receive ─▶ held, waiting ─ verify ─▶ projected
 *
 * Invariants:
 * - LOG1 held is contiguous per branch; receiving a batch again changes nothing;
 * - LOG2 a run is projected when its branch's runs before it and everything that its ops saw are projected, and its chain
 *   hash, over its bytes and the hashes of what it refers to, is the one that its header's tag names. A name may stand for
 *   any branch that its author can have meant (BR1): the tag tells which;
 * - LOG3 what cannot be opened (an unknown format, no key) is parked, and with it all that saw it; nothing else blocks;
 * - LOG5 in a space with members a run waits for the entries of their log that it names (MEM5), and an op whose author might not
 *   write there, or that names less of that log than what it saw, is void (MEM6);
 * - LOG4 the projected vector is at most the held one.
 */
import { compareDevices, type DeviceId } from '../clock/dot.ts'
import type { Hlc } from '../clock/hlc.ts'
import { equalBytes, malformed, toBase64Url } from '../codec/bytes.ts'
import { chainStart } from '../crypto/chain.ts'
import { certifiedInstallation } from '../crypto/identity.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { DriftlogError } from '../errors.ts'
import type { Role } from '../membership/entry.ts'
import { firstHead, opCount, type Run, toSeqOf } from '../op/run.ts'
import { MAX_GROUP_OPS } from '../op/run-codec.ts'
import { type Batch, type BatchHeader, chainStartOf, type Shift } from './batch.ts'
import type { NamedRun, Point } from './batch-store.ts'
import { BranchTree, type LogBranch, type Parked, type SavedLogBranch, type VerifiedRun } from './branch-tree.ts'
import { ChainIndex, foreignReferences, greatestPosition, type Members } from './chain-index.ts'
import { lateBytesOf, type LateNote, notesOf, readLate, type SeenLate } from './late-record.ts'
import { type Candidates, type Meaning, meanings, type Tried, withMeaning } from './meaning.ts'
import { openBatch, type OpenedRun } from './seal.ts'
import { verifyBatch } from './signature.ts'
import { type RunEnd, StretchNames } from './stretch-names.ts'

/** What the author of an op might do when it wrote. */
export type RoleOf = (branch: DeviceId, seq: number) => Role | undefined

/** What the log hands ready runs to: the projector. */
export interface ProjectionTarget {
  readonly projected: ReadonlyMap<DeviceId, number>
  /** A branch is to be projected that goes on from op `base` of `parent`, or from nothing. */
  begin(branch: DeviceId, author: DeviceId, parent: DeviceId | undefined, base: number): void
  /** The stamps of a branch are shifted from an op on that comes next (BR2). */
  shift(branch: DeviceId, fromSeq: number, shift: Hlc, floor: Hlc): void
  /** CUT11: a run comes next in a branch that is late. */
  late?(branch: DeviceId, fromSeq: number, late: SeenLate): void
  /** Consecutive runs of one branch, whole; all that they saw is projected. */
  project(runs: readonly Run[]): void
  /** How much of a branch the last projected op of another one saw. */
  seenBy(branch: DeviceId, other: DeviceId): number
  /** In a space with members: whom to ask what the author of an op might do when it wrote. */
  askRoles?(roleOf: RoleOf): void
}

/** A batch that was checked as far as it can be alone. */
export interface CheckedBatch {
  readonly batch: Batch
  /** undefined: parked. */
  readonly runs: readonly OpenedRun[] | undefined
  readonly parked?: Parked
}

/** Ops that are held and not projected. */
export interface Backlog {
  /** For what they saw. */
  readonly waiting: number
  /** Of a format that is not known here. */
  readonly parked: number
  /** Encrypted with a key that is not here. */
  readonly locked: number
  /** That no key opens. */
  readonly unopenable: number
}

/** The op that states shifts has seen nothing (BR2). */
const NOTHING_SEEN = { before: [], ops: [], stamps: [] }
const NOWHERE = Number.POSITIVE_INFINITY

const countedAs = { format: 'parked', key: 'locked', unopenable: 'unopenable' } as const

export class OpLog {
  readonly chain: ChainIndex
  readonly keyring: Keyring
  /** undefined in a space that has no log of members. */
  readonly members: Members | undefined
  readonly #projector: ProjectionTarget
  readonly #tree = new BranchTree()
  /** Device, or a name of which nothing is known → branches whose next run waits for ops of it, and for which seqs. */
  readonly #waiters = new Map<DeviceId, Map<LogBranch, Set<number>>>()
  readonly #stuck = new Set<LogBranch>()
  /** What the names in a run could stand for when it was tried in vain. */
  readonly #tried = new WeakMap<OpenedRun, Map<DeviceId, Set<DeviceId>>>()
  /** Names of stretches of what is held, for who knows of forks that are not known here. In use from the first such name on. */
  readonly #names = new StretchNames((branch, seq) => this.#endsAbove(branch, seq))
  #usesNames = false
  #receivedCount = 0
  readonly #shifts = new Map<string, Shift>()
  readonly #stating = new Set<DeviceId>()
  /** The membership position of own ops that are not sealed yet. */
  #ownPosition = 0
  /** What is told of late runs (CUT11); by the first batch that tells it, and by run, those that count first standing first. */
  readonly #telling = new Set<string>()
  readonly #late = new Map<string, LateNote[]>()
  /** Where the log goes on from a base: its cut. */
  #cut: Hlc | undefined
  /** Their next runs name entries of the log of members that are not here yet. */
  readonly #awaiting = new Set<LogBranch>()

  /** Of the space that the keyring is of. */
  constructor(keyring: Keyring, projector: ProjectionTarget, members?: Members) {
    this.chain = new ChainIndex(keyring, members)
    this.keyring = keyring
    this.members = members
    this.#projector = projector
    if (members !== undefined) projector.askRoles?.((branch, seq) => this.#roleOf(members, branch, seq))
  }

  #roleOf(members: Members, id: DeviceId, seq: number): Role | undefined {
    const branch = this.#tree.get(id)
    // Of an own op that is not sealed yet: all of those are of one position.
    const position = this.chain.positionAt(id, seq) ?? this.#ownPosition
    return branch && members.roleAt(certifiedInstallation(branch.certificate), position)
  }

  /** Whether something here names entries of the log of members that are not here. */
  get isAwaitingMembers(): boolean {
    return this.#awaiting.size > 0
  }

  /** Entries of the log of members came. */
  membersGrew(): void {
    const awaiting = [...this.#awaiting]
    this.#awaiting.clear()
    for (const branch of awaiting) this.#advance(branch)
  }

  /** For a local snapshot. */
  get saved(): {
    readonly branches: readonly LogBranch[]
    readonly shifts: readonly Shift[]
    readonly stating: ReadonlySet<DeviceId>
  } {
    return { branches: [...this.#tree.all()], shifts: [...this.#shifts.values()], stating: this.#stating }
  }

  /** The next branch of a log that is made from a local snapshot, after what it goes on from. */
  restore(saved: SavedLogBranch, isStating: boolean): void {
    const parent = saved.parent === undefined ? undefined : this.#tree.get(saved.parent)
    const branch = this.#tree.add({ ...saved, parent, queue: [], verified: [], stuck: undefined })
    this.#names.grown(branch)
    if (isStating) this.#stating.add(branch.id)
  }

  /** How many batches were taken in: where it has not moved, nothing but own ops came to what is held. */
  get receivedCount(): number {
    return this.#receivedCount
  }

  heldSeq(branch: DeviceId): number {
    return this.#tree.get(branch)?.held ?? 0
  }

  held(): Map<DeviceId, number> {
    const vector = new Map<DeviceId, number>()
    for (const { id, held } of this.#tree.all()) if (held > 0) vector.set(id, held)
    return vector
  }

  /** The devices of which something is held. */
  devices(): Iterable<DeviceId> {
    return this.#tree.devices()
  }

  /** The public key of the installation that vouches for a device, 32 bytes; undefined where nothing of it is held. */
  installationOf(device: DeviceId): Uint8Array | undefined {
    const branch = this.#tree.of(device).at(0)
    return branch && certifiedInstallation(branch.certificate)
  }

  /** The branches that are held of a device. */
  branchesOf(device: DeviceId): DeviceId[] {
    return this.#tree.of(device).map(({ id }) => id)
  }

  /** Where a branch begins; undefined where it is not held. */
  branch(id: DeviceId): { device: DeviceId; base: number; parent: DeviceId | undefined; seq: number } | undefined {
    const branch = this.#tree.get(id)
    return branch && { device: branch.device, base: branch.base, parent: branch.parent?.id, seq: branch.held }
  }

  /** The chain tag after `seq` of a branch, where a run of the branch itself ends there. */
  tagAt(id: DeviceId, seq: number): Uint8Array | undefined {
    const branch = this.#tree.get(id)
    return branch && this.#tagAt(branch, seq)
  }

  readonly #tagAt = (branch: LogBranch, seq: number): Uint8Array | undefined => {
    if (branch.tip?.seq === seq) return branch.tip.tag
    return this.chain.tagAt(branch.id, seq) ?? branch.queue.find(({ toSeq }) => toSeq === seq)?.tag
  }

  /** The tags around the run of a branch itself that begins after `base`; undefined where none does. */
  runAfter(id: DeviceId, base: number): { readonly tagBefore: Uint8Array; readonly firstTag: Uint8Array } | undefined {
    const branch = this.#tree.get(id)
    const [end] = this.runEnds(id, base, Number.MAX_SAFE_INTEGER, 1)
    if (branch === undefined || end === undefined || base < (branch.below?.seq ?? 0)) return undefined
    const tagBefore = base === branch.base ? branch.baseTag : this.#tagAt(branch, base)
    const firstTag = this.#tagAt(branch, end)
    return tagBefore && firstTag && { tagBefore, firstTag }
  }

  /** The last seqs of the runs of a branch itself in (`above`, `upTo`], rising; at most `count`. */
  runEnds(id: DeviceId, above: number, upTo: number, count = Number.POSITIVE_INFINITY): number[] {
    const ends = this.chain.ends(id, above, upTo, count)
    for (const { toSeq } of this.#tree.get(id)?.queue ?? []) {
      if (toSeq > upTo || ends.length >= count) break
      if (toSeq > above) ends.push(toSeq)
    }
    return ends
  }

  /** The branch that holds a point of a device's history, where a batch ends there. */
  branchAt(device: DeviceId, seq: number, tag: Uint8Array): DeviceId | undefined {
    return this.#tree.find(device, seq, tag, this.#tagAt)?.id
  }

  /** The branch that holds the end of a batch; undefined where the batch is not held. */
  holder({ device, toSeq, tagAfter }: BatchHeader): DeviceId | undefined {
    return this.#tree.find(device, toSeq, tagAfter, this.#tagAt)?.id
  }

  /** The branch that a batch of this replica's own goes on. */
  continued({ device, fromSeq, tagBefore }: BatchHeader): DeviceId {
    const branch = fromSeq === 1 ? undefined : this.#tree.find(device, fromSeq - 1, tagBefore, this.#tagAt)
    return branch?.id ?? device
  }

  /**
   * Whether a stored batch, new in `branch`, makes names of what is held here other ones: it is a sibling of something that
   * goes on under the name of what is before it. Such a log must be read anew from the store.
   */
  isRenaming({ device, fromSeq, tagBefore }: BatchHeader, branch: DeviceId): boolean {
    if (this.#tree.get(branch) !== undefined) return false
    if (fromSeq === 1) return this.#tree.get(device) !== undefined
    const parent = this.#tree.find(device, fromSeq - 1, tagBefore, this.#tagAt)
    return parent !== undefined && parent.held >= fromSeq
  }

  /** Whether something that comes before a stored batch, new in `branch`, is not held. */
  lacksBefore({ device, fromSeq, tagBefore }: BatchHeader, branch: DeviceId): boolean {
    const known = this.#tree.get(branch)
    if (known !== undefined) return fromSeq > known.held + 1
    return fromSeq > 1 && this.#tree.find(device, fromSeq - 1, tagBefore, this.#tagAt) === undefined
  }

  /** Ops that are held and not projected. */
  backlog(): Backlog {
    const ops = { waiting: 0, parked: 0, locked: 0, unopenable: 0 }
    for (const branch of this.#tree.all()) {
      for (const run of branch.queue) ops[run.parked === undefined ? 'waiting' : countedAs[run.parked]] += run.ops
    }
    return ops
  }

  /** The first branch whose ops do not match their chain, whatever is held so far, as the error to show. */
  get damage(): DriftlogError | undefined {
    for (const { stuck } of this.#stuck) return stuck
    return undefined
  }

  /**
   * Checks signature, certificate and structure of a batch that comes from outside. `certificate`: of the device's first
   * batch, where that one is not held yet but comes with the same delivery. Throws what `verifyBatch` and `openBatch` throw.
   */
  check(batch: Batch, certificate?: Uint8Array): CheckedBatch {
    // A first batch of another space brings a certificate that is right for that space.
    if (batch.header.space !== this.keyring.space) throw malformed('a batch of another space')
    verifyBatch(batch, this.#tree.of(batch.header.device).at(0)?.certificate ?? certificate)
    return this.#open(batch)
  }

  /**
   * Opens a batch that was checked before it was stored. What does not open was taken in while the key was not here, or for its
   * shifts: it stays parked, and what follows of its device with it.
   */
  open(batch: Batch): CheckedBatch {
    try {
      return this.#open(batch)
    } catch (error) {
      if (!(error instanceof DriftlogError)) throw error
      return { batch, runs: undefined, parked: 'unopenable' }
    }
  }

  #open(batch: Batch): CheckedBatch {
    try {
      return { batch, runs: openBatch(batch, this.keyring) }
    } catch (error) {
      if (!(error instanceof DriftlogError)) throw error
      if (error.code === 'FORMAT_UNKNOWN') return { batch, runs: undefined, parked: 'format' }
      if (error.code === 'KEY_MISSING') return { batch, runs: undefined, parked: 'key' }
      // BR2: a server counts the shifts of what it holds and opens nothing; so they must be known here whatever the body is.
      if (batch.header.shifts.length > 0) return { batch, runs: undefined, parked: 'unopenable' }
      throw error
    }
  }

  /**
   * Takes in a batch that is durable here, as part of `branch`. Returns whether it was new. Throws GAP for one that does not
   * come next.
   */
  receive({ batch, runs, parked }: CheckedBatch, branchId: DeviceId = batch.header.device): boolean {
    const { header } = batch
    const known = this.#tree.get(branchId)
    const branch = known ?? this.#begin(header, branchId)
    if (header.toSeq <= branch.held) return false
    // Where a base begins, stores may have batches with runs below it.
    const isAcross = header.fromSeq <= branch.held && branch.held === branch.below?.seq
    if (header.fromSeq !== branch.held + 1 && !isAcross) {
      throw new DriftlogError('GAP', '', { device: header.device, have: branch.held, fromSeq: header.fromSeq })
    }
    const before = branch.held
    branch.held = header.toSeq
    this.#receivedCount++
    this.#names.grown(branch)
    branch.tip = { seq: header.toSeq, tag: header.tagAfter.slice() }
    for (const { toSeq } of header.innerEnds) branch.inside.add(toSeq)
    if (header.shifts.length > 0 && header.fromSeq === 1) this.#stating.add(branchId)
    if (runs === undefined) {
      const ops = header.toSeq - before
      branch.queue.push({ opened: undefined, parked, ops, toSeq: header.toSeq, tag: header.tagAfter.slice() })
    } else {
      for (const opened of runs) {
        const { run, tagAfter: tag } = opened
        if (toSeqOf(run) <= before) continue
        branch.queue.push({ opened, parked: undefined, ops: opCount(run), toSeq: toSeqOf(run), tag })
      }
    }
    // What it goes on from may have waited for more of a group, and nothing more of that comes.
    if (known === undefined && branch.parent !== undefined) this.#advance(branch.parent)
    this.#advance(branch)
    if (this.#usesNames) {
      for (const waiter of this.#names.takeNew().flatMap((name) => this.#known(name))) this.#advance(waiter)
    }
    return true
  }

  #begin(header: BatchHeader, id: DeviceId): LogBranch {
    const { device, fromSeq, tagBefore } = header
    const base = fromSeq - 1
    const parent = base === 0 ? undefined : this.#tree.find(device, base, tagBefore, this.#tagAt)
    const certificate = base === 0 ? header.certificate : parent?.certificate
    if (certificate === undefined) throw new DriftlogError('GAP', '', { device, have: 0, fromSeq })
    const start = parent?.start ?? chainStartOf(header, certificate)
    return this.#tree.add({
      id,
      device,
      parent,
      base,
      baseTag: tagBefore.slice(),
      certificate,
      start,
      held: base,
      tip: undefined,
      queue: [],
      inside: new Set(),
      verified: [],
      stuck: undefined,
    })
  }

  /** Announces the device that this replica writes as, before its first batch. */
  beginOwn(device: DeviceId, certificate: Uint8Array): void {
    const held = this.#tree.get(device)
    const start = held?.start ?? chainStart(this.keyring.space, certificate)
    this.chain.begin(device, start)
    this.#projector.begin(device, device, undefined, 0)
    if (held !== undefined) return
    this.#tree.add({
      id: device,
      device,
      parent: undefined,
      base: 0,
      baseTag: this.chain.tag(device, start, 0),
      certificate,
      start,
      held: 0,
      tip: undefined,
      queue: [],
      inside: new Set(),
      verified: [],
      stuck: undefined,
    })
  }

  /** The next own op will be of this membership position, and all before it are sealed or of the same. */
  writesAt(position: number): void {
    this.#ownPosition = position
  }

  /** Takes in an op of this replica's own, projected already, whose batch is not sealed yet. */
  holdOwn(device: DeviceId, toSeq: number): void {
    const own = this.#tree.get(device)
    if (own === undefined) throw new Error('own device was not announced')
    own.held = toSeq
    this.#names.grown(own)
  }

  /**
   * Takes in shifts (BR2), of which the largest counts. Whether one of them concerns what may be projected already: then the
   * log must be read anew.
   */
  addShifts(shifts: readonly Shift[]): boolean {
    let isLate = false
    for (const shift of shifts) {
      const key = shiftKey(shift.device, shift.base, shift.firstTag)
      const known = this.#shifts.get(key)
      if (known !== undefined && known.shift >= shift.shift && known.floor >= shift.floor) continue
      this.#shifts.set(key, {
        ...shift,
        shift: Math.max(shift.shift, known?.shift ?? 0),
        floor: Math.max(shift.floor, known?.floor ?? 0),
      })
      const { projected } = this.#projector
      isLate ||= this.#tree.of(shift.device).some(({ id }) => (projected.get(id) ?? 0) > shift.base)
    }
    return isLate
  }

  /** The log goes on from a base (SPEC CUT) with this cut. */
  goOnFrom(cut: Hlc): void {
    this.#cut = cut
  }

  /**
   * Takes in what a batch states that is held, or will be: shifts (BR2), and on a base what is told of late ops (CUT11). Whether
   * that concerns what may be projected already: then the log must be read anew, all statements first.
   */
  addStated(batch: Batch): boolean {
    const { shifts } = batch.header
    if (shifts.length === 0) return false
    const isLate = this.addShifts(shifts)
    return this.#cut === undefined ? isLate : this.#addLate(this.open(batch)) || isLate
  }

  #addLate({ batch: { header }, runs }: CheckedBatch): boolean {
    const { device, certificate, toSeq, tagAfter } = header
    // Two first batches of one device may tell different things.
    const teller = `${device}/${toSeq}/${toBase64Url(tagAfter)}`
    if (runs === undefined || certificate === undefined || this.#telling.has(teller)) return false
    this.#telling.add(teller)
    const installation = toBase64Url(certifiedInstallation(certificate))
    let isLate = false
    for (const bytes of runs.flatMap(({ run }) => [...run.events.values()]).map(lateBytesOf)) {
      const record = bytes && readLate(bytes)
      if (bytes === undefined || record === undefined || record.cut < this.#cut!) continue
      for (const note of notesOf(record, bytes, installation)) {
        const { run } = note
        const key = shiftKey(run.device, run.base, run.firstTag)
        const notes = this.#late.get(key) ?? []
        notes.push(note)
        this.#late.set(key, notes)
        isLate ||= this.#tree.of(run.device).some(({ held }) => held > run.base)
      }
    }
    return isLate
  }

  /** What is told of a run: by its author's own installation first, for the lowest cut, then by the bytes that tell it. */
  #notesOf({ device, certificate }: LogBranch, { run, tagAfter }: OpenedRun): readonly LateNote[] {
    const notes = this.#late.size === 0 ? undefined : this.#late.get(shiftKey(device, run.fromSeq - 1, tagAfter))
    if (notes === undefined) return []
    const own = toBase64Url(certifiedInstallation(certificate))
    const rank = ({ installation }: LateNote): number => (installation === own ? 0 : 1)
    return notes.sort((a, b) => rank(a) - rank(b) || a.cut - b.cut || (a.bytes < b.bytes ? -1 : 1))
  }

  /** What is told of a run that comes next: of what it refers to below the base, chain hashes that fit it are right. */
  #takeLate(branch: LogBranch, run: Run, note: LateNote): void {
    for (const { device, seq } of foreignReferences(run)) {
      const covering = note.prefix.covering(device, seq)
      if (covering !== undefined) this.chain.keep(device, covering)
    }
    const dots = [...foreignReferences(run), ...[...run.over.values()].flat()]
    const named = dots.flatMap((dot) => note.prefix.named(dot) ?? [])
    for (const { branch: of, seq, position } of named) this.chain.keepPosition(of, seq, position)
    const { before, ops } = note.run
    this.#projector.late?.(branch.id, run.fromSeq, { toSeq: NOWHERE, before, ops, stamps: named })
  }

  /** The branches whose first batch states shifts. */
  get statingShifts(): ReadonlySet<DeviceId> {
    return this.#stating
  }

  /** BR2: the shift that is known of a run, 0 for none. */
  shiftOf(device: DeviceId, { base, firstTag }: NamedRun): Hlc {
    return this.#shifts.get(shiftKey(device, base, firstTag))?.shift ?? 0
  }

  /** BR2: the greatest shift of the runs on the way to a point, where a batch ends; undefined where that is not held. */
  shiftAt(device: DeviceId, { seq, tag }: Point): Hlc | undefined {
    const holder = this.#tree.find(device, seq, tag, this.#tagAt)
    if (holder === undefined) return undefined
    let greatest = pathOf(holder).find(({ below }) => below !== undefined)?.below?.shift ?? 0
    for (const shift of this.#shifts.values()) {
      if (shift.device !== device || shift.base >= seq || shift.shift <= greatest) continue
      let branch: LogBranch | undefined = holder
      while (branch !== undefined && shift.base < branch.base) branch = branch.parent
      const run = branch && this.runAfter(branch.id, shift.base)
      if (run !== undefined && equalBytes(run.firstTag, shift.firstTag)) greatest = shift.shift
    }
    return greatest
  }

  /** Projects what has become ready, starting from one branch. */
  #advance(start: LogBranch): void {
    const ready = [start]
    for (let branch = ready.pop(); branch !== undefined; branch = ready.pop()) {
      let done = 0
      for (let taken = this.#projectNext(branch, 0); taken > 0; taken = this.#projectNext(branch, done)) done += taken
      if (done === 0) continue
      const [{ toSeq, ops }] = branch.queue
      branch.queue.splice(0, done)
      // Not as arguments: there may be more of them than a call takes.
      for (const waiter of this.#reached(branch, toSeq - ops)) ready.push(waiter)
    }
  }

  /**
   * Who waited for one of the ops of a branch above `before`. Who does not know of a fork calls a branch by the name of any
   * that it goes on from, and may mean this one: so what is stuck is tried again when one more branch reaches what it refers
   * to, and not before.
   */
  #reached(branch: LogBranch, before: number): LogBranch[] {
    const woken = branch.id === branch.device ? [] : this.#known(branch.id)
    const after = this.#projector.projected.get(branch.id) ?? 0
    const waiters = this.#waiters.get(branch.device)
    for (const [waiter, seqs] of waiters ?? []) {
      let isReached = false
      for (const seq of seqs) isReached ||= seq > before && seq <= after
      if (!isReached) continue
      waiters?.delete(waiter)
      woken.push(waiter)
    }
    for (const waiter of woken) {
      waiter.stuck = undefined
      this.#stuck.delete(waiter)
    }
    return woken
  }

  /** Who waited for a name of which nothing was known: it can wait for its device now. */
  #known(name: DeviceId): LogBranch[] {
    const waiters = this.#waiters.get(name)
    this.#waiters.delete(name)
    return [...(waiters?.keys() ?? [])]
  }

  /** Projects the next run of a queue (several only where a group crosses them). How many: 0 if it has to wait. */
  #projectNext(branch: LogBranch, start: number): number {
    if (branch.stuck !== undefined || start === branch.queue.length || !this.#canBegin(branch)) return 0
    // What is verified of a group stays so: to begin anew with each of its runs would be quadratic.
    const unit = branch.verified
    let before = unit.at(-1) ?? { hash: this.chain.last(branch.id), tag: this.chain.lastTag(branch.id) }
    do {
      const next = branch.queue[start + unit.length]
      if (next?.opened === undefined && !(next === undefined && unit.length > 0 && this.#isStem(branch))) return 0
      // A group that no branch which follows can finish: it is void.
      if (next?.opened === undefined) break
      const verified = this.#verify(branch, next.opened, before)
      if (verified === undefined) return 0
      before = { ...verified, tag: next.tag }
      unit.push({ ...verified, tag: next.tag })
    } while (endsInsideGroup(unit[unit.length - 1].run))
    branch.verified = []
    for (const { run, hash, tag, late } of unit) {
      if (late !== undefined) this.#takeLate(branch, run, late)
      else if (run.fromSeq === 1 && this.#stating.has(branch.id)) {
        this.#projector.late?.(branch.id, 1, { ...NOTHING_SEEN, toSeq: toSeqOf(run) })
      }
      this.#judgeRights(branch, run)
      this.chain.extend(branch.id, toSeqOf(run), hash, run.keyEpoch, greatestPosition(run))
      const shift = this.#shifts.get(shiftKey(branch.device, run.fromSeq - 1, tag))
      if (shift !== undefined) this.#projector.shift(branch.id, run.fromSeq, shift.shift, shift.floor)
    }
    this.#projector.project(unit.map(({ run }) => run))
    return unit.length
  }

  /** Whether others go on from the end of this branch, so that nothing more of it comes. */
  #isStem(branch: LogBranch): boolean {
    return this.#tree.of(branch.device).some(({ parent, base }) => parent === branch && base === branch.held)
  }

  /** Whether a branch is begun, or can be now: what it goes on from is projected. */
  #canBegin(branch: LogBranch): boolean {
    const { id, device, parent, base, start } = branch
    if (parent === undefined) this.chain.begin(device, start, id)
    else if ((this.#projector.projected.get(parent.id) ?? 0) < base || !this.chain.beginBranch(id, parent.id, base)) {
      this.#wait(branch, device, base)
      return false
    }
    this.#projector.begin(id, device, parent?.id, base)
    return true
  }

  /** MEM6: marks the ops that their author had no right to write, or that say they know less of the members than what they saw. */
  #judgeRights(branch: LogBranch, run: Run): void {
    const { members } = this
    if (members === undefined) return
    const installation = certifiedInstallation(branch.certificate)
    let least = run.fromSeq === 1 ? 0 : (this.chain.positionAt(branch.id, run.fromSeq - 1) ?? 0)
    for (let op = 0; op < opCount(run); op++) {
      for (let head = firstHead(run, op); head < run.headEnd[op]; head++) {
        const device = run.devices[run.headDevice[head]]
        if (device !== branch.id) least = Math.max(least, this.chain.positionAt(device, run.headSeq[head]) ?? 0)
      }
      const position = run.membership[op]
      const role = members.roleAt(installation, position)
      if (position < least || (role !== 'writer' && role !== 'admin')) run.voids.add(op)
      least = Math.max(least, position)
    }
  }

  /** The run as it is meant, and the chain hash after it; undefined while something that it refers to is missing. */
  #verify(
    branch: LogBranch,
    opened: OpenedRun,
    { hash: before, tag: tagThere }: { readonly hash: Uint8Array; readonly tag: Uint8Array },
  ): Omit<VerifiedRun, 'tag'> | undefined {
    const { run, bytes, tagBefore, tagAfter } = opened
    if (greatestPosition(run) > (this.members?.length ?? 0)) {
      this.#awaiting.add(branch)
      return undefined
    }
    const isAfter = (hash: Uint8Array): boolean => equalBytes(this.chain.tag(branch.id, hash, run.keyEpoch), tagAfter)
    const wanted = new Map<DeviceId, number>()
    let references = 0
    for (const { device, seq } of foreignReferences(run)) {
      wanted.set(device, Math.max(seq, wanted.get(device) ?? 0))
      references++
    }
    const candidates = new Map<DeviceId, readonly DeviceId[]>()
    let isMissing = false
    for (const [name, seq] of wanted) {
      const named = this.#holder(name)
      const meant = this.#tree.meant(name, named, seq)
      const projected = meant.filter((branch) => this.#hasReached(branch, seq))
      // Where one more branch reaches that op, the run may be tried once more.
      if (projected.length !== 1 || projected[0] !== named) this.#wait(branch, named?.device ?? name, seq)
      if (projected.length < meant.length || meant.length === 0) isMissing = true
      if (projected.length === 0) return undefined
      candidates.set(
        name,
        projected.map(({ id }) => id),
      )
    }
    // A name that only handles use need not be waited for: all that the op saw is here, under this name or another.
    for (const name of run.devices) {
      if (name === run.device || candidates.has(name)) continue
      const holder = this.#holder(name)
      if (holder !== undefined && holder.id !== name) candidates.set(name, [holder.id])
    }
    const notes = this.#notesOf(branch, opened)
    const read = (meaning: Meaning): Omit<VerifiedRun, 'tag'> | undefined => {
      for (const late of notes.length === 0 ? [undefined] : notes) {
        const told = late && ((of: DeviceId, seq: number) => late.prefix.covering(of, seq)?.hash)
        const hash = this.chain.hashAfter(run, bytes, before, told === undefined ? { meaning } : { meaning, told })
        if (hash === undefined || !isAfter(hash)) continue
        const meant = { run: withMeaning(run, branch.id, meaning), hash }
        return late === undefined ? meant : { ...meant, late }
      }
      return undefined
    }
    if (equalBytes(tagThere, tagBefore)) {
      // Where nothing forked there is one way of reading it, and it is the right one.
      const only = [...candidates.values()].every((branches) => branches.length === 1)
      const plain = (name: DeviceId): DeviceId => candidates.get(name)?.[0] ?? name
      const found = only ? read(plain) : undefined
      if (found !== undefined) return found
      const cost = bytes.length + 32 * references + 128
      const tried = this.#tried.get(opened) ?? new Map<DeviceId, Set<DeviceId>>()
      const untried = this.#untried(branch, candidates, tried)
      for (const meaning of meanings(untried, tried, cost)) {
        const found = read(meaning)
        if (found !== undefined) return found
      }
      for (const [name, branches] of untried) {
        const before = tried.get(name)
        if (before === undefined) tried.set(name, new Set(branches))
        else for (const id of branches) before.add(id)
      }
      this.#tried.set(opened, tried)
    }
    if (isMissing) return undefined
    const details = { device: branch.device, fromSeq: run.fromSeq, toSeq: toSeqOf(run) }
    branch.stuck = new DriftlogError('CHAIN_BROKEN', '', details)
    this.#stuck.add(branch)
    return undefined
  }

  /** Whether an op is projected and, where it is below a base in a run that goes on after it, that run is verified. */
  #hasReached({ id, below }: LogBranch, seq: number): boolean {
    if ((this.#projector.projected.get(id) ?? 0) < seq) return false
    return below === undefined || seq > below.lastSeq || this.chain.verifiedSeq(id) >= seq
  }

  /** The branch of a name, or the one that holds the stretch of that name; undefined for a device of which no branch has the id. */
  #holder(name: DeviceId): LogBranch | undefined {
    const branch = this.#tree.get(name)
    if (branch !== undefined || this.#tree.of(name).length > 0) return branch
    this.#usesNames = true
    return this.#names.holder(name)
  }

  /** What an author saw before it most likely still means; else by id, so that the order of arrival decides nothing. */
  #likelyFirst(author: LogBranch, branches: readonly DeviceId[]): readonly DeviceId[] {
    if (branches.length === 1) return branches
    return branches
      .map((id) => ({ id, seen: this.#projector.seenBy(author.id, id) }))
      .sort((a, b) => b.seen - a.seen || compareDevices(a.id, b.id))
      .map(({ id }) => id)
  }

  /**
   * What is left to try. Siblings may come one by one: where a single name can stand for something new, its old candidates are
   * left out, and not even sorted again.
   */
  #untried(author: LogBranch, candidates: Candidates, tried: Tried): Candidates {
    const left = new Map(candidates)
    if (tried.size > 0) {
      const fresh = [...candidates]
        .map(([name, branches]) => [name, branches.filter((id) => tried.get(name)?.has(id) !== true)] as const)
        .filter(([, branches]) => branches.length > 0)
      if (fresh.length === 0) return new Map()
      if (fresh.length === 1) left.set(...fresh[0])
    }
    for (const [name, branches] of left) left.set(name, this.#likelyFirst(author, branches))
    return left
  }

  *#endsAbove(branch: LogBranch, seq: number): Generator<RunEnd> {
    let last = seq
    for (const toSeq of this.chain.ends(branch.id, seq, branch.held)) {
      yield { toSeq, tag: this.chain.tagAt(branch.id, toSeq)! }
      last = toSeq
    }
    for (const { toSeq, tag } of branch.queue) if (toSeq > last) yield { toSeq, tag }
  }

  #wait(branch: LogBranch, key: DeviceId, seq: number): void {
    let waiters = this.#waiters.get(key)
    if (waiters === undefined) this.#waiters.set(key, (waiters = new Map()))
    const seqs = waiters.get(branch)
    if (seqs === undefined) waiters.set(branch, new Set([seq]))
    else seqs.add(seq)
  }
}

/** A branch and those that it goes on from. */
const pathOf = (last: LogBranch): LogBranch[] => {
  const path: LogBranch[] = []
  for (let branch: LogBranch | undefined = last; branch !== undefined; branch = branch.parent) path.push(branch)
  return path
}

const shiftKey = (device: DeviceId, base: number, firstTag: Uint8Array): string =>
  `${device}/${base}/${toBase64Url(firstTag)}`

/** Where a group counts more than the bound, it is void, and nothing waits for the rest of it. */
const endsInsideGroup = (run: Run): boolean => {
  const left = run.groupLeft[opCount(run) - 1]
  return left > 1 && left <= MAX_GROUP_OPS
}
