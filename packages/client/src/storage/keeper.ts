/**
 * Everything that goes into the local store, and what other tabs put there.
 *
 *     mutate ─▶ open run ─ seal ─▶ unstored batches ─ append ─▶ stored        (one append at a time: group commit)
 *     session ─▶ ingest ─ check ─ append ─▶ log ─▶ projector
 *     other tabs ─▶ watch ─ read ─▶ log ─▶ projector
 *
 * Invariants:
 * - KEEP1 a remote batch enters the log only once it is durable here, so whatever an op saw is stored before it (SYNC1);
 * - KEEP2 one append at a time; own batches in order of seq; an append that failed is tried again as it was, and until it
 *   succeeds the replica is read-only and keeps everything in memory;
 * - KEEP3 `storedSeq` (own) and `stored()` (all) tell what is durable, never what is only in memory;
 * - KEEP4 once `close` was called nothing but its own last append is begun: no retry, no ingest, no reading.
 */
import {
  type AppendOutcome,
  type Batch,
  type BatchPage,
  type BatchStore,
  type CheckedBatch,
  type Cursor,
  type DeviceId,
  DriftlogError,
  equalBytes,
  type OpLog,
  type PageLimit,
  type RecordChange,
  startCursor,
  type Timers,
  type VersionVector,
  type Writer,
} from '@driftlog/core'
import { Subject } from 'rxjs'
import { clockRecord, cursorRecord } from './bookmarks.ts'
import { Retry } from './retry.ts'

const LOAD_PAGE = { batches: 500, bytes: 8_000_000 }

/** A batch of a delivery that was not taken in, and why. */
export interface NotTaken {
  readonly device: DeviceId
  readonly code: DriftlogError['code']
  readonly details: Readonly<Record<string, string | number | boolean>>
}

export class Keeper {
  readonly #store: BatchStore
  readonly #space: string
  readonly #log: OpLog
  readonly #flushRetry: Retry
  readonly #readRetry: Retry
  #writer: Writer | undefined
  /** Our place in the local store's arrival order: everything up to it is in the log. */
  #read: Cursor = startCursor
  /** Sealed and not stored yet, in order. */
  #unstored: Batch[] = []
  #records = new Map<string, RecordChange>()
  /** The end of the chain of store operations: each waits for the one before. */
  #tail: Promise<void> = Promise.resolve()
  #flushQueued = false
  #readQueued = false
  /**
   * Devices of which something can never be taken in (another branch is held here, or what they signed does not decode),
   * and why: none of the batches of theirs that still come can follow.
   */
  readonly #ended = new Map<DeviceId, DriftlogError['code']>()
  /** Set from when this device id was found to be written elsewhere. */
  #ownFork: DriftlogError | undefined
  /** Makes the store forget the key that this device id stands for. */
  #retirement: RecordChange | undefined
  #stopWatching: (() => void) | undefined
  #closed = false

  /** Something became durable, or the state of the storage changed. */
  readonly changes = new Subject<void>()
  /** Ops came in from the store that other tabs wrote. */
  readonly arrivals = new Subject<void>()
  /** Set while the last append of own ops failed, and from when this device id was found to be written elsewhere. */
  error: DriftlogError | undefined
  /** Set while what other tabs stored cannot be read. Nothing is at risk: writing goes on. */
  readError: DriftlogError | undefined

  constructor(store: BatchStore, space: string, log: OpLog, timers: Timers) {
    this.#store = store
    this.#space = space
    this.#log = log
    this.#flushRetry = new Retry(timers, () => this.#queueFlush())
    this.#readRetry = new Retry(timers, () => this.#queueRead())
  }

  /** Reads the whole store into the log. */
  async load(): Promise<void> {
    await this.#readNew()
  }

  /** Starts writing, and listening for what other tabs write. */
  begin(writer: Writer, retirement: RecordChange): void {
    this.#writer = writer
    this.#retirement = retirement
    this.#stopWatching = this.#store.watch(this.#space, () => this.#queueRead())
    // What another tab stored between the end of `load` and now.
    this.#queueRead()
  }

  /** The last own seq that is durable here. */
  get storedSeq(): number {
    const writer = this.#writer!
    const first = this.#unstored[0]
    return first === undefined ? this.#log.heldSeq(writer.identity.device) - writer.openCount : first.header.fromSeq - 1
  }

  /** Own ops that are not durable yet. */
  get unsavedCount(): number {
    return this.#log.heldSeq(this.#writer!.identity.device) - this.storedSeq
  }

  /** What is durable here. */
  stored(): VersionVector {
    const vector = this.#log.held()
    const { device } = this.#writer!.identity
    if (this.storedSeq > 0) vector.set(device, this.storedSeq)
    else vector.delete(device)
    return vector
  }

  /** Stores what is open soon: all mutations until then share one append. */
  scheduleFlush(): void {
    if (this.error === undefined) this.#queueFlush()
  }

  #queueFlush(): void {
    if (this.#flushQueued || this.#closed) return
    this.#flushQueued = true
    this.#enqueue(() => this.#flush()).catch((error: unknown) => this.#flushFailed(error))
  }

  /** The store tells of own appends too, so mostly there is nothing new. */
  #queueRead(): void {
    if (this.#readQueued || this.#closed) return
    this.#readQueued = true
    this.#enqueue(() => this.#readArrivals()).catch((error: unknown) => this.#readFailed(error))
  }

  /** Resolves when everything written so far is durable; rejects while the storage fails. */
  async settled(): Promise<void> {
    await this.#enqueue(async () => undefined)
    if (this.unsavedCount > 0) await this.#enqueue(() => this.#flush())
  }

  /** A small value for the next append. */
  keep(record: RecordChange): void {
    this.#records.set(record.key, record)
  }

  async #flush(): Promise<void> {
    this.#flushQueued = false
    const writer = this.#writer!
    if (writer.openCount > 0) {
      this.#unstored.push(...writer.seal())
      this.keep(clockRecord(writer.highest))
    }
    if (this.#unstored.length === 0 && this.#records.size === 0) return
    const batches = this.#unstored
    const records = this.#records
    this.#records = new Map()
    try {
      const outcomes = await this.#store.append(this.#space, batches, {
        records: [...records.values()],
        allOrNothing: true,
      })
      this.#expectTaken(outcomes, batches)
      this.#unstored = []
      this.#follow(outcomes, batches)
    } catch (error) {
      for (const [key, record] of records) if (!this.#records.has(key)) this.#records.set(key, record)
      throw error
    }
    this.#flushRetry.reset()
    this.error = this.#ownFork
    this.changes.next()
  }

  /** Another history under our own id: a clone or a restored backup writes as this device too. */
  #expectTaken(outcomes: readonly AppendOutcome[], batches: readonly Batch[]): void {
    outcomes.forEach((outcome, index) => {
      if (!isRefusal(outcome)) return
      // What is stored is the other history; of this one nothing has left the memory.
      throw this.#stopWriting(batches[index].header.fromSeq, true)
    })
  }

  /**
   * BR3: this id is written no further. `isBehind`: what is stored here is the beginning of the other history; then the
   * slot's key is forgotten too, and whoever opens it next takes the rest in and writes under a new id. A branch of our own
   * cannot be built on: nobody else could read what refers to it.
   */
  #stopWriting(fromSeq: number, isBehind: boolean): DriftlogError {
    const { device } = this.#writer!.identity
    if (this.#ownFork === undefined) {
      const details = { device, fromSeq, have: this.storedSeq }
      this.#ownFork = new DriftlogError('FORK', 'this device id is also written elsewhere', details)
      const retire = (): Promise<unknown> => this.#store.append(this.#space, [], { records: [this.#retirement!] })
      // Where this fails, the next who opens the slot finds out the same and tries again.
      if (isBehind) this.#enqueue(retire).catch(() => undefined)
    }
    this.error = this.#ownFork
    this.changes.next()
    return this.#ownFork
  }

  /** Whether the batch goes on where this device's own stored history ends, and nothing else does. */
  #continuesOwn({ header: { device, fromSeq, tagBefore } }: Batch): boolean {
    const { chain } = this.#log
    const isNext = fromSeq === this.storedSeq + 1 && this.unsavedCount === 0
    return isNext && equalBytes(tagBefore, chain.tag(device, chain.last(device)))
  }

  /** Moves our place in the store over own appends, so that they are not read back. */
  #follow(outcomes: readonly AppendOutcome[], batches: readonly Batch[]): void {
    outcomes.forEach((outcome, index) => {
      if (outcome.kind !== 'appended' || outcome.position !== this.#read.position + 1) return
      this.#read = { position: outcome.position, tag: batches[index].header.tagAfter }
    })
  }

  /** KEEP2. After a fork it would fail for ever. */
  #flushFailed(cause: unknown): void {
    this.error = storageError(cause)
    this.changes.next()
    if (!this.#closed && this.error.code !== 'FORK') this.#flushRetry.later()
  }

  #readFailed(cause: unknown): void {
    this.readError = storageError(cause)
    this.changes.next()
    if (!this.#closed) this.#readRetry.later()
  }

  /**
   * SYNC2: checks and stores a delivery with its cursor in one transaction, then hands it to the log. Batches that do not
   * check out, or belong to another branch, are left out and named; after a gap the cursor is not stored.
   */
  async ingest(batches: readonly Batch[], cursor: Cursor | undefined): Promise<readonly NotTaken[]> {
    return this.#enqueue(async () => {
      const notTaken: NotTaken[] = []
      let checked = this.#check(batches, notTaken)
      let outcomes = await this.#store.append(this.#space, batchesOf(checked), {
        records: ingestRecords(cursor, notTaken),
        allOrNothing: true,
      })
      if (outcomes.some(isRefusal)) {
        // Every refusal is told at once, and a refused batch makes no difference to how the others are judged.
        const refused = outcomes
        refused.forEach((outcome, index) => {
          if (isRefusal(outcome)) notTaken.push(this.#refusalOf(checked[index].batch, outcome))
        })
        checked = checked.filter((_, index) => !isRefusal(refused[index]))
        outcomes = await this.#store.append(this.#space, batchesOf(checked), {
          records: ingestRecords(cursor, notTaken),
          allOrNothing: true,
        })
        if (outcomes.some(isRefusal)) throw new DriftlogError('STORAGE_FAILED', 'another process writes the same ops')
      }
      for (const batch of checked) this.#log.receive(batch)
      this.#follow(outcomes, batchesOf(checked))
      // What was kept for the next append is older than what this one has stored.
      for (const { key } of ingestRecords(cursor, notTaken)) this.#records.delete(key)
      return notTaken
    })
  }

  /**
   * To the store the later batches of a device that has ended are a gap; but asking for what is missing would bring the same
   * again, and hold up what others wrote.
   */
  #refusalOf({ header: { device } }: Batch, { kind, have }: Refusal): NotTaken {
    if (kind === 'fork') this.#ended.set(device, 'FORK')
    return { device, code: this.#ended.get(device) ?? 'GAP', details: { have } }
  }

  #check(batches: readonly Batch[], notTaken: NotTaken[]): CheckedBatch[] {
    const own = this.#writer!.identity.device
    const setAside = new Set<DeviceId>()
    const certificates = new Map<DeviceId, Uint8Array>()
    const checked: CheckedBatch[] = []
    for (const batch of batches) {
      const { device, certificate, fromSeq, toSeq } = batch.header
      if (setAside.has(device)) continue
      try {
        // Nobody else can have more of this device than it has stored itself (SYNC1).
        if (device === own && toSeq > this.storedSeq) {
          throw this.#stopWriting(fromSeq, this.#continuesOwn(batch))
        }
        if (toSeq <= this.#log.heldSeq(device)) {
          checked.push({ batch, runs: [] })
          continue
        }
        checked.push(this.#log.check(batch, certificates.get(device)))
        if (certificate !== undefined) certificates.set(device, certificate)
      } catch (error) {
        if (!(error instanceof DriftlogError)) throw error
        setAside.add(device)
        if (error.code === 'MALFORMED' || error.code === 'TOO_LARGE') this.#ended.set(device, error.code)
        notTaken.push({ device, code: error.code, details: { fromSeq } })
      }
    }
    return checked
  }

  async #readArrivals(): Promise<void> {
    this.#readQueued = false
    const isNew = await this.#readNew()
    this.#readRetry.reset()
    const hadFailed = this.readError !== undefined
    this.readError = undefined
    if (isNew) this.arrivals.next()
    else if (hadFailed) this.changes.next()
  }

  /** Reads what is in the store beyond our place. Answers whether any of it was new to the log. */
  async #readNew(): Promise<boolean> {
    let isNew = false
    for (let more = true; more && !this.#closed; ) {
      const page = await this.#store.readAfter(this.#space, this.#read, LOAD_PAGE)
      for (const { batch } of page.batches) {
        if (batch.header.toSeq <= this.#log.heldSeq(batch.header.device)) continue
        this.#log.receive(this.#log.open(batch))
        isNew = true
      }
      this.#read = page.cursor
      more = page.more
    }
    return isNew
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

  outbox(above: VersionVector, limit: PageLimit): Promise<BatchPage> {
    return this.#enqueue(() => this.#store.readAbove(this.#space, above, limit))
  }

  /** Stores what is unsaved and stops. Rejects where that fails; the error says what was kept. */
  async close(): Promise<void> {
    this.#closed = true
    this.#stopWatching?.()
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
    }
  }
}

type Refusal = AppendOutcome & { kind: 'gap' | 'fork' }

const isRefusal = (outcome: AppendOutcome): outcome is Refusal => outcome.kind === 'gap' || outcome.kind === 'fork'

const batchesOf = (checked: readonly CheckedBatch[]): Batch[] => checked.map(({ batch }) => batch)

/** SYNC2: after a gap the cursor is not stored. */
const ingestRecords = (cursor: Cursor | undefined, notTaken: readonly NotTaken[]): RecordChange[] =>
  cursor === undefined || notTaken.some(({ code }) => code === 'GAP') ? [] : [cursorRecord(cursor)]

const storageError = (cause: unknown): DriftlogError =>
  cause instanceof DriftlogError ? cause : new DriftlogError('STORAGE_FAILED', String(cause), {}, { cause })
