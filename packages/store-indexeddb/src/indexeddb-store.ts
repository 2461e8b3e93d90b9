/**
 * BatchStore in a browser's IndexedDB.
 *
 * Invariants:
 * - all batches of an append are judged and written in one readwrite transaction, so that other tabs change nothing in
 *   between; a call that is undone aborts it;
 * - what is stored owns its bytes: a view would be cloned with the whole buffer under it.
 */
import {
  type AppendOptions,
  type AppendOutcome,
  type Batch,
  type BatchPage,
  type BatchStore,
  checkAppend,
  checkSpaceId,
  commonPoint,
  type Cursor,
  decodeStored,
  type DeviceId,
  DriftlogError,
  equalBytes,
  type Floor,
  isRefusal,
  type NamedRun,
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
  startCursor,
  type StoredBatch,
  type Tip,
  undoneOutcomes,
  type VersionVector,
} from '@driftlog/core'
import { Connection, Undone } from './connection.ts'
import {
  keysAfterPosition,
  keysAfterSeq,
  keysOf,
  keysOfDevice,
  keysWithPrefix,
  STORES,
  type Transaction,
} from './schema.ts'
import { storageError } from './errors.ts'
import { endOf } from './end.ts'
import { plantFloors } from './plant.ts'
import { pruneBranches } from './prune.ts'
import { claimTabSlot, type HeldSlot } from './tab-slots.ts'
import { TabWatchers } from './tab-watchers.ts'
import { asTree, Intake, missingBatch, READ_AHEAD, Writes } from './take-in.ts'

export interface IndexedDbOptions {
  /** Whether to ask the browser to keep the data when space runs low (`navigator.storage.persist`). true. */
  readonly persist?: boolean
  /** An older tab of this app keeps an upgrade of the database waiting: ask the user to close or reload it. */
  readonly onBlocked?: () => void
}

export interface IndexedDbStore extends BatchStore {
  /** Whether the browser has promised to keep the data; undefined where it was not asked or cannot say. */
  readonly persisted: Promise<boolean | undefined>
}

/**
 * A store in the IndexedDB database `name`, opened at its first use. Several tabs may share it. An open store gives way
 * to a newer version of the app: from then on it rejects with CLOSED, and the page should be reloaded.
 *
 * Rejects with STORAGE_FULL over the quota, FORMAT_UNKNOWN where a newer version wrote the database, STORAGE_FAILED
 * otherwise.
 */
export const indexedDb = (name: string, options: IndexedDbOptions = {}): IndexedDbStore =>
  new IndexedDbBatchStore(name, options)

const askToPersist = async (): Promise<boolean | undefined> => {
  try {
    const storage = (globalThis.navigator as Partial<Navigator> | undefined)?.storage as
      | Partial<StorageManager>
      | undefined
    return await storage?.persist?.()
  } catch {
    // A refusal to answer is no reason not to store.
    return undefined
  }
}

class IndexedDbBatchStore implements IndexedDbStore {
  readonly persisted: Promise<boolean | undefined>
  readonly #name: string
  readonly #connection: Connection
  readonly #watchers: TabWatchers
  readonly #slots = new Set<HeldSlot>()

  constructor(name: string, options: IndexedDbOptions) {
    this.#name = name
    this.#watchers = new TabWatchers(name)
    this.#connection = new Connection(name, {
      blocked: () => options.onBlocked?.(),
      ended: () => void this.#letGo(),
    })
    this.persisted = options.persist === false ? Promise.resolve(undefined) : askToPersist()
  }

  async append(
    space: string,
    batches: readonly Batch[],
    { records = [], allOrNothing = false, replacing, absent = [] }: AppendOptions = {},
  ): Promise<readonly AppendOutcome[]> {
    this.#connection.checkOpen()
    checkAppend(space, batches, records, absent)
    const outcomes = await this.#connection.write(STORES, async (transaction) => {
      const recordStore = transaction.objectStore('record')
      const present = await Promise.all(absent.map((key) => recordStore.count([space, key])))
      const existing = absent.find((_, index) => present[index] > 0)
      if (existing !== undefined) throw recordExists(space, existing)
      const writes = new Writes()
      const intake = new Intake(transaction, space, writes)
      const outcomes: AppendOutcome[] = []
      for (const batch of batches) {
        outcomes.push(await (replacing?.has(batch) === true ? intake.putInPlace(batch) : intake.take(batch)))
      }
      if (allOrNothing && outcomes.some(isRefusal)) {
        return new Undone(undoneOutcomes(batches, outcomes, ({ header }) => intake.heldBefore(header.device)))
      }
      intake.finish()
      changeRecords(transaction, space, records, writes)
      await writes.all()
      return outcomes
    })
    if (outcomes.some(({ kind }) => kind === 'appended' || kind === 'replaced')) this.#watchers.committed(space)
    return outcomes
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
    this.#connection.checkOpen()
    checkAppend(space, [], records)
    return this.#connection.write(STORES, async (transaction) => {
      const writes = new Writes()
      const outcomes = await pruneBranches(transaction, space, points, writes)
      changeRecords(transaction, space, records, writes)
      await writes.all()
      return outcomes
    })
  }

  async plant(
    space: string,
    floors: readonly PlantedFloor[],
    { records = [] }: { readonly records?: readonly RecordChange[] } = {},
  ): Promise<void> {
    this.#connection.checkOpen()
    checkAppend(space, [], records)
    await this.#connection.write(STORES, async (transaction) => {
      const writes = new Writes()
      await plantFloors(transaction, space, floors, writes)
      changeRecords(transaction, space, records, writes)
      await writes.all()
    })
  }

  async floors(space: string): Promise<ReadonlyMap<DeviceId, Floor>> {
    return this.#connection.read(['branch'], async (transaction) => {
      const rows = await transaction.objectStore('branch').getAll(keysOf(space))
      const pruned = rows.filter(({ floor }) => floor > 0)
      return new Map(
        pruned.map(({ branch, device, base, baseTag, floor: seq, floorTag: tag }) => [
          branch,
          { seq, tag, device, base, baseTag },
        ]),
      )
    })
  }

  async readAbove(space: string, vector: VersionVector, limit: PageLimit): Promise<BatchPage> {
    return this.#connection.read(['branch', 'boundary', 'batch', 'pruned'], async (transaction) => {
      const page = new PageFiller(limit)
      const boundaryStore = transaction.objectStore('boundary')
      const branches = await transaction.objectStore('branch').getAll(keysOf(space))
      const lacking = branches.filter(({ branch, seq }) => seq > seqOf(vector, branch))
      // One more than fits, of each: enough to fill the page from any of them and to know whether more match.
      const count = Math.min(page.room + 1, 0xffff_ffff)
      const runs = await Promise.all(
        lacking.map(({ branch }) => boundaryStore.getAll(keysAfterSeq(space, branch, seqOf(vector, branch)), count)),
      )
      const wanted = runs.flat().sort((a, b) => a.position - b.position)
      for (let index = 0; index < wanted.length; index += READ_AHEAD) {
        const ahead = wanted.slice(index, index + Math.min(READ_AHEAD, page.room + 1))
        const rows = await Promise.all(
          ahead.map(({ position }) => transaction.objectStore('batch').get([space, position])),
        )
        for (const [at, row] of rows.entries()) {
          const read = (): StoredBatch => {
            if (row === undefined) throw missingBatch(ahead[at])
            return decodeStored(row)
          }
          if (!page.offer(row?.bytes.length ?? 0, read)) return page.page(() => startCursor)
        }
      }
      const end = await endOf(transaction, space)
      return page.page(() => end)
    })
  }

  async readAfter(space: string, cursor: Cursor, limit: PageLimit): Promise<BatchPage> {
    return this.#connection.read(['batch', 'pruned'], async (transaction) => {
      const store = transaction.objectStore('batch')
      // NaN and the like are no keys, and asking for one would throw.
      const isPosition = Number.isSafeInteger(cursor.position) && cursor.position > 0
      const pruned = await transaction.objectStore('pruned').get(space)
      const named = isPosition ? await store.get([space, cursor.position]) : undefined
      const ofPruned = pruned?.position === cursor.position ? pruned.tag : undefined
      const tag = cursor.position === 0 ? startCursor.tag : (named?.tagAfter ?? ofPruned)
      if (tag === undefined || !equalBytes(tag, cursor.tag)) {
        throw new DriftlogError('BASE_MISMATCH', '', { space, position: cursor.position })
      }
      const page = new PageFiller(limit)
      let last = cursor.position
      for (;;) {
        const rows = await store.getAll(keysAfterPosition(space, last), Math.min(READ_AHEAD, page.room + 1))
        for (const row of rows) {
          if (!page.offer(row.bytes.length, () => decodeStored(row))) return page.page(() => startCursor)
          last = row.position
        }
        if (rows.length === 0) break
      }
      const end = await endOf(transaction, space)
      return page.page(() => end)
    })
  }

  async vector(space: string): Promise<VersionVector> {
    return this.#connection.read(['branch'], async (transaction) => {
      const rows = await transaction.objectStore('branch').getAll(keysOf(space))
      return new Map(rows.map(({ branch, seq }) => [branch, seq] as const))
    })
  }

  async tips(space: string): Promise<ReadonlyMap<DeviceId, Tip>> {
    return this.#connection.read(['branch'], async (transaction) => {
      const rows = await transaction.objectStore('branch').getAll(keysOf(space))
      return new Map(rows.map(({ branch, seq, tag }) => [branch, { seq, tag }] as const))
    })
  }

  async certificate(space: string, device: DeviceId): Promise<Uint8Array | undefined> {
    return this.#connection.read(['certificate'], async (transaction) => {
      const row = await transaction.objectStore('certificate').get([space, device])
      return row?.bytes
    })
  }

  async common(space: string, device: DeviceId, points: readonly Point[]): Promise<number> {
    return this.#connection.read(['branch', 'boundary'], async (transaction) => {
      const branches = await transaction.objectStore('branch').getAll(keysOfDevice(space, device))
      return asTree(transaction, space, branches, (tree) => commonPoint(tree, points))
    })
  }

  async onPath(space: string, device: DeviceId, point: Point, runs: readonly NamedRun[]): Promise<readonly boolean[]> {
    return this.#connection.read(['branch', 'boundary'], async (transaction) => {
      const branches = await transaction.objectStore('branch').getAll(keysOfDevice(space, device))
      return asTree(transaction, space, branches, (tree) => runsOnPath(tree, point, runs))
    })
  }

  async end(space: string): Promise<Cursor> {
    return this.#connection.read(['batch', 'pruned'], (transaction) => endOf(transaction, space))
  }

  async records(space: string, prefix: string): Promise<readonly { key: string; value: Uint8Array }[]> {
    return this.#connection.read(['record'], async (transaction) => {
      const rows = await transaction.objectStore('record').getAll(keysWithPrefix(space, prefix))
      return rows.map(({ key, value }) => ({ key, value }))
    })
  }

  watch(space: string, listener: () => void): () => void {
    this.#connection.checkOpen()
    return this.#watchers.watch(space, listener)
  }

  async claimSlot(space: string): Promise<{ readonly slot: number; release(): Promise<void> }> {
    this.#connection.checkOpen()
    checkSpaceId(space)
    let held: HeldSlot
    try {
      held = await claimTabSlot(this.#name, space)
    } catch (error) {
      throw storageError(error, this.#name)
    }
    try {
      this.#connection.checkOpen()
    } catch (error) {
      await held.release()
      throw error
    }
    this.#slots.add(held)
    const release = async (): Promise<void> => {
      // Once only: by a second release somebody else's slot could be freed.
      if (this.#slots.delete(held)) await held.release()
    }
    return { slot: held.slot, release }
  }

  async close(): Promise<void> {
    await this.#connection.close()
    await this.#letGo()
  }

  /** A connection that has ended writes no more: its slots are free for who can, and there is nothing to tell. */
  async #letGo(): Promise<void> {
    this.#watchers.stop()
    const held = [...this.#slots]
    this.#slots.clear()
    await Promise.all(held.map((slot) => slot.release()))
  }
}

const changeRecords = (
  transaction: Transaction<'readwrite'>,
  space: string,
  records: readonly RecordChange[],
  writes: Writes,
): void => {
  const store = transaction.objectStore('record')
  for (const { key, value } of records) {
    if (value === undefined) writes.add(store.delete([space, key]))
    else writes.add(store.put({ space, key, value: value.slice() }))
  }
}
