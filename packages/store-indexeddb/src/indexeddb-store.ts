/**
 * BatchStore in a browser's IndexedDB.
 *
 * Invariants:
 * - all batches of an append are judged and written in one readwrite transaction, so that other tabs change nothing in
 *   between; judging writes nothing, so that an undoing has nothing to undo;
 * - what is stored owns its bytes: a view would be cloned with the whole buffer under it.
 */
import {
  type AppendOutcome,
  type Batch,
  type BatchPage,
  type BatchStore,
  checkAppend,
  checkSpaceId,
  type Cursor,
  decodeStored,
  type DeviceId,
  DriftlogError,
  equalBytes,
  isRefusal,
  judgeBatch,
  PageFiller,
  type PageLimit,
  type RecordChange,
  seqOf,
  startCursor,
  type Tip,
  undoneOutcomes,
  type VersionVector,
} from '@driftlog/core'
import { Connection } from './connection.ts'
import {
  type BoundaryRow,
  keysAfterPosition,
  keysAfterSeq,
  keysOf,
  keysWithPrefix,
  STORES,
  type TipRow,
  type Transaction,
} from './schema.ts'
import { storageError } from './errors.ts'
import { claimTabSlot, type HeldSlot } from './tab-slots.ts'
import { TabWatchers } from './tab-watchers.ts'

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

/** How many bodies to load at a time: few round trips, and at most this many megabytes read in vain. */
const READ_AHEAD = 16

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
    options: { readonly records?: readonly RecordChange[]; readonly allOrNothing?: boolean } = {},
  ): Promise<readonly AppendOutcome[]> {
    this.#connection.checkOpen()
    const { records = [], allOrNothing = false } = options
    checkAppend(space, batches, records)
    const outcomes = await this.#connection.write(STORES, async (transaction) => {
      const { outcomes, tips, heldBefore } = await judgeAll(transaction, space, batches)
      if (allOrNothing && outcomes.some(isRefusal)) return undoneOutcomes(batches, outcomes, heldBefore)
      const writes = new Writes()
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.kind === 'appended') putBatch(transaction, writes, batches[index], outcome.position)
      }
      for (const row of tips) writes.add(transaction.objectStore('tip').put(row))
      const recordStore = transaction.objectStore('record')
      for (const { key, value } of records) {
        if (value === undefined) writes.add(recordStore.delete([space, key]))
        else writes.add(recordStore.put({ space, key, value: value.slice() }))
      }
      await writes.all()
      return outcomes
    })
    if (outcomes.some(({ kind }) => kind === 'appended')) this.#watchers.committed(space)
    return outcomes
  }

  async readAbove(space: string, vector: VersionVector, limit: PageLimit): Promise<BatchPage> {
    return this.#connection.read(['tip', 'boundary', 'batch'], async (transaction) => {
      const page = new PageFiller(limit)
      const boundaryStore = transaction.objectStore('boundary')
      const tips = await transaction.objectStore('tip').getAll(keysOf(space))
      const lacking = tips.filter(({ device, seq }) => seq > seqOf(vector, device))
      // One more than fits, of each: enough to fill the page from any of them and to know whether more match.
      const count = Math.min(page.room + 1, 0xffff_ffff)
      const runs = await Promise.all(
        lacking.map(({ device }) => boundaryStore.getAll(keysAfterSeq(space, device, seqOf(vector, device)), count)),
      )
      const wanted = runs.flat().sort((a, b) => a.position - b.position)
      for (let index = 0; index < wanted.length; index += READ_AHEAD) {
        const ahead = wanted.slice(index, index + Math.min(READ_AHEAD, page.room + 1))
        const rows = await Promise.all(
          ahead.map(({ position }) => transaction.objectStore('batch').get([space, position])),
        )
        for (const [at, row] of rows.entries()) {
          if (row === undefined) throw missingBatch(ahead[at])
          if (!page.offer(decodeStored(row))) return page.page(() => startCursor)
        }
      }
      const end = await endOf(transaction, space)
      return page.page(() => end)
    })
  }

  async readAfter(space: string, cursor: Cursor, limit: PageLimit): Promise<BatchPage> {
    return this.#connection.read(['batch'], async (transaction) => {
      const store = transaction.objectStore('batch')
      // NaN and the like are no keys, and asking for one would throw.
      const isPosition = Number.isSafeInteger(cursor.position) && cursor.position > 0
      const named = isPosition ? await store.get([space, cursor.position]) : undefined
      const tag = cursor.position === 0 ? startCursor.tag : named?.tagAfter
      if (tag === undefined || !equalBytes(tag, cursor.tag)) {
        throw new DriftlogError('BASE_MISMATCH', '', { space, position: cursor.position })
      }
      const page = new PageFiller(limit)
      let last = cursor.position
      for (;;) {
        const rows = await store.getAll(keysAfterPosition(space, last), Math.min(READ_AHEAD, page.room + 1))
        for (const row of rows) {
          if (!page.offer(decodeStored(row))) return page.page(() => startCursor)
          last = row.position
        }
        if (rows.length === 0) break
      }
      const end = await endOf(transaction, space)
      return page.page(() => end)
    })
  }

  async vector(space: string): Promise<VersionVector> {
    return this.#connection.read(['tip'], async (transaction) => {
      const tips = await transaction.objectStore('tip').getAll(keysOf(space))
      return new Map(tips.map(({ device, seq }) => [device, seq] as const))
    })
  }

  async tip(space: string, device: DeviceId): Promise<Tip | undefined> {
    return this.#connection.read(['tip'], async (transaction) => {
      const row = await transaction.objectStore('tip').get([space, device])
      return row && { seq: row.seq, tag: row.tag, certificate: row.certificate }
    })
  }

  async end(space: string): Promise<Cursor> {
    return this.#connection.read(['batch'], (transaction) => endOf(transaction, space))
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

interface Judged {
  readonly outcomes: readonly AppendOutcome[]
  /** As they are to be after the append, of the devices that have moved. */
  readonly tips: Iterable<TipRow>
  readonly heldBefore: (batch: Batch) => number
}

const judgeAll = async (
  transaction: Transaction<'readwrite'>,
  space: string,
  batches: readonly Batch[],
): Promise<Judged> => {
  const heldTips = new Map<DeviceId, TipRow>()
  for (const { header } of batches) {
    if (heldTips.has(header.device)) continue
    const row = await transaction.objectStore('tip').get([space, header.device])
    if (row !== undefined) heldTips.set(header.device, row)
  }
  const moved = new Map<DeviceId, TipRow>()
  const newBoundaries = new Map<string, Uint8Array>()
  const outcomes: AppendOutcome[] = []
  let position = await endPosition(transaction, space)
  for (const { header } of batches) {
    const { device, toSeq, tagAfter, certificate } = header
    const tip = moved.get(device) ?? heldTips.get(device)
    const boundary = `${device} ${toSeq}`
    const isKnownSeq = tip !== undefined && toSeq <= tip.seq
    const boundaryTag =
      newBoundaries.get(boundary) ??
      (isKnownSeq ? (await transaction.objectStore('boundary').get([space, device, toSeq]))?.tag : undefined)
    const verdict = judgeBatch(header, tip, boundaryTag)
    if (verdict.kind !== 'append') {
      outcomes.push(verdict)
      continue
    }
    const ownCertificate = tip?.certificate ?? certificate?.slice() ?? new Uint8Array(0)
    moved.set(device, { space, device, seq: toSeq, tag: tagAfter.slice(), certificate: ownCertificate })
    newBoundaries.set(boundary, tagAfter)
    position++
    outcomes.push({ kind: 'appended', position })
  }
  return { outcomes, tips: moved.values(), heldBefore: ({ header }) => heldTips.get(header.device)?.seq ?? 0 }
}

const putBatch = (
  transaction: Transaction<'readwrite'>,
  writes: Writes,
  { header, bytes }: Batch,
  position: number,
): void => {
  const { space, device, fromSeq, toSeq } = header
  const tagAfter = header.tagAfter.slice()
  const row = { space, device, fromSeq, toSeq, position, tagAfter, bytes: bytes.slice() }
  // `add`, not `put`: what is stored is never overwritten, whatever went wrong before.
  writes.add(transaction.objectStore('batch').add(row))
  writes.add(transaction.objectStore('boundary').add({ space, device, toSeq, position, tag: tagAfter }))
}

/**
 * The requests of one transaction. Each is watched from its start: where a later one throws at once, those before it are
 * aborted with nobody waiting for them, and would be reported as unhandled rejections.
 */
class Writes {
  readonly #requests: Promise<unknown>[] = []

  add(request: Promise<unknown>): void {
    request.catch(() => {})
    this.#requests.push(request)
  }

  async all(): Promise<void> {
    await Promise.all(this.#requests)
  }
}

const endPosition = async (transaction: Transaction<'readwrite'>, space: string): Promise<number> => {
  const last = await transaction.objectStore('batch').openKeyCursor(keysOf(space), 'prev')
  return last?.key[1] ?? 0
}

const endOf = async (transaction: Transaction<'readonly'>, space: string): Promise<Cursor> => {
  const last = await transaction.objectStore('batch').openCursor(keysOf(space), 'prev')
  return last === null ? startCursor : { position: last.value.position, tag: last.value.tagAfter }
}

const missingBatch = ({ space, device, toSeq, position }: BoundaryRow): DriftlogError => {
  const details = { space, device, toSeq, position }
  return new DriftlogError('STORAGE_DAMAGED', `batch of ${device} up to ${toSeq} is gone`, details)
}
