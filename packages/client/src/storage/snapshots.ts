/**
 * Local snapshots: a replica that opens reads the last one and replays the rest of the log, instead of the whole log.
 *
 *     changes ─▶ quiet for a while ─▶ enough new ops? ─▶ keeper: nothing unsaved, nothing damaged ─▶ record "snapshot"
 *
 * Invariants:
 * - a snapshot lies in the store that it is of; what that has and the snapshot has not is read from the log, and a store that
 *   has less than its snapshot has none;
 * - what it stands for is looked at when the replica opens, though not opened: rot must not be found after more was written on it;
 * - it is never the only copy of anything: where it does not fit, the log is read whole.
 */
import {
  ByteReader,
  ByteWriter,
  deflate,
  DriftlogError,
  equalBytes,
  equalVectors,
  hash,
  inflate,
  type Keyring,
  type Members,
  type QuarantiningStore,
  type RecordChange,
  restoreSnapshot,
  saveSnapshot,
  type SleepingSnapshot,
  startCursor,
  type Timers,
} from '@driftlog/core'
import { merge, type Observable, type Subscription } from 'rxjs'
import type { RecordCipher } from '../keys/record-cipher.ts'
import type { ReplicaState } from '../state/replica-state.ts'
import type { Keeper } from './keeper.ts'
import { LOAD_PAGE, type ReadLog } from './read-store.ts'

const SNAPSHOT = 'snapshot'
/** Apart, so that they are decrypted when they are needed. */
const CELLS = `${SNAPSHOT}-cells`
/** For who takes away what they stand on. */
export const noSnapshot: readonly RecordChange[] = [SNAPSHOT, CELLS].map((key) => ({ key, value: undefined }))
const CHECK_BYTES = 16
/** So long nothing may happen before one is made: it takes a moment, in which nothing else is done. */
const QUIET_MS = 5_000
/** The cells of a snapshot are read when they are needed, or so long after the opening. */
const WAKE_MS = 500
/** How many new ops are worth one by default; and, of a long log, which share of it. */
const NEW_OPS = 1_000
const NEW_SHARE = 0.1

/** What the snapshot of a store and the rest of its log come to, and how many ops the snapshot has; undefined where the log has to be read whole. */
export const readSnapshot = async (
  store: QuarantiningStore,
  { keyring, members }: { readonly keyring: Keyring; readonly members: Members | undefined },
  records: RecordCipher | undefined,
): Promise<(ReadLog & { readonly saved: number; readonly tables: SavedTables | undefined }) | undefined> => {
  const { space } = keyring
  const stored = new Map((await store.records(space, SNAPSHOT)).map(({ key, value }) => [key, value]))
  const [state, cells] = [stored.get(SNAPSHOT), stored.get(CELLS)]
  if (state === undefined || cells === undefined || records === undefined) return undefined
  const opened = openRecord(records, space, state, cells)
  const restored = opened && restoreSnapshot(opened.snapshot, keyring, members)
  if (restored === undefined) return undefined
  const saved = opsIn(restored)
  const read = await readRest(store, { ...restored, end: startCursor })
  // What came since is not in the tables.
  const isWhole = read?.projector.cells.isAsleep === true
  return read && { ...read, saved, tables: isWhole ? opened!.tables : undefined }
}

/** The tables of a schema as they were, so that queries need not wait for the cells. */
export interface SavedTables {
  /** See `schemaFingerprint`. */
  readonly fingerprint: Uint8Array
  readonly openConflicts: number
  readonly image: Uint8Array
}

const writeTables = (writer: ByteWriter, tables: SavedTables | undefined): void => {
  if (tables === undefined) {
    writer.byte(0)
    return
  }
  const { fingerprint, openConflicts, image } = tables
  const packed = deflate(image)
  writer.byte(1).bytes(fingerprint).varint(openConflicts).varint(image.length)
  writer.raw(hash(packed, CHECK_BYTES)).bytes(packed)
}

const readTables = (reader: ByteReader): SavedTables | undefined => {
  if (reader.byte() === 0) return undefined
  const fingerprint = reader.bytes()
  const openConflicts = reader.varint()
  const length = reader.varint()
  const check = reader.raw(CHECK_BYTES)
  const packed = reader.bytes()
  return equalBytes(hash(packed, CHECK_BYTES), check)
    ? { fingerprint, openConflicts, image: inflate(packed, length) }
    : undefined
}

const openRecord = (
  records: RecordCipher,
  space: string,
  state: Uint8Array,
  cells: Uint8Array,
): { readonly tables: SavedTables | undefined; readonly snapshot: SleepingSnapshot } | undefined => {
  try {
    const reader = new ByteReader(records.open(space, SNAPSHOT, state))
    // They are looked at now, and not when somebody needs them and nothing else can be done.
    if (!equalBytes(hash(cells, CHECK_BYTES), reader.raw(CHECK_BYTES))) return undefined
    const tables = readTables(reader)
    return {
      tables,
      snapshot: { state: reader.raw(reader.remaining), cells: () => records.open(space, CELLS, cells) },
    }
  } catch (error) {
    // Damaged. The log is what counts.
    if (error instanceof DriftlogError) return undefined
    throw error
  }
}

/**
 * Looks through the whole store, which costs little beside replaying it: for batches that rotted (whoever writes must know what it
 * cannot show any more), and for what the snapshot does not have: what came later, what waited, what could not be opened. undefined
 * where what is in the store tells that what is in the snapshot has other names, or other stamps, or is more than there is.
 */
const readRest = async (store: QuarantiningStore, read: ReadLog): Promise<ReadLog | undefined> => {
  const { log, projector } = read
  const { space } = log.keyring
  let end = startCursor
  for (let more = true; more; ) {
    const page = await store.readAfter(space, end, LOAD_PAGE)
    for (const { batch, branch } of page.batches) {
      const { header } = batch
      if (log.holder(header) !== undefined) continue
      if (log.isRenaming(header, branch) || log.addShifts(header.shifts) || log.lacksBefore(header, branch))
        return undefined
      log.receive(log.open(batch), branch)
    }
    end = page.cursor
    more = page.more
  }
  const isSound = store.damaged(space).length === 0 && equalVectors(await store.vector(space), log.held())
  return isSound ? { log, projector, end } : undefined
}

export interface SnapshotsOptions {
  readonly keeper: Keeper
  readonly state: ReplicaState
  readonly timers: Timers
  readonly records: RecordCipher
  /** As they are now; undefined where there can be no copy of them. */
  readonly tables: () => SavedTables | undefined
  /** Whether the store goes on from a base: it opens from that (SNAP2). */
  readonly isPruned: () => boolean
  /** How many new ops are worth a snapshot. */
  readonly newOps?: number
}

export class Snapshots {
  readonly #options: SnapshotsOptions
  readonly #listening: Subscription
  /** Ops in the snapshot of the store. */
  #saved: number
  #hasChanged = false
  /** Moves with what is held. */
  #mark = -1
  #stopWaiting: (() => void) | undefined
  #stopSleeping: (() => void) | undefined

  /** `saved`: how many ops the snapshot has that the store has now. */
  constructor(options: SnapshotsOptions, saved: number) {
    const { keeper, state } = options
    this.#options = options
    this.#saved = saved
    const happened: Observable<unknown> = merge(keeper.changes, keeper.arrivals)
    this.#listening = happened.subscribe(() => {
      // Nor is it news that the storage fails, or works again.
      const { log, writer } = state
      const mark = log.receivedCount + log.heldSeq(writer.identity.device)
      if (mark === this.#mark) return
      this.#mark = mark
      this.#hasChanged = true
      if (this.#stopWaiting === undefined) this.#wait()
    })
    // Read anew, for it has other names or stamps: what is saved does not fit it.
    this.#listening.add(state.replaced.subscribe(() => (this.#saved = 0)))
    // Whoever writes first should not have to wait for it.
    if (state.projector.cells.isAsleep)
      this.#stopSleeping = options.timers.schedule(WAKE_MS, () => state.projector.cells.awaken())
  }

  #wait(): void {
    this.#hasChanged = false
    this.#stopWaiting = this.#options.timers.schedule(QUIET_MS, () => {
      this.#stopWaiting = undefined
      if (this.#hasChanged) this.#wait()
      else void this.#save()
    })
  }

  async #save(): Promise<void> {
    const { keeper, state, records, tables, isPruned, newOps = NEW_OPS } = this.#options
    if (isPruned()) return
    const { space } = state.log.keyring
    const ops = opsIn(state)
    if (ops - this.#saved < Math.max(newOps, Math.min(ops * NEW_SHARE, newOps * 100))) return
    try {
      await keeper.settled()
    } catch {
      // Told by who stores it, and tried again.
      return
    }
    const outcome = await keeper.saveCache(() => {
      const snapshot = saveSnapshot(state.log, state.projector)
      if (snapshot === undefined) return undefined
      const cells = records.seal(space, CELLS, snapshot.cells)
      const writer = new ByteWriter(snapshot.state.length + 1_048_576).raw(hash(cells, CHECK_BYTES))
      writeTables(writer, tables())
      return [
        { key: SNAPSHOT, value: records.seal(space, SNAPSHOT, writer.raw(snapshot.state).finish()) },
        { key: CELLS, value: cells },
      ]
    })
    // Where it cannot be stored, it may be so many ops later.
    if (outcome !== 'not now') this.#saved = ops
  }

  /** Makes one where it is worth it, before the keeper closes. */
  async close(): Promise<void> {
    this.#stopWaiting?.()
    this.#stopSleeping?.()
    this.#listening.unsubscribe()
    await this.#save()
  }
}

/** How many ops are held. */
export const opsIn = ({ log }: Pick<ReplicaState, 'log'>): number => {
  let ops = 0
  for (const [branch, seq] of log.held()) ops += seq - (log.branch(branch)?.base ?? 0)
  return ops
}
