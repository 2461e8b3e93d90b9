/**
 * BatchStore in memory: for tests, for the simulator and for replicas that need not outlive their process.
 *
 * Invariants:
 * - a call changes a space in one synchronous step, and what it undoes in the same one: no call sees half of another;
 * - `batches` rise in position, a branch's in seq and in position; a branch has none where it was pruned up to its end;
 * - nothing that is stored shares memory with what a caller handed in.
 */
import type { DeviceId } from '../clock/dot.ts'
import { type VersionVector, seqOf } from '../clock/version-vector.ts'
import { equalBytes } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import { mergeArrivals } from './arrival-merge.ts'
import { type Batch, decodeBatch, firstTagOf } from './batch.ts'
import {
  type AppendOptions,
  type AppendOutcome,
  type BatchPage,
  type BatchStore,
  type Cursor,
  type Floor,
  type NamedRun,
  type PageLimit,
  type PlantedFloor,
  type Point,
  type PruneOutcome,
  type PrunePoint,
  type RecordChange,
  startCursor,
  type StoredBatch,
  type Tip,
} from './batch-store.ts'
import {
  checkAppend,
  checkSpaceId,
  commonPoint,
  compareKeys,
  type DeviceTree,
  holderOf,
  type HeldBranch,
  highestOf,
  isRefusal,
  judgeBatch,
  judgePoint,
  notReplaced,
  recordExists,
  runsOnPath,
  type Split,
  undoneOutcomes,
  UNPRUNED,
} from './judge.ts'
import { type MemoryBranch, type MemoryMedium, memoryMedium, memorySpace, type MemorySpace } from './memory-medium.ts'
import { cursorOf, PageFiller } from './page.ts'
import { damagedBatch } from './stored-batch.ts'

/**
 * A store in memory. One instance may serve several replicas; to close them apart, give each its own store on a shared
 * `medium`.
 */
export const memoryStore = (medium: MemoryMedium = memoryMedium()): BatchStore => new MemoryStore(medium)

class MemoryStore implements BatchStore {
  readonly #medium: MemoryMedium
  /** Ends what this store holds in the medium: its slots and its listeners. */
  readonly #releases = new Set<() => void>()
  #closed = false

  constructor(medium: MemoryMedium) {
    this.#medium = medium
  }

  async append(
    name: string,
    batches: readonly Batch[],
    { records = [], allOrNothing = false, replacing, absent = [] }: AppendOptions = {},
  ): Promise<readonly AppendOutcome[]> {
    this.#checkOpen()
    checkAppend(name, batches, records, absent)
    // A store answers later, never at once: a caller that relied on it would break on a disk.
    await Promise.resolve()
    const space = this.#space(name)
    const present = absent.find((key) => space.records.has(key))
    if (present !== undefined) throw recordExists(name, present)
    const before = new Map(batches.map(({ header }) => [header.device, highestSeq(space, header.device)] as const))
    const undo: (() => void)[] = []
    const outcomes = batches.map((batch) =>
      replacing?.has(batch) === true ? putInPlace(space, batch, undo) : takeIn(space, batch, undo),
    )
    if (allOrNothing && outcomes.some(isRefusal)) {
      for (const step of undo.reverse()) step()
      return undoneOutcomes(batches, outcomes, ({ header }) => before.get(header.device) ?? 0)
    }
    changeRecords(space, records)
    if (undo.length > 0) for (const listener of space.listeners) queueMicrotask(listener)
    return outcomes
  }

  async replace(name: string, batch: Batch): Promise<boolean> {
    const [{ kind }] = await this.append(name, [batch], { replacing: new Set([batch]) })
    return kind === 'replaced'
  }

  async prune(
    name: string,
    points: readonly PrunePoint[],
    { records = [] }: { readonly records?: readonly RecordChange[] } = {},
  ): Promise<readonly PruneOutcome[]> {
    this.#checkOpen()
    checkAppend(name, [], records)
    await Promise.resolve()
    const space = this.#space(name)
    const gone = new Set<StoredBatch>()
    const outcomes = points.map((point) => pruneBranch(space, point, gone))
    if (gone.size > 0) space.batches = space.batches.filter((stored) => !gone.has(stored))
    changeRecords(space, records)
    return outcomes
  }

  async plant(
    name: string,
    floors: readonly PlantedFloor[],
    { records = [] }: { readonly records?: readonly RecordChange[] } = {},
  ): Promise<void> {
    this.#checkOpen()
    checkAppend(name, [], records)
    await Promise.resolve()
    const space = this.#space(name)
    space.pruned = endOf(space)
    space.batches = []
    for (const held of [space.damaged, space.branches, space.trees, space.certificates]) held.clear()
    for (const { branch, device, base, baseTag, seq, tag, certificate } of floors) {
      space.certificates.set(device, certificate.slice())
      addBranch(
        space,
        { branch, device, base, baseTag: baseTag.slice(), held: [], floor: { seq, tag: tag.slice() } },
        [],
      )
    }
    changeRecords(space, records)
  }

  async floors(name: string): Promise<ReadonlyMap<DeviceId, Floor>> {
    this.#checkOpen()
    const floors = new Map<DeviceId, Floor>()
    for (const [branch, { device, base, baseTag, floor }] of this.#space(name).branches) {
      if (floor === undefined) continue
      floors.set(branch, { seq: floor.seq, tag: floor.tag.slice(), device, base, baseTag: baseTag.slice() })
    }
    return floors
  }

  async readAbove(name: string, vector: VersionVector, limit: PageLimit): Promise<BatchPage> {
    this.#checkOpen()
    const space = this.#space(name)
    const heads: HeldAt[] = []
    for (const [branch, { held }] of space.branches) {
      const index = firstAbove(held, seqOf(vector, branch))
      if (index < held.length) heads.push({ held, index, position: held[index].position })
    }
    const page = new PageFiller(limit)
    for (const { held, index } of mergeArrivals(heads, nextHeld)) if (!offer(page, space, held[index])) break
    return page.page(() => endOf(space))
  }

  async readAfter(name: string, cursor: Cursor, limit: PageLimit): Promise<BatchPage> {
    this.#checkOpen()
    const space = this.#space(name)
    const at = cursor.position === 0 ? startCursor : cursorAt(space, cursor.position)
    if (at === undefined || !equalBytes(at.tag, cursor.tag)) {
      throw new DriftlogError('BASE_MISMATCH', '', { space: name, position: cursor.position })
    }
    const page = new PageFiller(limit)
    for (let index = indexAfter(space, cursor.position); index < space.batches.length; index++) {
      if (!offer(page, space, space.batches[index])) break
    }
    return page.page(() => endOf(space))
  }

  async vector(name: string): Promise<VersionVector> {
    this.#checkOpen()
    const space = this.#space(name)
    return new Map([...space.branches].map(([branch, held]) => [branch, heldBranch(held).seq]))
  }

  async tips(name: string): Promise<ReadonlyMap<DeviceId, Tip>> {
    this.#checkOpen()
    const tips = new Map<DeviceId, Tip>()
    for (const [branch, held] of this.#space(name).branches) {
      const { seq, tag } = heldBranch(held)
      tips.set(branch, { seq, tag: tag.slice() })
    }
    return tips
  }

  async certificate(name: string, device: DeviceId): Promise<Uint8Array | undefined> {
    this.#checkOpen()
    return this.#space(name).certificates.get(device)?.slice()
  }

  async common(name: string, device: DeviceId, points: readonly Point[]): Promise<number> {
    this.#checkOpen()
    return commonPoint(deviceTree(this.#space(name), device), points)
  }

  async onPath(name: string, device: DeviceId, point: Point, runs: readonly NamedRun[]): Promise<readonly boolean[]> {
    this.#checkOpen()
    return runsOnPath(deviceTree(this.#space(name), device), point, runs)
  }

  async end(name: string): Promise<Cursor> {
    this.#checkOpen()
    return endOf(this.#space(name))
  }

  async records(name: string, prefix: string): Promise<readonly { key: string; value: Uint8Array }[]> {
    this.#checkOpen()
    const found: { key: string; value: Uint8Array }[] = []
    for (const [key, value] of this.#space(name).records) {
      if (key.startsWith(prefix)) found.push({ key, value: value.slice() })
    }
    return found.sort(compareKeys)
  }

  watch(name: string, listener: () => void): () => void {
    this.#checkOpen()
    const { listeners } = this.#space(name)
    // Wrapped, so that one function may watch twice and each watch ends by itself.
    const watching = (): void => {
      if (listeners.has(watching)) listener()
    }
    listeners.add(watching)
    const stop = (): void => {
      listeners.delete(watching)
      this.#releases.delete(stop)
    }
    this.#releases.add(stop)
    return stop
  }

  async claimSlot(name: string): Promise<{ readonly slot: number; release(): Promise<void> }> {
    this.#checkOpen()
    checkSpaceId(name)
    const { slots } = this.#space(name)
    let slot = 0
    while (slots.has(slot)) slot++
    slots.add(slot)
    const free = (): void => {
      // Only once: by a second release another holder's slot would be freed.
      if (this.#releases.delete(free)) slots.delete(slot)
    }
    this.#releases.add(free)
    return { slot, release: async () => free() }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const release of this.#releases) release()
  }

  #checkOpen(): void {
    if (this.#closed) throw new DriftlogError('CLOSED', 'store')
  }

  #space(name: string): MemorySpace {
    let space = this.#medium.spaces.get(name)
    if (space === undefined) {
      space = memorySpace()
      this.#medium.spaces.set(name, space)
    }
    return space
  }
}

const offer = (page: PageFiller, space: MemorySpace, stored: StoredBatch): boolean =>
  page.offer(stored.batch.bytes.length, () => {
    if (!space.damaged.has(stored.position)) return stored
    throw damagedBatch({ ...stored.batch.header, ...stored, space: stored.batch.header.space })
  })

const treeOf = (space: MemorySpace, device: DeviceId): ReadonlySet<MemoryBranch> => space.trees.get(device) ?? new Set()

const highestSeq = (space: MemorySpace, device: DeviceId): number =>
  highestOf(Array.from(treeOf(space, device), heldBranch))

const deviceTree = (space: MemorySpace, device: DeviceId): DeviceTree => ({
  branches: Array.from(treeOf(space, device), heldBranch),
  tagAt: (branch, toSeq) => boundaryAt(heldBy(space, branch), toSeq)?.header.tagAfter,
  firstTagAt: (branch, fromSeq) => {
    const held = heldBy(space, branch)
    const header = held.at(firstAbove(held, fromSeq - 1))?.batch.header
    return header?.fromSeq === fromSeq ? firstTagOf(header) : undefined
  },
})

/** Judges a batch and stores it; `undo` gets what takes that back, to be run from its end. */
const takeIn = (space: MemorySpace, given: Batch, undo: (() => void)[]): AppendOutcome => {
  const { device } = given.header
  const verdict = judgeBatch(given.header, deviceTree(space, device))
  if (verdict.kind !== 'append') return verdict
  const { split, start, branch } = verdict
  const batch = decodeBatch(given.bytes.slice())
  if (!space.certificates.has(device)) {
    space.certificates.set(device, batch.header.certificate ?? new Uint8Array(0))
    undo.push(() => space.certificates.delete(device))
  }
  if (split !== undefined) splitBranch(space, device, split, undo)
  if (start !== undefined)
    addBranch(space, { ...start, baseTag: start.baseTag.slice(), device, held: [], floor: undefined }, undo)
  const stored = { batch, position: endOf(space).position + 1, branch }
  const { held } = space.branches.get(branch)!
  held.push(stored)
  space.batches.push(stored)
  undo.push(() => {
    held.pop()
    space.batches.pop()
  })
  return { kind: 'appended', position: stored.position, branch, isSplit: split !== undefined }
}

/** Puts a batch in the place of what is held of it; `undo` as above. */
const putInPlace = (space: MemorySpace, { header, bytes }: Batch, undo: (() => void)[]): AppendOutcome => {
  const { device, fromSeq, toSeq } = header
  const tree = deviceTree(space, device)
  const branch = holderOf(header, tree)
  const before = branch === undefined ? undefined : heldAt(space, branch, toSeq)
  if (branch === undefined || before?.batch.header.fromSeq !== fromSeq) return notReplaced(header, tree)
  const wasDamaged = space.damaged.delete(before.position)
  setAt(space, { ...before, batch: decodeBatch(bytes.slice()) })
  undo.push(() => {
    setAt(space, before)
    if (wasDamaged) space.damaged.add(before.position)
  })
  return { kind: 'replaced', branch }
}

const heldAt = (space: MemorySpace, branch: DeviceId, toSeq: number): StoredBatch | undefined => {
  const held = heldBy(space, branch)
  return held[firstAbove(held, toSeq - 1)]
}

/** Where it stands already. */
const setAt = (space: MemorySpace, stored: StoredBatch): void => {
  const { held } = space.branches.get(stored.branch)!
  held[firstAbove(held, stored.batch.header.toSeq - 1)] = stored
  arrive(space, stored)
}

/** In the place of what is at its position. */
const arrive = (space: MemorySpace, stored: StoredBatch): void => {
  space.batches[indexAfter(space, stored.position) - 1] = stored
}

const heldBranch = ({ branch, base, baseTag, held, floor }: MemoryBranch): HeldBranch => {
  const last = held.at(-1)?.batch.header
  // Without batches it was pruned up to its end.
  const end = last === undefined ? floor! : { seq: last.toSeq, tag: last.tagAfter }
  const pruned = floor === undefined ? UNPRUNED : { floor: floor.seq, floorTag: floor.tag }
  return { branch, base, baseTag, ...end, ...pruned }
}

const heldBy = (space: MemorySpace, branch: DeviceId): readonly StoredBatch[] => space.branches.get(branch)!.held

const addBranch = (space: MemorySpace, added: MemoryBranch, undo: (() => void)[]): void => {
  const tree = space.trees.get(added.device) ?? new Set()
  space.trees.set(added.device, tree.add(added))
  space.branches.set(added.branch, added)
  undo.push(() => removeBranch(space, added))
}

const removeBranch = (space: MemorySpace, removed: MemoryBranch): void => {
  space.trees.get(removed.device)!.delete(removed)
  space.branches.delete(removed.branch)
}

const splitBranch = (space: MemorySpace, device: DeviceId, split: Split, undo: (() => void)[]): void => {
  const parent = space.branches.get(split.branch)!
  const moved = parent.held.splice(firstAbove(parent.held, split.above))
  const renamed = moved.map((stored) => ({ ...stored, branch: split.start.branch }))
  const isLeft = split.above > parent.base
  if (!isLeft) removeBranch(space, parent)
  const baseTag = split.start.baseTag.slice()
  addBranch(space, { ...split.start, baseTag, device, held: renamed, floor: undefined }, undo)
  for (const stored of renamed) arrive(space, stored)
  undo.push(() => {
    for (const stored of moved) arrive(space, stored)
    if (!isLeft) addBranch(space, parent, [])
    // Not as arguments: a history may be longer than a call takes.
    for (const stored of moved) parent.held.push(stored)
  })
}

/** STORE7 for one point; `gone` gets what is no more among what a branch holds. */
const pruneBranch = (space: MemorySpace, { branch, seq, tag }: PrunePoint, gone: Set<StoredBatch>): PruneOutcome => {
  const held = space.branches.get(branch)
  const verdict = judgePoint(
    { seq, tag },
    held && heldBranch(held),
    (_, at) => boundaryAt(held!.held, at)?.header.tagAfter,
  )
  if (verdict === 'unknown') return { kind: 'unknown' }
  if (held === undefined || verdict === 'done') return { kind: 'pruned', batches: 0, bytes: 0 }
  const taken = held.held.splice(0, firstAbove(held.held, seq))
  const last = taken[taken.length - 1]
  held.floor = { seq, tag: tag.slice() }
  if (last.position > space.pruned.position) space.pruned = cursorOf(last)
  let bytes = 0
  for (const stored of taken) {
    gone.add(stored)
    space.damaged.delete(stored.position)
    bytes += stored.batch.bytes.length
  }
  return { kind: 'pruned', batches: taken.length, bytes }
}

const changeRecords = (space: MemorySpace, records: readonly RecordChange[]): void => {
  for (const { key, value } of records) {
    if (value === undefined) space.records.delete(key)
    else space.records.set(key, value.slice())
  }
}

const boundaryAt = (held: readonly StoredBatch[], toSeq: number): Batch | undefined => {
  const batch = held[firstAbove(held, toSeq - 1)]?.batch
  return batch?.header.toSeq === toSeq ? batch : undefined
}

const cursorAt = (space: MemorySpace, position: number): Cursor | undefined => {
  if (position === space.pruned.position) return space.pruned
  const stored = space.batches[indexAfter(space, position) - 1]
  return stored?.position === position ? cursorOf(stored) : undefined
}

const endOf = (space: MemorySpace): Cursor => {
  const last = space.batches.at(-1)
  return last === undefined || last.position < space.pruned.position ? space.pruned : cursorOf(last)
}

/** The index of the first batch that came after `position`. */
const indexAfter = ({ batches }: MemorySpace, position: number): number => {
  let low = 0
  let high = batches.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (batches[middle].position > position) high = middle
    else low = middle + 1
  }
  return low
}

/** The index of the first batch that ends above `seq`. */
const firstAbove = (held: readonly StoredBatch[], seq: number): number => {
  let low = 0
  let high = held.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (held[middle].batch.header.toSeq > seq) high = middle
    else low = middle + 1
  }
  return low
}

interface HeldAt {
  readonly held: readonly StoredBatch[]
  readonly index: number
  readonly position: number
}

const nextHeld = ({ held, index }: HeldAt): HeldAt | undefined =>
  index + 1 < held.length ? { held, index: index + 1, position: held[index + 1].position } : undefined
