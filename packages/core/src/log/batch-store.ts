/**
 * The port through which devices and servers keep batches. Every adapter passes the contract suite of
 * `@driftlog/testkit`. A store never looks inside a batch: it goes by the plain header alone.
 *
 * Invariants, for every space and device:
 * - STORE1 the history of a device is a tree: a batch is taken in only where its beginning (device, fromSeq - 1, tagBefore)
 *   is held, as the end of a batch or as the start; a gap, or a branch whose beginning is not held, changes nothing;
 * - STORE2 every stretch of the tree without a fork is a *branch*, contiguous in seq: the first has the device's id, any
 *   other the id that `branchId` derives. Where a batch makes another one of the same beginning a sibling, the branch ends
 *   there, and what followed gets its derived id; so the names follow from what is held, in whatever order it came;
 * - STORE3 a batch that ends at a held boundary with its tag is held already, a duplicate: no change, no new position;
 * - STORE4 an append is one durable transaction over its batches, those that it replaces and its records: all of them or none;
 * - STORE5 positions of a space rise by at least 1 in the order in which batches were taken in, and are never reused;
 * - STORE6 bytes that are not those that came are never handed out, and nothing but handing out depends on them;
 * - STORE7 a prune takes away what ends at or below a point of a branch, and leaves the branch a *floor* there. The tree, its
 *   names, tips, certificates and the end of the arrival order stay. A floor is a held boundary like any other: what begins
 *   there goes on from it, or forks from it (STORE1, STORE2), and what ends there is a duplicate (STORE3);
 * - STORE8 what is pruned cannot be told any more: a batch whose first op is, or may be, one of those is *below*, and changes
 *   nothing. Its first op is one of a branch that was pruned past its first run, and is called by that run (BR1); or it is a
 *   device's first and the unforked beginning of the device was pruned. It may be one where its beginning is not held, and a
 *   branch was pruned over that seq. STORE1 to STORE3 speak of all others;
 * - STORE10 a planting puts floors in the place of all that is held of a space; positions go on from where they were;
 * - STORE9 the records that an append wants to be absent are looked for in its transaction: of several such appends, in any
 *   number of processes, one is stored.
 */
import type { DeviceId } from '../clock/dot.ts'
import type { VersionVector } from '../clock/version-vector.ts'
import type { Batch } from './batch.ts'

/** A place in one store's arrival order of one space, with the tag of the batch there: it notices another history. */
export interface Cursor {
  readonly position: number
  /** `tagAfter` of the batch that came to `position`, 16 bytes; empty at position 0, the start. */
  readonly tag: Uint8Array
}

export const startCursor: Cursor = { position: 0, tag: new Uint8Array(0) }

/** Where a branch ends in a store. */
export interface Tip {
  readonly seq: number
  /** Keyed chain tag after `seq`, 16 bytes. */
  readonly tag: Uint8Array
}

export type AppendOutcome =
  /** `branch`: where it stands now. `isSplit`: it is a new branch of a device that others are named anew by (STORE2). */
  | { readonly kind: 'appended'; readonly position: number; readonly branch: DeviceId; readonly isSplit: boolean }
  | { readonly kind: 'duplicate'; readonly branch: DeviceId }
  /** Its bytes are in the place of those that were held of it: see `replacing`. */
  | { readonly kind: 'replaced'; readonly branch: DeviceId }
  /** The batch starts above all that is held of its device: `have` is the highest seq of any of its branches. */
  | { readonly kind: 'gap'; readonly have: number }
  /**
   * The store cannot join this batch to what it holds: it continues a branch whose beginning is not held, or it ends or
   * begins inside a batch that is held (a partial overlap). `have` as above.
   */
  | { readonly kind: 'fork'; readonly have: number }
  /** STORE8. `floor`: the seq up to which the branch is pruned that it begins in; the highest one where it may be any of several. */
  | { readonly kind: 'below'; readonly floor: number }
  /** None of these three, yet not stored: another batch of an `allOrNothing` call was. */
  | { readonly kind: 'undone' }

/** A small private value beside the batches: keys, clock, cursors, journal. `value` undefined deletes. */
export interface RecordChange {
  /** Well-formed Unicode without U+0000. Keys are ordered by UTF-16 code units. */
  readonly key: string
  readonly value: Uint8Array | undefined
}

export interface StoredBatch {
  readonly batch: Batch
  readonly position: number
  /** The branch that it is part of now; the device in its header where that never forked. */
  readonly branch: DeviceId
}

export interface AppendOptions {
  readonly records?: readonly RecordChange[]
  readonly allOrNothing?: boolean
  /**
   * Which of the batches are to be put in the place of what is held of them: of a batch of the same device, with the same
   * seqs and the same tags at both ends. Its position and branch stay. Where there is none it is a gap, or below (STORE8).
   * They must have been checked like any other.
   */
  readonly replacing?: ReadonlySet<Batch>
  /** STORE9. Keys of records; where there is one, nothing of the call is stored and it rejects with RECORD_EXISTS { key }. */
  readonly absent?: readonly string[]
}

/** A place in a device's history: a seq and the tag there. */
export interface Point {
  readonly seq: number
  readonly tag: Uint8Array
}

/** Up to where a branch is to be pruned. */
export interface PrunePoint extends Point {
  readonly branch: DeviceId
}

export type PruneOutcome =
  /** What was taken away by this point: nothing where that had been done before. */
  | { readonly kind: 'pruned'; readonly batches: number; readonly bytes: number }
  /** No batch of the branch ends there, nor is it at or below its floor; nothing of the branch was changed by it. */
  | { readonly kind: 'unknown' }

/** Up to where a branch was pruned, and where it begins: no batch tells that any more. */
export interface Floor extends Point {
  readonly device: DeviceId
  /** The seq before its first, and the tag there. */
  readonly base: number
  readonly baseTag: Uint8Array
}

/** A branch of which nothing but the end is to be held. */
export interface PlantedFloor extends Floor {
  readonly branch: DeviceId
  /** The certificate of its device. */
  readonly certificate: Uint8Array
}

/** A run by what is before it, as a shift names it (BR2). */
export interface NamedRun {
  /** The last seq before it. */
  readonly base: number
  /** The tag after it. */
  readonly firstTag: Uint8Array
}

export interface BatchPage {
  /** In arrival order. */
  readonly batches: readonly StoredBatch[]
  /** Names the last batch of the page; where the page is empty, the end of the store. */
  readonly cursor: Cursor
  /** Whether more batches match than fit the page. */
  readonly more: boolean
}

/** A page ends before the batch that would exceed either bound, but always holds at least one batch if one matches. */
export interface PageLimit {
  readonly batches: number
  readonly bytes: number
}

/**
 * Rejects with STORAGE_FULL or STORAGE_FAILED where the medium does; then nothing of the call is stored. A page ends before a
 * batch whose bytes are not those that came; where it would be the first of the page, the read rejects with STORAGE_DAMAGED
 * { space, branch, fromSeq, toSeq, position, tagAfter }: position and tag are a cursor to go on from. Nothing else looks at
 * the bytes. Rejects with CLOSED after `close`.
 */
export interface BatchStore {
  /**
   * STORE4. Batches are judged one after the other, each against what is held including the batches before it; one
   * outcome each, in their order. `gap`, `fork` and `below` skip that batch alone (records are stored all the same); where
   * `allOrNothing` is set they undo the whole call, records included, and their `have` is what is held after that.
   * Do not write to the bytes before the call settles. Rejects with OPTION_INVALID on a space id or record key that
   * cannot be used, and on a batch of another space; with RECORD_EXISTS as `absent` says.
   */
  append(space: string, batches: readonly Batch[], options?: AppendOptions): Promise<readonly AppendOutcome[]>
  /** `append` of one batch that is `replacing`: whether its bytes are in the place of those that were held of it. */
  replace(space: string, batch: Batch): Promise<boolean>
  /** Batches that hold a seq above `vector`, whose keys are branches, in arrival order. */
  readAbove(space: string, vector: VersionVector, limit: PageLimit): Promise<BatchPage>
  /**
   * STORE7, in one durable transaction over all points, one after the other, and records, which are stored whatever becomes of
   * the points. One outcome for each point. Watchers are not called. Rejects with OPTION_INVALID as `append` does.
   */
  prune(
    space: string,
    points: readonly PrunePoint[],
    options?: { readonly records?: readonly RecordChange[] },
  ): Promise<readonly PruneOutcome[]>
  /**
   * STORE10, in one durable transaction: no batch of the space is held any more, and branches as if they had been pruned up to their
   * floors; and records. A cursor at the end of the order of arrival stays good, no other does. Watchers are not called.
   */
  plant(
    space: string,
    floors: readonly PlantedFloor[],
    options?: { readonly records?: readonly RecordChange[] },
  ): Promise<void>
  /** Of the branches that were pruned. */
  floors(space: string): Promise<ReadonlyMap<DeviceId, Floor>>
  /**
   * Batches that arrived after `cursor`. Rejects with BASE_MISMATCH where the cursor's batch is not at its position, which it is
   * not where it was pruned: something after it may be gone too. Only after the last one that was pruned, by order of arrival,
   * nothing is, and a cursor there stays good.
   */
  readAfter(space: string, cursor: Cursor, limit: PageLimit): Promise<BatchPage>
  /** How far each branch goes. */
  vector(space: string): Promise<VersionVector>
  /** Where each branch ends. */
  tips(space: string): Promise<ReadonlyMap<DeviceId, Tip>>
  /** The certificate that came with a device's first batch; undefined where nothing of the device ever came. */
  certificate(space: string, device: DeviceId): Promise<Uint8Array | undefined>
  /** The highest of `points` that is held as the end of a batch of `device`, or is a floor, in any branch; 0 where none is. */
  common(space: string, device: DeviceId, points: readonly Point[]): Promise<number>
  /**
   * Of each run whether a batch that is held and begins with it is on the way from the start of `device` to `point`, which is
   * the end of a batch, or a floor; false for all where that is not held.
   */
  onPath(space: string, device: DeviceId, point: Point, runs: readonly NamedRun[]): Promise<readonly boolean[]>
  /** The end of the arrival order, whether its last batch was pruned or not. */
  end(space: string): Promise<Cursor>
  /** Records whose key starts with `prefix`, ordered by key. */
  records(space: string, prefix: string): Promise<readonly { key: string; value: Uint8Array }[]>
  /**
   * Calls `listener` after every append that took in or replaced batches, in this process or another one that shares the
   * store; several appends may share a call. The returned function ends it.
   */
  watch(space: string, listener: () => void): () => void
  /**
   * An exclusive writing slot of this store for as long as this process (or tab) lives: the lowest free number from 0.
   * Freed by `release`, by `close` and by the end of the process, however it ends.
   */
  claimSlot(space: string): Promise<{ readonly slot: number; readonly release: () => Promise<void> }>
  /** Waits for appends that were asked for before. Closing twice is harmless. */
  close(): Promise<void>
}
