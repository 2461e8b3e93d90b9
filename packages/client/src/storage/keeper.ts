/**
 * Everything that goes into the local store, and what other tabs put there.
 *
 *     mutate ─▶ open run ─ seal ─▶ unstored batches ─ append ─▶ stored        (one append at a time: group commit)
 *     session ─▶ ingest ─ check ─ append ─▶ log ─▶ projector
 *     other tabs ─▶ watch ─ read ─▶ log ─▶ projector
 *     a fork, a shift, damage ─▶ rebuilder ─▶ another log in the place of this one
 *
 * Invariants:
 * - KEEP1 a remote batch enters the log only once it is durable here, so whatever an op saw is stored before it (SYNC1);
 * - KEEP2 one append at a time; own batches in order of seq; an append that failed is tried again as it was, and until it
 *   succeeds the replica is read-only and keeps everything in memory;
 * - KEEP3 `storedSeq` (own) and `stored()` (all) tell what is durable, never what is only in memory;
 * - KEEP4 once `close` was called nothing but its own last append is begun: no retry, no ingest, no reading;
 * - KEEP5 whose device is found to be written elsewhere writes on under another (BR3), decided before anything else is stored;
 * - KEEP6 where damage is found in the store, or healed, the log is read anew, so that it holds what the store can give.
 */
import {
  type AppendOutcome,
  type Batch,
  type BatchHeader,
  type BatchPage,
  branchesInTheWay,
  type CheckedBatch,
  type Cursor,
  type DeviceId,
  dominates,
  DriftlogError,
  equalBytes,
  type Floor,
  isRefusal,
  type LocalTree,
  type PageLimit,
  type PlantedFloor,
  type PrunePoint,
  type QuarantiningStore,
  type Randomness,
  type RecordChange,
  type RefusedBranch,
  startCursor,
  type StoredBatch,
  type TakenBranch,
  type Timers,
  type VersionVector,
} from '@driftlog/core'
import { type Observable, Subject } from 'rxjs'
import type { ReplicaState } from '../state/replica-state.ts'
import { clockRecord, cursorRecord, forgetDevice } from './bookmarks.ts'
import type { RenewedIdentity } from './identity.ts'
import { localTree } from './local-tree.ts'
import { enterLate, lateRecords } from './late-branches.ts'
import { type Outbox, readOutbox } from './outbox.ts'
import { LOAD_PAGE, readAll } from './read-store.ts'
import { type OwnEnd, Rebuilder, type ShiftStatement } from './rebuilder.ts'
import { Retry } from './retry.ts'
import { Traffic } from './traffic.ts'

/** So long at most mutations wait for the server's answer before they are stored, where nobody waits for them. */
const GATHER_MS = 50
/** The same where others write much: then everybody has enough to do to bring in what comes. */
const GATHER_BUSY_MS = 100

export interface KeeperOptions {
  readonly store: QuarantiningStore
  readonly space: string
  readonly timers: Timers
  readonly random: Randomness
  readonly state: ReplicaState
  /** Everything up to it is in the log. */
  readonly read: Cursor
  /** Another identity for this slot, in the place of the one that is given up. */
  readonly renew: (givenUp: DeviceId) => Promise<RenewedIdentity>
  /** In a space with members: takes in what other tabs stored of their log. */
  readonly reloadMembers?: () => Promise<void>
}

/** See `Keeper.plantLate`. */
export interface PlantingLate {
  readonly floors: readonly PlantedFloor[]
  readonly records: readonly RecordChange[]
  readonly there: QuarantiningStore
  readonly placed: VersionVector
  /** See `StatedLate`. */
  readonly held: number
}

/** What became of a delivery. */
export interface Ingested {
  readonly taken: readonly TakenBranch[]
  readonly isRenamed: boolean
  readonly refused: readonly RefusedBranch[]
}

export class Keeper {
  readonly #options: KeeperOptions
  readonly #rebuilder: Rebuilder
  readonly #flushRetry: Retry
  readonly #readRetry: Retry
  readonly #traffic: Traffic
  /** Our place in the local store's arrival order: everything up to it is in the log. */
  #read: Cursor
  /** Sealed and not stored yet, in order; of a device that was given up too. */
  #unstored: Batch[] = []
  #records = new Map<string, RecordChange>()
  /** The end of the chain of store operations: each waits for the one before. */
  #tail: Promise<void> = Promise.resolve()
  #flushQueued = false
  /** Entries of the log of members are on their way to the store. */
  #haveMembersGrown = false
  /** Cancels the flush that is due soon. */
  #flushSoon: (() => void) | undefined
  #isPushing = false
  #readQueued = false
  /** Devices of which something can never be taken in (what they signed does not decode), and why. */
  readonly #ended = new Map<DeviceId, DriftlogError['code']>()
  /** How many keys there were when the log was last asked what waits for one. */
  #epochs: number
  #stopWatching: (() => void) | undefined
  readonly #stopHearing: () => void
  #closed = false

  /** Something became durable, or the state of the storage changed. */
  readonly changes = new Subject<void>()
  /** Ops came in from the store that other tabs wrote. */
  readonly arrivals = new Subject<void>()
  /** Set while the last append of own ops failed. */
  error: DriftlogError | undefined
  /** Set while what other tabs stored cannot be read. Nothing is at risk: writing goes on. */
  readError: DriftlogError | undefined

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#read = options.read
    this.#epochs = options.state.log.keyring.keys().size
    this.#flushRetry = new Retry(options.timers, () => this.#queueFlush())
    this.#readRetry = new Retry(options.timers, () => this.#queueRead())
    this.#traffic = new Traffic(options.timers)
    this.#rebuilder = new Rebuilder({
      ...options,
      sealed: () => this.#seal(),
      flush: () => this.#flush(),
      records: () => this.#records.values(),
    })
    const { store, space } = options
    // KEEP6. Whatever it comes to light in, that piece of work is followed by a rebuilding.
    this.#stopHearing = store.onDamage(({ place }) => {
      if (place.space === space) this.#rebuilder.need()
    })
  }

  /** Starts listening for what other tabs write. */
  begin(): void {
    const { store, space } = this.#options
    this.#stopWatching = store.watch(space, () => this.#queueRead())
    // What another tab stored between the reading of the store and now.
    this.#queueRead()
  }

  /** The devices that were written as since the opening. */
  get ownDevices(): ReadonlySet<DeviceId> {
    return this.#rebuilder.ownDevices
  }

  /** A writer has written its last. Before the state is replaced. */
  get ends(): Observable<OwnEnd> {
    return this.#rebuilder.ends
  }

  /** The device that is written as. */
  get #device(): DeviceId {
    return this.#options.state.writer.identity.device
  }

  /** The last own seq that is durable here. */
  get storedSeq(): number {
    const { log, writer } = this.#options.state
    const first = this.#unstored.find(({ header }) => header.device === this.#device)
    return first === undefined ? log.heldSeq(this.#device) - writer.openCount : first.header.fromSeq - 1
  }

  /** The same of a device that was written as before. */
  storedSeqOf(device: DeviceId): number {
    if (device === this.#device) return this.storedSeq
    const first = this.#unstored.find(({ header }) => header.device === device)
    return first === undefined ? Number.MAX_SAFE_INTEGER : first.header.fromSeq - 1
  }

  /** Own ops that are not durable yet. */
  get unsavedCount(): number {
    const sealed = this.#unstored.reduce((sum, { header }) => sum + header.toSeq - header.fromSeq + 1, 0)
    return sealed + this.#options.state.writer.openCount
  }

  /** What is durable here. */
  stored(): VersionVector {
    const { log } = this.#options.state
    const vector = log.held()
    const lower = (branch: DeviceId, seq: number): void => {
      if (seq > (log.branch(branch)?.base ?? 0)) vector.set(branch, seq)
      else vector.delete(branch)
    }
    for (const { header } of this.#unstored.toReversed()) {
      const branch = log.holder(header)
      // Not in the log: it goes on from what damage hides.
      if (branch !== undefined) lower(branch, header.fromSeq - 1)
    }
    lower(this.#device, this.storedSeq)
    return vector
  }

  /** The same as a tree, for a session's questions. */
  tree(): LocalTree {
    return localTree(this.#options.state.log, this.#device, this.storedSeq)
  }

  /** Where every branch ends that is durable here. */
  tips(): Map<DeviceId, { readonly seq: number; readonly tag: Uint8Array }> {
    const { log } = this.#options.state
    const tips = new Map<DeviceId, { readonly seq: number; readonly tag: Uint8Array }>()
    for (const [branch, seq] of this.stored()) {
      const tag = log.tagAt(branch, seq)
      // None where a branch has nothing of its own in a base, and nothing came after it.
      if (tag !== undefined) tips.set(branch, { seq, tag })
    }
    return tips
  }

  /**
   * Stores what is open in the next turn of the event loop: all mutations until then, and reads between them, share one append.
   * While the server has not answered for what was stored before, or others write much, a little later: then they share one batch
   * too.
   */
  scheduleFlush(): void {
    if (this.error !== undefined || this.#flushSoon !== undefined || this.#flushQueued) return
    const delayMs = this.#traffic.isBusy ? GATHER_BUSY_MS : this.#isPushing ? GATHER_MS : 0
    this.#flushSoon = this.#options.timers.schedule(delayMs, () => {
      this.#flushSoon = undefined
      this.#queueFlush()
    })
  }

  /** Whether the server has yet to answer for something that was pushed. */
  set isPushing(isPushing: boolean) {
    if (this.#isPushing === isPushing) return
    this.#isPushing = isPushing
    if (!isPushing && !this.#traffic.isBusy && this.#flushSoon !== undefined) this.flushNow()
  }

  /** Somebody waits for what is open to be stored. */
  flushNow(): void {
    if (this.error === undefined) this.#queueFlush()
  }

  #queueFlush(): void {
    if (this.#flushQueued || this.#closed) return
    this.#flushQueued = true
    this.#enqueue(async () => {
      this.#flushSoon?.()
      this.#flushSoon = undefined
      this.#flushQueued = false
      await this.#settle()
    }).catch((error: unknown) => this.#flushFailed(error))
  }

  /** The store tells of own appends too, so mostly there is nothing new. */
  #queueRead(): void {
    if (this.#readQueued || this.#closed) return
    this.#readQueued = true
    this.#enqueue(() => this.#readArrivals()).catch((error: unknown) => this.#readFailed(error))
  }

  /** Resolves when everything written so far is durable; rejects while the storage fails. */
  settled(): Promise<void> {
    return this.#enqueue(() => (this.unsavedCount > 0 ? this.#settle() : Promise.resolve()))
  }

  async #settle(): Promise<void> {
    await this.#flush()
    const isMore = this.#haveMembersGrown
    if (isMore) this.#letIn()
    // Everything is stored: what fails now is a reading.
    await this.#rebuildIfNeeded().catch((error: unknown) => this.#readFailed(error))
    if (isMore) this.arrivals.next()
  }

  /** Resolves when the log has all that the store has; rejects while that cannot be read. */
  caughtUp(): Promise<void> {
    return this.#enqueue(() => this.#readArrivals())
  }

  /**
   * Stores records that tell of all that is stored; a cache, whose loss is no news. `make` is called when nothing is unsaved, or
   * damaged. Answers whether that was so, and they are stored.
   */
  async saveCache(make: () => readonly RecordChange[] | undefined): Promise<'saved' | 'not now' | 'failed'> {
    return this.#enqueue(async () => {
      const { store, space } = this.#options
      const isWhole = this.unsavedCount === 0 && !this.#rebuilder.isNeeded && store.damaged(space).length === 0
      const records = isWhole ? make() : undefined
      if (records === undefined) return 'not now'
      try {
        await store.append(space, [], { records })
        return 'saved'
      } catch {
        // What people wrote needs the room more.
        const none = records.map(({ key }) => ({ key, value: undefined }))
        await store.append(space, [], { records: none }).catch(() => undefined)
        return 'failed'
      }
    })
  }

  /** A small value for the next append. */
  keep(record: RecordChange): void {
    this.#records.set(record.key, record)
  }

  /**
   * The log of members grew, and with it perhaps the keys: stores `records` and hands the log what waited for that. While the storage
   * fails they wait, like own work; nothing that depends on them is stored without them.
   */
  async membersGrew(records: readonly RecordChange[]): Promise<void> {
    for (const record of records) this.keep(record)
    this.#haveMembersGrown = true
    await this.#enqueue(() => this.#settle()).catch((error: unknown) => this.#flushFailed(error))
  }

  /** What waited for entries of the log of members, or for a key that came with them. */
  #letIn(): void {
    this.#haveMembersGrown = false
    const { log } = this.#options.state
    log.membersGrew()
    const epochs = log.keyring.keys().size
    // Only for a key that is new: what no key opens would have the log read anew with every entry.
    if (epochs > this.#epochs && log.backlog().locked > 0) this.#rebuilder.need()
    this.#epochs = epochs
  }

  /** Answers all that is sealed and not stored yet. */
  #seal(): readonly Batch[] {
    const { writer } = this.#options.state
    if (writer.openCount > 0) {
      this.#unstored.push(...writer.seal())
      this.keep(clockRecord(this.#device, writer.ownHighest))
    }
    return this.#unstored
  }

  async #flush(): Promise<void> {
    const { store, space, state } = this.#options
    const batches = this.#seal()
    if (batches.length === 0 && this.#records.size === 0) {
      this.#flushed()
      return
    }
    const records = this.#records
    this.#records = new Map()
    try {
      const outcomes = await store.append(space, batches, {
        records: [...records.values()],
        allOrNothing: true,
        behindDamage: true,
      })
      const refused = outcomes.findIndex(isRefusal)
      if (refused >= 0) throw lostOwn(batches[refused], outcomes[refused])
      // Somebody else's ops of this device are stored that this log does not have: it must be read anew.
      const isElse = outcomes.some((outcome, index) => {
        const { header } = batches[index]
        const branch = state.log.holder(header)
        // Of a device of before, behind damage: in no log by now.
        if (branch === undefined && header.device !== this.#device) return false
        return isElsewhere(outcome, branch)
      })
      if (isElse) this.#rebuilder.needRenewal()
      this.#unstored = []
      this.#follow(outcomes, batches)
    } catch (error) {
      for (const [key, record] of records) if (!this.#records.has(key)) this.#records.set(key, record)
      throw error
    }
    this.#flushed()
    this.changes.next()
  }

  #flushed(): void {
    this.#flushRetry.reset()
    this.error = undefined
  }

  /** Moves our place in the store over own appends, so that they are not read back. */
  #follow(outcomes: readonly AppendOutcome[], batches: readonly Batch[]): void {
    outcomes.forEach((outcome, index) => {
      if (outcome.kind !== 'appended' || outcome.position !== this.#read.position + 1) return
      this.#read = { position: outcome.position, tag: batches[index].header.tagAfter }
    })
  }

  /** What was to be stored could not be; it is tried again by who asked for it. */
  failed(cause: unknown): void {
    if (!this.#closed) this.#readFailed(cause)
  }

  /** KEEP2. */
  #flushFailed(cause: unknown): void {
    this.error = storageError(cause)
    this.changes.next()
    if (!this.#closed) this.#flushRetry.later()
  }

  #readFailed(cause: unknown): void {
    this.readError = storageError(cause)
    this.changes.next()
    if (!this.#closed) this.#readRetry.later()
  }

  /**
   * SYNC2: checks and stores a delivery with its cursor in one transaction, then hands it to the log. Batches that do not
   * check out, or whose beginning is not held, are left out and named, and then the cursor is not stored.
   */
  async ingest(batches: readonly Batch[], cursor: Cursor | undefined): Promise<Ingested> {
    return this.#enqueue(async () => {
      await this.#rebuildIfNeeded()
      const { store, space } = this.#options
      const refused: RefusedBranch[] = []
      let checked = this.#check(batches, refused)
      const append = (): Promise<readonly AppendOutcome[]> =>
        store.append(space, batchesOf(checked), {
          records: cursor === undefined || refused.length > 0 ? [] : [cursorRecord(cursor)],
          allOrNothing: true,
        })
      let outcomes = await append()
      // More than once where something is hidden by damage: what goes on from a gap is refused only after it.
      while (outcomes.some(isRefusal)) {
        // A refused batch makes no difference to how the others are judged.
        const all = outcomes
        const tree = this.tree()
        all.forEach((outcome, index) => refused.push(...this.#refusalsOf(checked[index].batch, outcome, tree)))
        checked = checked.filter((_, index) => !isRefusal(all[index]))
        outcomes = await append()
      }
      // What was kept for the next append is older than what this one has stored.
      if (refused.length === 0 && cursor !== undefined) this.#records.delete(cursorRecord(cursor).key)
      const taken = this.#take(checked, outcomes)
      this.#traffic.came(newOps(checked, outcomes))
      this.#follow(outcomes, batchesOf(checked))
      const isRenamed = this.#rebuilder.isNeeded
      await this.#rebuildIfNeeded()
      return { taken, isRenamed, refused }
    })
  }

  /** Hands what was appended to the log, as far as it fits the log's names. */
  #take(checked: readonly CheckedBatch[], outcomes: readonly AppendOutcome[]): TakenBranch[] {
    return outcomes.flatMap((outcome, index): TakenBranch[] => {
      if (outcome.kind !== 'appended' && outcome.kind !== 'duplicate') return []
      const { batch } = checked[index]
      // A duplicate may be new to the log: an append that failed after its work was done, another tab's.
      const isNew = outcome.kind === 'appended' || this.#options.state.log.holder(batch.header) === undefined
      if (isNew) this.#arrived(checked[index], outcome.branch)
      return [{ branch: outcome.branch, toSeq: batch.header.toSeq }]
    })
  }

  /** A stored batch that is new to the log. */
  #arrived(checked: CheckedBatch, branch: DeviceId): void {
    const { log } = this.#options.state
    const { header } = checked.batch
    if (header.device === this.#device) this.#rebuilder.needRenewal()
    else if (log.isRenaming(header, branch) || log.addStated(checked.batch)) this.#rebuilder.need()
    if (this.#rebuilder.isNeeded) return
    // What is before it is in the store, and was not read yet.
    if (log.lacksBefore(header, branch)) this.#rebuilder.need()
    else log.receive(checked, branch)
  }

  #refusalsOf({ header }: Batch, outcome: AppendOutcome, tree: LocalTree): RefusedBranch[] {
    if (!isRefusal(outcome)) return []
    const { device } = header
    if (outcome.kind === 'below') {
      return [{ branch: device, device, code: 'BELOW_BASE', details: { floor: outcome.floor } }]
    }
    const { have } = outcome
    const ended = this.#ended.get(device)
    if (ended !== undefined) return [{ branch: device, device, code: ended, details: { have } }]
    if (outcome.kind === 'gap') return [{ branch: device, device, code: 'GAP', details: { have } }]
    const branches = branchesInTheWay(tree, header)
    // The store has what the log has not: hidden by damage, or another tab's. Never left out without a name.
    if (branches.length === 0) return [{ branch: device, device, code: 'GAP', details: { have } }]
    return branches.map((branch) => ({ branch, device, code: 'FORK', details: { have } }))
  }

  #check(batches: readonly Batch[], refused: RefusedBranch[]): CheckedBatch[] {
    const { log } = this.#options.state
    const setAside = new Set<DeviceId>()
    const certificates = new Map<DeviceId, Uint8Array>()
    const checked: CheckedBatch[] = []
    for (const batch of batches) {
      const { device, certificate, fromSeq, shifts } = batch.header
      // What states shifts is looked at all the same: it begins its device anew, and what they admitted will come.
      if (setAside.has(device) && shifts.length === 0) continue
      try {
        // Nothing of this device is here or comes with it, so not its key either: what is before it is missing.
        if (fromSeq > 1 && !certificates.has(device) && log.branchesOf(device).length === 0) {
          throw new DriftlogError('GAP', '', { have: 0 })
        }
        checked.push(log.check(batch, certificates.get(device)))
        if (certificate !== undefined) certificates.set(device, certificate)
      } catch (error) {
        if (!(error instanceof DriftlogError)) throw error
        setAside.add(device)
        if (error.code === 'MALFORMED' || error.code === 'TOO_LARGE') this.#ended.set(device, error.code)
        refused.push({ branch: device, device, code: error.code, details: { fromSeq } })
      }
    }
    return checked
  }

  async #readArrivals(): Promise<void> {
    this.#readQueued = false
    const isNew = await this.#readNew()
    const { reloadMembers, state } = this.#options
    // What another tab was told: entries that are named here, or a key.
    if (reloadMembers !== undefined && (state.log.isAwaitingMembers || state.log.backlog().locked > 0)) {
      await reloadMembers()
      this.#letIn()
    }
    await this.#rebuildIfNeeded()
    this.#readRetry.reset()
    const hadFailed = this.readError !== undefined
    this.readError = undefined
    if (isNew) this.arrivals.next()
    else if (hadFailed) this.changes.next()
  }

  /** Reads what is in the store beyond our place. Answers whether any of it was new to the log. */
  async #readNew(): Promise<boolean> {
    const { state } = this.#options
    let isNew = false
    for (let more = true; more && !this.#closed; ) {
      const page = await this.#pageAfter(this.#read)
      if (page === undefined) break
      for (const { batch, branch } of page.batches) {
        if (state.log.holder(batch.header) !== undefined) continue
        this.#arrived(state.log.open(batch), branch)
        isNew = true
      }
      this.#read = page.cursor
      more = page.more
    }
    return isNew
  }

  /** undefined where another tab has pruned what comes there: then the store is read anew. */
  async #pageAfter(cursor: Cursor): Promise<BatchPage | undefined> {
    const { store, space } = this.#options
    try {
      return await store.readAfter(space, cursor, LOAD_PAGE)
    } catch (error) {
      if (!(error instanceof DriftlogError) || error.code !== 'BASE_MISMATCH') throw error
      this.#rebuilder.need()
      return undefined
    }
  }

  /** All batches that are stored here, once everything written so far is, and where the branches go on that were pruned. */
  async batches(): Promise<{ readonly stored: readonly StoredBatch[]; readonly floors: ReadonlyMap<DeviceId, Floor> }> {
    return this.#enqueue(async () => {
      const { store, space } = this.#options
      await this.#flush()
      const stored: StoredBatch[] = []
      for (let cursor = startCursor, more = true; more; ) {
        const page = await store.readAfter(space, cursor, LOAD_PAGE)
        stored.push(...page.batches)
        cursor = page.cursor
        more = page.more
      }
      return { stored, floors: await store.floors(space) }
    })
  }

  /** Stores records now. */
  async save(records: readonly RecordChange[]): Promise<void> {
    const { store, space } = this.#options
    await this.#enqueue(() => store.append(space, [], { records }))
  }

  /**
   * STORE7: what is below a base, which is among the records, is taken away. The log in memory goes on as it is, or is read anew where
   * it `isStale`.
   */
  async prune(points: readonly PrunePoint[], records: readonly RecordChange[], isStale: boolean): Promise<void> {
    const { store, space } = this.#options
    await this.#enqueue(async () => {
      await this.#flush()
      await this.#readNew()
      await store.prune(space, points, { records })
      if (isStale) this.#rebuilder.need()
      await this.#rebuildIfNeeded()
    })
  }

  /**
   * STORE10: a base, which is among the records, takes the place of all that is stored, and the log is read anew. Only where nothing
   * has been stored or written beyond `known`; answers whether it was so. What was written as before is fetched again, so a
   * device that wrote is given up (BR3).
   */
  async plant(
    floors: readonly PlantedFloor[],
    records: readonly RecordChange[],
    known: VersionVector,
  ): Promise<boolean> {
    const { store, space, state } = this.#options
    return this.#enqueue(async () => {
      await this.#readNew()
      if (this.unsavedCount > 0 || !dominates(known, this.stored())) return false
      await store.plant(space, floors, { records })
      if (state.log.heldSeq(this.#device) > 0) this.#rebuilder.needRenewal()
      else this.#rebuilder.need()
      await this.#rebuildIfNeeded()
      return true
    })
  }

  /**
   * CUT11: the same, where work is here that the server lacks, and it was stated what that had seen. `there`: a store with the base and
   * all that the server has since; `placed`: what it has of all that is here. `again`: something was written meanwhile. `cannot`: there
   * is work that does not go with the base.
   */
  async plantLate({ floors, records, there, placed, held }: PlantingLate): Promise<'done' | 'again' | 'cannot'> {
    const { store, space } = this.#options
    return this.#enqueue(async () => {
      await this.#readNew()
      await this.#flush()
      const { stored } = await readAll(store, space)
      if (stored.length !== held) return 'again'
      const outcomes = await there.append(
        space,
        stored.map(({ batch }) => batch),
      )
      // What is below the base, and what else does not fit it, must be the server's: or it would be lost.
      const isLost = stored.some(({ branch, batch }, index) => {
        const { kind } = outcomes[index]
        return kind !== 'appended' && kind !== 'duplicate' && batch.header.toSeq > (placed.get(branch) ?? 0)
      })
      if (isLost) return 'cannot'
      if (this.unsavedCount > 0) return 'again'
      const late = stored.filter((_, index) => outcomes[index].kind === 'appended').map(({ batch }) => batch)
      await store.plant(space, floors, { records: [...records, ...lateRecords(late)] })
      await enterLate(store, space)
      this.#rebuilder.needRenewal()
      await this.#rebuildIfNeeded()
      return 'done'
    })
  }

  /**
   * BR2: has shifts stated by another identity of this slot, which is written under from then on, and the log read anew.
   * `state`: what they are, asked when everything written so far is durable; none: nothing is done.
   */
  async stateShifts(state: () => ShiftStatement): Promise<void> {
    await this.#enqueue(async () => {
      await this.#rebuildIfNeeded()
      await this.#flush()
      const statement = state()
      if (statement.shifts.length > 0) await this.#rebuilt(() => this.#rebuilder.stateShifts(statement))
    })
  }

  async #rebuildIfNeeded(): Promise<void> {
    if (!this.#rebuilder.isNeeded || this.#closed) return
    // What is written under the names of now goes into the store first: it is what tells where it belongs.
    await this.#flush()
    await this.#rebuilt(() => this.#rebuilder.rebuild())
  }

  async #rebuilt(rebuild: () => Promise<Cursor>): Promise<void> {
    const device = this.#device
    this.#read = await rebuild()
    // The store has forgotten it: what is kept for the next append must not bring it back.
    if (this.#device !== device) for (const { key } of forgetDevice(device)) this.#records.delete(key)
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new DriftlogError('CLOSED'))
    return this.#chain(work)
  }

  #chain<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work)
    this.#tail = done.then(
      () => undefined,
      () => undefined,
    )
    return done
  }

  /** What is held above `above`. */
  outbox(above: VersionVector, limit: PageLimit, setAside: VersionVector = new Map()): Promise<Outbox> {
    return this.#enqueue(async () => {
      const isDurable = (header: BatchHeader): boolean => !this.#unstored.some((own) => isSameEnd(own.header, header))
      const found = await readOutbox(this.#options, { above, limit, setAside, isDurable })
      await this.#rebuildIfNeeded()
      return found
    })
  }

  /** Stores what is unsaved and stops. Rejects where that fails; the error says what was kept. */
  async close(): Promise<void> {
    this.#closed = true
    this.#flushSoon?.()
    this.#traffic.stop()
    this.#stopWatching?.()
    this.#stopHearing()
    this.#flushRetry.reset()
    this.#readRetry.reset()
    try {
      await this.#chain(() => this.#flush())
    } catch (error) {
      // Bookmarks alone are not worth an error: they are made again.
      if (this.unsavedCount > 0) throw storageError(error)
    } finally {
      this.changes.complete()
      this.arrivals.complete()
      this.#rebuilder.close()
    }
  }
}

const batchesOf = (checked: readonly CheckedBatch[]): Batch[] => checked.map(({ batch }) => batch)

const newOps = (checked: readonly CheckedBatch[], outcomes: readonly AppendOutcome[]): number =>
  outcomes.reduce((ops, { kind }, index) => {
    const { fromSeq, toSeq } = checked[index].batch.header
    return kind === 'appended' ? ops + toSeq - fromSeq + 1 : ops
  }, 0)

const isSameEnd = (a: BatchHeader, b: BatchHeader): boolean =>
  a.device === b.device && a.toSeq === b.toSeq && equalBytes(a.tagAfter, b.tagAfter)

const isElsewhere = (outcome: AppendOutcome, branch: DeviceId | undefined): boolean =>
  (outcome.kind === 'appended' || outcome.kind === 'duplicate') && outcome.branch !== branch

const lostOwn = ({ header: { device, fromSeq } }: Batch, { kind }: AppendOutcome): DriftlogError =>
  new DriftlogError('STORAGE_FAILED', 'what this device wrote before is not in the store any more', {
    device,
    fromSeq,
    kind,
  })

const storageError = (cause: unknown): DriftlogError =>
  cause instanceof DriftlogError ? cause : new DriftlogError('STORAGE_FAILED', String(cause), {}, { cause })
