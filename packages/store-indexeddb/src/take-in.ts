/**
 * Takes batches into one readwrite transaction, one after the other (STORE1 to STORE5).
 *
 * Invariants:
 * - what is written is there for what is read after it in the same transaction: its requests run in their order;
 * - the branch rows of a device are read once, kept here while batches come, and written at the end.
 */
import {
  type AppendOutcome,
  type Batch,
  type BatchHeader,
  type DeviceId,
  type DeviceTree,
  type DriftlogError,
  checksum,
  damagedBatch,
  firstTagOf,
  highestOf,
  holderOf,
  judgeBatch,
  notReplaced,
  type Split,
  type StoredRow,
  UNPRUNED,
} from '@driftlog/core'
import { type BoundaryRow, type BranchRow, keysAfterSeq, keysOf, keysOfDevice, type Transaction } from './schema.ts'

/** How many bodies to load at a time: few round trips, and at most this many megabytes read in vain. */
export const READ_AHEAD = 16

interface HeldDevice {
  readonly branches: Map<DeviceId, BranchRow>
  /** The highest seq held when the call began. */
  readonly heldBefore: number
  /** Branches as they were stored last; what is not among `branches` any more is to be deleted. */
  readonly stored: ReadonlyMap<DeviceId, BranchRow>
}

export class Intake {
  readonly #transaction: Transaction<'readwrite'>
  readonly #space: string
  readonly #writes: Writes
  readonly #devices = new Map<DeviceId, HeldDevice>()
  #position: number | undefined

  constructor(transaction: Transaction<'readwrite'>, space: string, writes: Writes) {
    this.#transaction = transaction
    this.#space = space
    this.#writes = writes
  }

  async take(batch: Batch): Promise<AppendOutcome> {
    const { header } = batch
    const { device } = header
    const { branches } = await this.#held(device)
    const verdict = await asTree(this.#transaction, this.#space, [...branches.values()], (tree) =>
      judgeBatch(header, tree),
    )
    if (verdict.kind !== 'append') return verdict
    const { branch, start, split } = verdict
    if (branches.size === 0) this.#putCertificate(header)
    if (split !== undefined) await this.#split(branches, split)
    const row = start === undefined ? branches.get(branch)! : { ...start, ...UNPRUNED, baseTag: start.baseTag.slice() }
    const tag = header.tagAfter.slice()
    branches.set(branch, { ...row, space: this.#space, device, seq: header.toSeq, tag })
    this.#position = (this.#position ?? (await this.#endPosition())) + 1
    this.#putBatch(batch, branch, this.#position, tag)
    return { kind: 'appended', position: this.#position, branch, isSplit: split !== undefined }
  }

  /** Puts a batch in the place of what is held of it. */
  async putInPlace({ header, bytes }: Batch): Promise<AppendOutcome> {
    const { device, fromSeq, toSeq } = header
    const { branches } = await this.#held(device)
    const judged = <Decision>(decide: (tree: DeviceTree) => Decision): Promise<Decision> =>
      asTree(this.#transaction, this.#space, [...branches.values()], decide)
    const branch = await judged((tree) => holderOf(header, tree))
    const boundary = branch && (await this.#transaction.objectStore('boundary').get([this.#space, branch, toSeq]))
    if (boundary === undefined || boundary.fromSeq !== fromSeq) return judged((tree) => notReplaced(header, tree))
    const { tag, firstTag: _, ...place } = boundary
    this.#writes.add(this.#transaction.objectStore('batch').put(rowOf(place, tag, bytes)))
    return { kind: 'replaced', branch: boundary.branch }
  }

  /** A device's highest held seq before this intake. */
  heldBefore(device: DeviceId): number {
    return this.#devices.get(device)?.heldBefore ?? 0
  }

  /** Writes where the branches end by now. */
  finish(): void {
    const store = this.#transaction.objectStore('branch')
    for (const [device, { branches, stored }] of this.#devices) {
      for (const row of branches.values()) if (stored.get(row.branch) !== row) this.#writes.add(store.put(row))
      for (const branch of stored.keys()) {
        if (!branches.has(branch)) this.#writes.add(store.delete([this.#space, device, branch]))
      }
    }
  }

  async #held(device: DeviceId): Promise<HeldDevice> {
    const known = this.#devices.get(device)
    if (known !== undefined) return known
    const rows = await this.#transaction.objectStore('branch').getAll(keysOfDevice(this.#space, device))
    const stored = new Map(rows.map((row) => [row.branch, row] as const))
    const held = { branches: new Map(stored), heldBefore: highestOf(rows), stored }
    this.#devices.set(device, held)
    return held
  }

  async #endPosition(): Promise<number> {
    const [pruned, last] = await Promise.all([
      this.#transaction.objectStore('pruned').get(this.#space),
      this.#transaction.objectStore('batch').openKeyCursor(keysOf(this.#space), 'prev'),
    ])
    return Math.max(last?.key[1] ?? 0, pruned?.position ?? 0)
  }

  /** What follows the fork is renamed where it is, in steps: it may be a long history. */
  async #split(branches: Map<DeviceId, BranchRow>, { branch, above, start }: Split): Promise<void> {
    const boundaryStore = this.#transaction.objectStore('boundary')
    const batchStore = this.#transaction.objectStore('batch')
    for (;;) {
      const moved = await boundaryStore.getAll(keysAfterSeq(this.#space, branch, above), READ_AHEAD)
      if (moved.length === 0) break
      const rows = await Promise.all(moved.map(({ position }) => batchStore.get([this.#space, position])))
      for (const [index, row] of rows.entries()) {
        const boundary = moved[index]
        if (row === undefined) throw missingBatch(boundary)
        this.#writes.add(batchStore.put({ ...row, branch: start.branch }))
        this.#writes.add(boundaryStore.delete([this.#space, branch, boundary.toSeq]))
        this.#writes.add(boundaryStore.add({ ...boundary, branch: start.branch }))
      }
    }
    const parent = branches.get(branch)!
    const baseTag = start.baseTag.slice()
    branches.set(start.branch, { ...parent, ...start, ...UNPRUNED, baseTag })
    if (above === parent.base) branches.delete(branch)
    else branches.set(branch, { ...parent, seq: above, tag: baseTag })
  }

  #putCertificate({ device, certificate }: BatchHeader): void {
    const bytes = certificate?.slice() ?? new Uint8Array(0)
    this.#writes.add(this.#transaction.objectStore('certificate').add({ space: this.#space, device, bytes }))
  }

  #putBatch({ header, bytes }: Batch, branch: DeviceId, position: number, tag: Uint8Array): void {
    const place = { space: this.#space, branch, fromSeq: header.fromSeq, toSeq: header.toSeq, position }
    const firstTag = firstTagOf(header).slice()
    // `add`, not `put`: what is stored is never overwritten, whatever went wrong before.
    this.#writes.add(this.#transaction.objectStore('batch').add(rowOf(place, tag, bytes)))
    this.#writes.add(this.#transaction.objectStore('boundary').add({ ...place, tag, firstTag }))
  }
}

/** A decision that asks at once, where the database answers later: decides again once what was asked for is there. */
export const asTree = async <Decision>(
  transaction: Transaction<'readonly' | 'readwrite'>,
  space: string,
  branches: readonly BranchRow[],
  decide: (tree: DeviceTree) => Decision,
): Promise<Decision> => {
  const boundaries = transaction.objectStore('boundary')
  const tagAt = async (branch: DeviceId, toSeq: number): Promise<Uint8Array | undefined> =>
    (await boundaries.get([space, branch, toSeq]))?.tag
  const firstTagAt = async (branch: DeviceId, fromSeq: number): Promise<Uint8Array | undefined> => {
    const row = await boundaries.get(keysAfterSeq(space, branch, fromSeq - 1))
    return row?.fromSeq === fromSeq ? row.firstTag : undefined
  }
  const answers = new Map<string, Uint8Array | undefined>()
  for (;;) {
    const fetching: Promise<void>[] = []
    const ask = (question: string, look: () => Promise<Uint8Array | undefined>): Uint8Array | undefined => {
      if (!answers.has(question)) fetching.push(look().then((answer) => void answers.set(question, answer)))
      return answers.get(question)
    }
    const decision = decide({
      branches,
      tagAt: (branch, seq) => ask(`tag ${branch} ${seq}`, () => tagAt(branch, seq)),
      firstTagAt: (branch, seq) => ask(`first tag ${branch} ${seq}`, () => firstTagAt(branch, seq)),
    })
    if (fetching.length === 0) return decision
    await Promise.all(fetching)
  }
}

/**
 * The requests of one transaction. Each is watched from its start: where a later one throws at once, those before it are
 * aborted with nobody waiting for them, and would be reported as unhandled rejections.
 */
export class Writes {
  readonly #requests: Promise<unknown>[] = []

  add(request: Promise<unknown>): void {
    request.catch(() => {})
    this.#requests.push(request)
  }

  async all(): Promise<void> {
    await Promise.all(this.#requests)
  }
}

const rowOf = (
  place: Omit<StoredRow, 'tagAfter' | 'bytes' | 'checksum'>,
  tagAfter: Uint8Array,
  bytes: Uint8Array,
): StoredRow => ({
  ...place,
  tagAfter,
  bytes: bytes.slice(),
  checksum: checksum(bytes),
})

export const missingBatch = (boundary: BoundaryRow): DriftlogError =>
  damagedBatch({ ...boundary, tagAfter: boundary.tag }, 'it is gone')
