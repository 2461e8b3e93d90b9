/**
 * BatchStore in one SQLite file, for servers and for tools.
 *
 * Invariants:
 * - everything of an append is judged and written inside one write transaction, so that other processes change nothing
 *   in between; a device's branch rows are what its batch rows add up to;
 * - reads that look twice do so in one transaction, and see one state.
 */
import { setImmediate } from 'node:timers'
import { realpathSync } from 'node:fs'
import {
  type AppendOptions,
  type AppendOutcome,
  type Batch,
  type BatchPage,
  type BatchStore,
  checkAppend,
  checksum,
  checkSpaceId,
  commonPoint,
  compareKeys,
  type Cursor,
  decodeStored,
  type DeviceId,
  type DeviceTree,
  DriftlogError,
  equalBytes,
  firstTagOf,
  type Floor,
  holderOf,
  isRefusal,
  judgeBatch,
  judgePoint,
  mergeArrivals,
  type NamedRun,
  notReplaced,
  PageFiller,
  type PageLimit,
  type PlantedFloor,
  type Point,
  type PruneOutcome,
  type PrunePoint,
  type RecordChange,
  recordExists,
  runsOnPath,
  seqOf,
  type Split,
  startCursor,
  type StoredBatch,
  type StoredRow,
  systemPorts,
  type Timers,
  type Tip,
  undoneOutcomes,
  type VersionVector,
} from '@driftlog/core'
import type Database from 'better-sqlite3'
import { AppendQueue } from './append-queue.ts'
import { openDatabase } from './database.ts'
import { isBusy, storageError } from './errors.ts'
import { giveBack } from './give-back.ts'
import { claimFileSlot, type HeldSlot, memorySlots } from './file-slots.ts'
import { type ArrivalRow, type BranchRow, prepareStatements, type Statements } from './statements.ts'
import { Newest } from './newest.ts'
import { type WatchedState, Watchers } from './watchers.ts'

export interface SqliteOptions {
  /** How long to wait for another process's write lock, in ms; then STORAGE_FAILED. It blocks the thread. 5,000. */
  readonly busyMs?: number
  /** The largest size of the file, in bytes; beyond it appends reject with STORAGE_FULL. No limit. */
  readonly maxBytes?: number
  /** How often to look for batches of other processes while somebody watches, in ms. 1,000. */
  readonly pollMs?: number
  /** For the poll. A pending timer may keep the process alive, so end watches, or close, before exit. The real ones. */
  readonly timers?: Timers
  /**
   * Runs its argument later; all appends asked for until then share one transaction and one fsync. The end of the
   * current turn of the event loop (setImmediate).
   */
  readonly defer?: (run: () => void) => void
}

/**
 * Opens or makes the SQLite file at `path`; `:memory:` keeps it in memory. Beside it lie SQLite's own `-wal` and `-shm`
 * and an empty `-slot-<space>-<n>` for each writing slot that was ever claimed. Several processes may share it.
 *
 * Throws STORAGE_FAILED (also where durable writing cannot be had), STORAGE_FULL, STORAGE_DAMAGED (not an SQLite file)
 * and FORMAT_UNKNOWN (written by a newer version).
 */
export const sqlite = (path: string, options: SqliteOptions = {}): BatchStore => new SqliteStore(path, options)

/** 1.7 MB of them. */
const KEPT_CERTIFICATES = 10_000

interface AppendRequest {
  readonly space: string
  readonly batches: readonly Batch[]
  readonly records: readonly RecordChange[]
  readonly allOrNothing: boolean
  readonly replacing: ReadonlySet<Batch>
  readonly absent: readonly string[]
}

/** What becomes of a call by itself; it does not touch the others of its transaction. */
type Appended = readonly AppendOutcome[] | DriftlogError

class SqliteStore implements BatchStore {
  readonly #path: string
  readonly #database: Database.Database
  readonly #statements: Statements
  readonly #queue: AppendQueue<AppendRequest, Appended>
  readonly #watchers: Watchers
  readonly #newest = new Newest()
  readonly #defer: (run: () => void) => void
  /** `space/device` → the certificate, which is never another: a server asks for it at every push. */
  readonly #certificates = new Map<string, Uint8Array>()
  readonly #slots = new Set<HeldSlot>()
  readonly #claim: (space: string) => HeldSlot
  readonly #inTransaction: Database.Transaction<(work: () => unknown) => unknown>
  #closed = false

  constructor(path: string, options: SqliteOptions) {
    const { busyMs = 5000, maxBytes, pollMs = 1000, timers = systemPorts.timers } = options
    const database = openDatabase(path, { busyMs, maxBytes })
    this.#database = database
    // Two names of one file must have the same slots.
    this.#path = database.memory ? path : realpathSync(path)
    this.#statements = prepareStatements(database)
    this.#inTransaction = database.transaction((work: () => unknown) => work())
    this.#claim = database.memory ? memorySlots() : (space) => this.#claimAlone(space)
    this.#defer = options.defer ?? ((run) => void setImmediate(run))
    this.#queue = new AppendQueue({
      defer: this.#defer,
      commit: (requests) => this.#commit(requests),
      isHopeless: (error) => error instanceof DriftlogError && isBusy(error.cause),
      sizeOf: (request) => request.batches.reduce((sum, { bytes }) => sum + bytes.length, 0),
    })
    this.#watchers = new Watchers({
      timers,
      pollMs: database.memory ? undefined : pollMs,
      foreignCommits: () => this.#foreignCommits(),
      stateOf: (space) => this.#stateOf(space),
      unwatched: (space) => this.#newest.forget(space),
    })
  }

  async append(
    space: string,
    batches: readonly Batch[],
    { records = [], allOrNothing = false, replacing = new Set(), absent = [] }: AppendOptions = {},
  ): Promise<readonly AppendOutcome[]> {
    this.#checkOpen()
    checkAppend(space, batches, records, absent)
    const appended = await this.#queue.push({ space, batches, records, allOrNothing, replacing, absent })
    if (appended instanceof DriftlogError) throw appended
    return appended
  }

  async replace(space: string, batch: Batch): Promise<boolean> {
    const [{ kind }] = await this.append(space, [batch], { replacing: new Set([batch]) })
    return kind === 'replaced'
  }

  async prune(
    space: string,
    points: readonly PrunePoint[],
    { records = [] }: { readonly records?: readonly RecordChange[] } = {},
  ): Promise<readonly PruneOutcome[]> {
    this.#checkOpen()
    checkAppend(space, [], records)
    // What was asked for before comes first.
    this.#queue.drain()
    const outcomes = this.#transact('immediate', () => {
      const branches = new Map(this.#statements.branchesOf.all(space).map((row) => [row.branch, row] as const))
      const outcomes = points.map((point) => this.#pruneBranch(space, point, branches))
      this.#changeRecords(space, records)
      return outcomes
    })
    if (outcomes.some((outcome) => outcome.kind === 'pruned' && outcome.batches > 0)) {
      this.#newest.forget(space)
      await giveBack(
        this.#database,
        () => !this.#closed,
        () => new Promise((resolve) => this.#defer(resolve)),
      )
    }
    return outcomes
  }

  async plant(
    space: string,
    floors: readonly PlantedFloor[],
    { records = [] }: { readonly records?: readonly RecordChange[] } = {},
  ): Promise<void> {
    this.#checkOpen()
    checkAppend(space, [], records)
    this.#queue.drain()
    const { setPruned, deleteBatches, deleteBranches, deleteCertificates, plantBranch, addCertificate, certificate } =
      this.#statements
    this.#transact('immediate', () => {
      const end = this.#end(space)
      if (end.position > 0) setPruned.run(space, end.position, end.tag)
      for (const statement of [deleteBatches, deleteBranches, deleteCertificates]) statement.run(space)
      for (const floor of floors) {
        const { branch, device, base, baseTag, seq, tag } = floor
        plantBranch.run(space, device, branch, base, baseTag, seq, tag, seq, tag)
        if (certificate.get(space, device) === undefined) addCertificate.run(space, device, floor.certificate)
      }
      this.#changeRecords(space, records)
    })
    this.#certificates.clear()
    this.#newest.forget(space)
    await giveBack(
      this.#database,
      () => !this.#closed,
      () => new Promise((resolve) => this.#defer(resolve)),
    )
  }

  async floors(space: string): Promise<ReadonlyMap<DeviceId, Floor>> {
    return this.#read(() => {
      const pruned = this.#statements.branchesOf.all(space).filter(({ floor }) => floor > 0)
      return new Map(
        pruned.map(({ branch, device, base, baseTag, floor, floorTag }) => [
          branch,
          { seq: floor, tag: plainBytes(floorTag), device, base, baseTag: plainBytes(baseTag) },
        ]),
      )
    })
  }

  async readAbove(space: string, vector: VersionVector, limit: PageLimit): Promise<BatchPage> {
    return this.#read(() => {
      const { tips, nextOfBranch, batchById } = this.#statements
      const next = (branch: DeviceId, seq: number): ArrivalRow | undefined => nextOfBranch.get(space, branch, seq)
      const heads: ArrivalRow[] = []
      for (const { branch, seq } of tips.all(space)) {
        const wanted = seqOf(vector, branch)
        const head = seq > wanted ? next(branch, wanted) : undefined
        if (head !== undefined) heads.push(head)
      }
      const page = new PageFiller(limit)
      for (const arrival of mergeArrivals(heads, ({ branch, toSeq }) => next(branch, toSeq))) {
        const row = batchById.get(arrival.position)
        if (row === undefined || !page.offer(row.bytes.length, () => decodeRow(row))) break
      }
      return page.page(() => this.#end(space))
    })
  }

  async readAfter(space: string, cursor: Cursor, limit: PageLimit): Promise<BatchPage> {
    const newest = this.#lookUp(() => this.#newest.readAfter(space, cursor, limit, this.#foreignCommits()))
    if (newest !== undefined) return newest
    return this.#read(() => {
      const tag = cursor.position === 0 ? startCursor.tag : this.#tagAt(space, cursor.position)
      if (tag === undefined || !equalBytes(tag, cursor.tag)) {
        throw new DriftlogError('BASE_MISMATCH', '', { space, position: cursor.position })
      }
      const page = new PageFiller(limit)
      for (const row of this.#statements.batchesAfter.iterate(space, cursor.position)) {
        if (!page.offer(row.bytes.length, () => decodeRow(row))) break
      }
      return page.page(() => this.#end(space))
    })
  }

  async vector(space: string): Promise<VersionVector> {
    return this.#read(() => new Map(this.#statements.tips.all(space).map(({ branch, seq }) => [branch, seq] as const)))
  }

  async tips(space: string): Promise<ReadonlyMap<DeviceId, Tip>> {
    return this.#read(() => {
      const rows = this.#statements.tips.all(space)
      return new Map(rows.map(({ branch, seq, tag }) => [branch, { seq, tag: plainBytes(tag) }] as const))
    })
  }

  async certificate(space: string, device: DeviceId): Promise<Uint8Array | undefined> {
    const key = `${space}/${device}`
    const known = this.#certificates.get(key)
    if (known !== undefined) return this.#lookUp(() => known)
    const certificate = this.#lookUp(() => this.#statements.certificate.get(space, device))
    if (certificate === undefined) return undefined
    if (this.#certificates.size >= KEPT_CERTIFICATES) this.#certificates.clear()
    const kept = plainBytes(certificate)
    this.#certificates.set(key, kept)
    return kept
  }

  async common(space: string, device: DeviceId, points: readonly Point[]): Promise<number> {
    return this.#read(() => commonPoint(this.#tree(space, device), points))
  }

  async onPath(space: string, device: DeviceId, point: Point, runs: readonly NamedRun[]): Promise<readonly boolean[]> {
    return this.#read(() => runsOnPath(this.#tree(space, device), point, runs))
  }

  async end(space: string): Promise<Cursor> {
    return this.#read(() => this.#end(space))
  }

  async records(space: string, prefix: string): Promise<readonly { key: string; value: Uint8Array }[]> {
    return this.#read(() => {
      const found: { key: string; value: Uint8Array }[] = []
      // SQLite orders by UTF-8, where keys of one prefix stand together too, but U+10000 and above otherwise.
      for (const { key, value } of this.#statements.recordsFrom.iterate(space, prefix)) {
        if (!key.startsWith(prefix)) break
        found.push({ key, value: plainBytes(value) })
      }
      return found.sort(compareKeys)
    })
  }

  watch(space: string, listener: () => void): () => void {
    this.#checkOpen()
    try {
      return this.#watchers.watch(space, listener)
    } catch (error) {
      throw storageError(error, this.#path)
    }
  }

  async claimSlot(space: string): Promise<{ readonly slot: number; release(): Promise<void> }> {
    this.#checkOpen()
    checkSpaceId(space)
    let held: HeldSlot
    try {
      held = this.#claim(space)
    } catch (error) {
      throw storageError(error, this.#path)
    }
    this.#slots.add(held)
    // Once only: by a second release somebody else's slot could be freed.
    return { slot: held.slot, release: async () => void (this.#slots.delete(held) && held.release()) }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#queue.drain()
    this.#watchers.stop()
    for (const held of this.#slots) held.release()
    this.#slots.clear()
    try {
      this.#database.close()
    } catch (error) {
      throw storageError(error, this.#path)
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new DriftlogError('CLOSED', this.#path, { path: this.#path })
  }

  #read<Result>(work: () => Result): Result {
    this.#checkOpen()
    return this.#transact('deferred', work)
  }

  /** For what is one statement, or none: it sees one state by itself. */
  #lookUp<Result>(work: () => Result): Result {
    this.#checkOpen()
    try {
      return work()
    } catch (error) {
      throw storageError(error, this.#path)
    }
  }

  #foreignCommits(): number {
    return this.#statements.dataVersion.get() ?? 0
  }

  #transact<Result>(mode: 'deferred' | 'immediate', work: () => Result): Result {
    try {
      return this.#inTransaction[mode](work) as Result
    } catch (error) {
      throw storageError(error, this.#path)
    }
  }

  #tagAt(space: string, position: number): Uint8Array | undefined {
    return this.#statements.tagAt.get(space, position, space, position)
  }

  #endPosition(space: string): number {
    return this.#statements.endPosition.get(space, space) ?? 0
  }

  #end(space: string): Cursor {
    const row = this.#statements.end.get(space, space)
    return row === undefined ? startCursor : { position: row.position, tag: plainBytes(row.tag) }
  }

  #commit(requests: readonly AppendRequest[]): readonly Appended[] {
    let foreignCommits = 0
    const results = this.#transact('immediate', () => {
      // Within: what another connection commits after this is seen to be later.
      foreignCommits = this.#foreignCommits()
      return requests.map((request) => this.#append(request))
    })
    const changed = new Map<string, AppendOutcome[]>()
    for (const [index, { space, batches }] of requests.entries()) {
      const outcomes = results[index]
      if (outcomes instanceof DriftlogError || !outcomes.some(isChange) || !this.#watchers.isWatched(space)) continue
      this.#newest.committed(space, batches, outcomes, foreignCommits)
      changed.set(space, [...(changed.get(space) ?? []), ...outcomes])
    }
    for (const [space, outcomes] of changed) this.#watchers.committed(space, endOf(outcomes))
    return results
  }

  /** Inside a write transaction. What it throws undoes the transaction; a refusal undoes this call alone. */
  #append({ space, batches, records, allOrNothing, replacing, absent }: AppendRequest): Appended {
    const { savepoint, release, rollback, hasRecord, highestSeq } = this.#statements
    const present = absent.find((key) => hasRecord.get(space, key) !== undefined)
    if (present !== undefined) return recordExists(space, present)
    // Only what may be undone by itself.
    if (allOrNothing) savepoint.run()
    let position = this.#endPosition(space)
    const outcomes = batches.map((batch): AppendOutcome => {
      const outcome = replacing.has(batch) ? this.#putInPlace(batch) : this.#takeIn(batch, position + 1)
      if (outcome.kind === 'appended') position++
      return outcome
    })
    if (allOrNothing && outcomes.some(isRefusal)) {
      rollback.run()
      release.run()
      return undoneOutcomes(batches, outcomes, ({ header }) => highestSeq.get(space, header.device) ?? 0)
    }
    if (outcomes.some(({ kind }) => kind === 'replaced')) this.#statements.countReplacing.run(replacingsKey(space))
    this.#changeRecords(space, records)
    if (allOrNothing) release.run()
    return outcomes
  }

  #changeRecords(space: string, records: readonly RecordChange[]): void {
    const { putRecord, deleteRecord } = this.#statements
    for (const { key, value } of records) {
      if (value === undefined) deleteRecord.run(space, key)
      else putRecord.run(space, key, value)
    }
  }

  /** `branches`: those of the space, kept as they become. */
  #pruneBranch(space: string, { branch, seq, tag }: PrunePoint, branches: Map<DeviceId, BranchRow>): PruneOutcome {
    const { boundaryTag, positionOf, upTo, deleteUpTo, setFloor, setPruned } = this.#statements
    const held = branches.get(branch)
    const verdict = judgePoint({ seq, tag }, held, (_, at) => boundaryTag.get(space, branch, at))
    if (held === undefined || verdict === 'unknown') return { kind: 'unknown' }
    if (verdict === 'done') return { kind: 'pruned', batches: 0, bytes: 0 }
    const { batches, bytes } = upTo.get(space, branch, seq)!
    // In a branch the last by seq came last (STORE5).
    setPruned.run(space, positionOf.get(space, branch, seq)!, tag)
    deleteUpTo.run(space, branch, seq)
    setFloor.run(seq, tag, space, held.device, branch)
    branches.set(branch, { ...held, floor: seq, floorTag: tag })
    return { kind: 'pruned', batches, bytes }
  }

  #takeIn({ header, bytes }: Batch, position: number): AppendOutcome {
    const { space, device, fromSeq, toSeq, tagAfter, certificate } = header
    const { addBatch, addBranch, addCertificate, moveTip } = this.#statements
    const tree = this.#tree(space, device)
    const verdict = judgeBatch(header, tree)
    if (verdict.kind !== 'append') return verdict
    const { branch, start, split } = verdict
    if (split !== undefined) this.#split(space, device, split)
    addBatch.run(space, branch, fromSeq, toSeq, position, firstTagOf(header), tagAfter, checksum(bytes), bytes)
    if (tree.branches.length === 0) addCertificate.run(space, device, certificate ?? new Uint8Array(0))
    if (start === undefined) moveTip.run(toSeq, tagAfter, space, device, branch)
    else addBranch.run(space, device, branch, start.base, start.baseTag, toSeq, tagAfter)
    return { kind: 'appended', position, branch, isSplit: split !== undefined }
  }

  #tree(space: string, device: DeviceId): DeviceTree {
    const { branches, boundaryTag, firstTag } = this.#statements
    return {
      branches: branches.all(space, device),
      tagAt: (branch, seq) => boundaryTag.get(space, branch, seq),
      firstTagAt: (branch, seq) => firstTag.get(space, branch, seq - 1, seq),
    }
  }

  #putInPlace({ header, bytes }: Batch): AppendOutcome {
    const { space, device, fromSeq, toSeq } = header
    const tree = this.#tree(space, device)
    const branch = holderOf(header, tree)
    const isReplaced =
      branch !== undefined &&
      this.#statements.replaceBytes.run(bytes, checksum(bytes), space, branch, toSeq, fromSeq).changes > 0
    return isReplaced ? { kind: 'replaced', branch } : notReplaced(header, tree)
  }

  #split(space: string, device: DeviceId, { branch, above, start }: Split): void {
    const { branches, addBranch, moveTip, removeBranch, renameAbove } = this.#statements
    const { base, seq, tag } = branches.all(space, device).find((held) => held.branch === branch)!
    renameAbove.run(start.branch, space, branch, above)
    addBranch.run(space, device, start.branch, start.base, start.baseTag, seq, tag)
    if (above === base) removeBranch.run(space, device, branch)
    else moveTip.run(above, start.baseTag, space, device, branch)
  }

  /** Of a space, for who watches it: appends move the end, and what is replaced is counted. */
  #stateOf(space: string): WatchedState {
    const { replacings } = this.#statements
    return { end: this.#endPosition(space), replacings: replacings.get(replacingsKey(space)) ?? '0' }
  }

  /** Under the write lock of the file, which serialises the processes that look for a slot. */
  #claimAlone(space: string): HeldSlot {
    return this.#transact('immediate', () => claimFileSlot(this.#path, space))
  }
}

const isChange = ({ kind }: AppendOutcome): boolean => kind === 'appended' || kind === 'replaced'

/** Where the space ends after an append; undefined where it did more than to move that. */
const endOf = (outcomes: readonly AppendOutcome[]): number | undefined => {
  let end: number | undefined
  for (const outcome of outcomes) {
    if (outcome.kind === 'replaced') return undefined
    if (outcome.kind === 'appended') end = outcome.position
  }
  return end
}

const replacingsKey = (space: string): string => `replacings/${space}`

/** SQLite hands out Buffers; their methods differ from those that the port promises (`slice` shares memory). */
const plainBytes = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const decodeRow = (row: StoredRow): StoredBatch => decodeStored({ ...row, bytes: plainBytes(row.bytes) })
