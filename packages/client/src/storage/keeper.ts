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
 * - KEEP3 `storedSeq` (own) and `stored()` (all) tell what is durable, never what is only in memory.
 */
import {
  type AppendOutcome,
  type Batch,
  type BatchStore,
  type Cursor,
  type DeviceId,
  DriftlogError,
  type OpLog,
  type RecordChange,
  startCursor,
  type Timers,
  type VersionVector,
  type Writer,
} from '@driftlog/core'
import { Subject } from 'rxjs'
import { clockRecord, cursorRecord } from './bookmarks.ts'

const LOAD_PAGE = { batches: 500, bytes: 8_000_000 }
const RETRY_FIRST_MS = 500
const RETRY_MOST_MS = 30_000

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
  readonly #timers: Timers
  #writer: Writer | undefined
  /** Our place in the local store's arrival order: everything up to it is in the log. */
  #read: Cursor = startCursor
  /** Sealed and not stored yet, in order. */
  #unstored: Batch[] = []
  #records = new Map<string, RecordChange>()
  /** The end of the chain of store operations: each waits for the one before. */
  #tail: Promise<void> = Promise.resolve()
  #flushQueued = false
  #failures = 0
  #cancelRetry: (() => void) | undefined
  #stopWatching: (() => void) | undefined
  #closed = false

  /** Something became durable, or the state of the storage changed. */
  readonly changes = new Subject<void>()
  /** Ops came in from the store that other tabs wrote. */
  readonly arrivals = new Subject<void>()
  /** Set while the last append of own ops failed. */
  error: DriftlogError | undefined

  constructor(store: BatchStore, space: string, log: OpLog, timers: Timers) {
    this.#store = store
    this.#space = space
    this.#log = log
    this.#timers = timers
  }

  /** Reads the whole store into the log. */
  async load(): Promise<void> {
    await this.#readNew()
  }

  /** Starts writing, and listening for what other tabs write. */
  begin(writer: Writer): void {
    this.#writer = writer
    this.#stopWatching = this.#store.watch(this.#space, () => {
      void this.#enqueue(() => this.#readNew().then(() => this.arrivals.next())).catch((error: unknown) =>
        this.#fail(error),
      )
    })
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
    if (this.#flushQueued || this.error !== undefined) return
    this.#flushQueued = true
    void this.#enqueue(() => this.#flush()).catch((error: unknown) => this.#fail(error))
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
    this.#failures = 0
    this.error = undefined
    this.changes.next()
  }

  /** Another history under our own id: a clone or a restored backup writes as this device too. */
  #expectTaken(outcomes: readonly AppendOutcome[], batches: readonly Batch[]): void {
    outcomes.forEach((outcome, index) => {
      if (outcome.kind !== 'gap' && outcome.kind !== 'fork') return
      const { device, fromSeq } = batches[index].header
      throw new DriftlogError('FORK', 'this device id is also written elsewhere', {
        device,
        fromSeq,
        have: outcome.have,
      })
    })
  }

  /** Moves our place in the store over own appends, so that they are not read back. */
  #follow(outcomes: readonly AppendOutcome[], batches: readonly Batch[]): void {
    outcomes.forEach((outcome, index) => {
      if (outcome.kind !== 'appended' || outcome.position !== this.#read.position + 1) return
      this.#read = { position: outcome.position, tag: batches[index].header.tagAfter }
    })
  }

  /** KEEP2. A fork is not tried again: it needs the person, or a new device id. */
  #fail(cause: unknown): void {
    this.error =
      cause instanceof DriftlogError ? cause : new DriftlogError('STORAGE_FAILED', String(cause), {}, { cause })
    this.changes.next()
    if (this.#closed || this.error.code === 'FORK') return
    const delayMs = Math.min(RETRY_FIRST_MS * 2 ** this.#failures++, RETRY_MOST_MS)
    this.#cancelRetry?.()
    this.#cancelRetry = this.#timers.schedule(delayMs, () => {
      void this.#enqueue(() => this.#flush()).catch((error: unknown) => this.#fail(error))
    })
  }

  /**
   * SYNC2: checks and stores a delivery with its cursor in one transaction, then hands it to the log. Batches that do not
   * check out, or belong to another branch, are left out and named; after a gap the cursor is not stored.
   */
  async ingest(batches: readonly Batch[], cursor: Cursor | undefined): Promise<readonly NotTaken[]> {
    return this.#enqueue(async () => {
      const notTaken: NotTaken[] = []
      const checked = this.#check(batches, notTaken)
      for (;;) {
        const gap = notTaken.some(({ code }) => code === 'GAP')
        const records = cursor === undefined || gap ? [] : [cursorRecord(cursor)]
        const taken = checked.map(({ batch }) => batch)
        const outcomes = await this.#store.append(this.#space, taken, { records, allOrNothing: true })
        const refused = outcomes.findIndex(({ kind }) => kind === 'gap' || kind === 'fork')
        if (refused < 0) {
          for (const batch of checked) this.#log.receive(batch)
          this.#follow(outcomes, taken)
          return notTaken
        }
        const { kind, have } = outcomes[refused] as { kind: 'gap' | 'fork'; have: number }
        const { device } = taken[refused].header
        notTaken.push({ device, code: kind === 'gap' ? 'GAP' : 'FORK', details: { have } })
        checked.splice(refused, 1)
      }
    })
  }

  #check(batches: readonly Batch[], notTaken: NotTaken[]): ReturnType<OpLog['check']>[] {
    const own = this.#writer!.identity.device
    const certificates = new Map<DeviceId, Uint8Array>()
    const checked: ReturnType<OpLog['check']>[] = []
    for (const batch of batches) {
      const { device, certificate, toSeq } = batch.header
      try {
        // An op under our own id that we did not write: see #expectTaken.
        if (device === own && toSeq > this.storedSeq)
          throw new DriftlogError('FORK', '', { device, have: this.storedSeq })
        if (toSeq <= this.#log.heldSeq(device)) {
          checked.push({ batch, runs: [] })
          continue
        }
        checked.push(this.#log.check(batch, certificates.get(device)))
        if (certificate !== undefined) certificates.set(device, certificate)
      } catch (error) {
        if (!(error instanceof DriftlogError)) throw error
        notTaken.push({ device, code: error.code, details: { fromSeq: batch.header.fromSeq } })
      }
    }
    return checked
  }

  /** Reads what is in the store beyond our place. */
  async #readNew(): Promise<void> {
    for (let more = true; more && !this.#closed; ) {
      const page = await this.#store.readAfter(this.#space, this.#read, LOAD_PAGE)
      for (const { batch } of page.batches) {
        if (batch.header.toSeq > this.#log.heldSeq(batch.header.device)) this.#log.receive(this.#log.open(batch))
      }
      this.#read = page.cursor
      more = page.more
    }
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work)
    this.#tail = done.then(
      () => undefined,
      () => undefined,
    )
    return done
  }

  outbox(above: VersionVector, limit: { batches: number; bytes: number }) {
    return this.#enqueue(() => this.#store.readAbove(this.#space, above, limit))
  }

  /** Stores what is unsaved and stops. Rejects where that fails; the error says what was kept. */
  async close(): Promise<void> {
    this.#stopWatching?.()
    this.#cancelRetry?.()
    try {
      await this.#enqueue(() => this.#flush())
    } finally {
      this.#closed = true
      this.changes.complete()
      this.arrivals.complete()
    }
  }
}
