/**
 * What of one space cannot be used because bytes rotted: the damaged batches, and whatever goes on from them.
 *
 *     device  ●──●──✗──○──○        ✗ damaged, ○ intact and hidden: a branch is contiguous, so nothing behind a gap counts
 *                       └──○──○    in child branches too
 *
 * Invariants:
 * - LOG5 what is hidden is what is damaged and what begins at the end of something hidden; nothing else;
 * - it is told by ends (seq and tag), which stay where a fork gives a branch another name; `lower` and `cover` go by the
 *   store's names, `named` and `stored` lead from those to the visible ones and back;
 * - what was pruned is neither here nor hidden: a branch that was pruned begins, as ever, where its floor says.
 */
import type { DeviceId } from '../clock/dot.ts'
import { seqOf, type VersionVector } from '../clock/version-vector.ts'
import { toBase64Url } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import type { Batch, BatchHeader } from './batch.ts'
import type { Floor, Point, StoredBatch, Tip } from './batch-store.ts'
import { damagedBatch, type StoredPlace } from './stored-batch.ts'
import { type Beginning, visibleNames } from './visible-names.ts'

/** A batch as it stands in the order of arrival. */
export interface Arrival {
  readonly place: StoredPlace
  /** undefined where the bytes cannot be read. */
  readonly header: Pick<BatchHeader, 'device' | 'fromSeq' | 'tagBefore'> | undefined
}

const endKey = (seq: number, tag: Uint8Array): string => `${seq}/${toBase64Url(tag)}`

const beginning = (header: Pick<BatchHeader, 'fromSeq' | 'tagBefore'>): string | undefined =>
  header.fromSeq === 1 ? undefined : endKey(header.fromSeq - 1, header.tagBefore)

/** Copies what it keeps: a view would keep the whole batch alive. */
export const arrivalOf = ({ batch: { header }, position, branch }: StoredBatch): Arrival => {
  const { space, device, fromSeq, toSeq, tagBefore, tagAfter } = header
  return {
    place: { space, branch, fromSeq, toSeq, position, tagAfter: tagAfter.slice() },
    header: { device, fromSeq, tagBefore: tagBefore.slice() },
  }
}

/** The place that a store said it cannot read; undefined for any other failure. */
export const placeOfDamage = (error: unknown): StoredPlace | undefined => {
  if (!(error instanceof DriftlogError) || error.code !== 'STORAGE_DAMAGED') return undefined
  const { position, tagAfter, fromSeq } = error.details
  const isPlace = typeof position === 'number' && typeof fromSeq === 'number' && tagAfter instanceof Uint8Array
  return isPlace ? (error.details as unknown as StoredPlace) : undefined
}

export const damageError = (place: StoredPlace): DriftlogError => damagedBatch(place)

export class Quarantine {
  /** In order of arrival. */
  #hidden: Arrival[] = []
  readonly #ends = new Set<string>()
  /** Where every branch ends that was seen, as far as it is not hidden. */
  readonly #tips = new Map<DeviceId, Tip | undefined>()
  /** Branches of which something is hidden. */
  readonly #cut = new Set<DeviceId>()
  /** The highest seq of each device that is not hidden. */
  readonly #highest = new Map<DeviceId, number>()
  /** Where every branch begins of which something is not hidden. */
  readonly #beginnings = new Map<DeviceId, Beginning>()
  #names: ReadonlyMap<DeviceId, DeviceId> | undefined

  constructor(floors: ReadonlyMap<DeviceId, Floor> = new Map()) {
    for (const [branch, { seq, tag, device, base, baseTag }] of floors) {
      this.#tips.set(branch, { seq, tag })
      const before = base === 0 ? undefined : endKey(base, baseTag)
      this.#beginnings.set(branch, { device, before, base, isPruned: true })
      this.#highest.set(device, Math.max(seq, this.have(device)))
    }
  }

  /** The next in order of arrival. */
  take(arrival: Arrival): void {
    const { place, header } = arrival
    const before = header && beginning(header)
    if (header === undefined || (before !== undefined && this.#ends.has(before))) {
      this.#hidden.push(arrival)
      this.#ends.add(endKey(place.toSeq, place.tagAfter))
      this.#cut.add(place.branch)
      if (!this.#tips.has(place.branch)) this.#tips.set(place.branch, undefined)
    } else {
      this.#tips.set(place.branch, { seq: place.toSeq, tag: place.tagAfter })
      if (!this.#beginnings.has(place.branch)) {
        const { device, fromSeq } = header
        this.#beginnings.set(place.branch, { device, before, base: fromSeq - 1, isPruned: false })
        this.#names = undefined
      }
      this.#highest.set(header.device, Math.max(place.toSeq, this.have(header.device)))
    }
  }

  /** Whether an arrival may have given branches other names: it begins one, and is not the first of its device. */
  isRenaming({ place, header }: Arrival): boolean {
    if (this.#tips.has(place.branch)) return false
    return header === undefined || header.fromSeq !== 1 || header.device !== place.branch
  }

  get damaged(): StoredPlace[] {
    return this.#hidden.flatMap(({ place, header }) => (header === undefined ? [place] : []))
  }

  damageAt(position: number): StoredPlace | undefined {
    return this.#hidden.find(({ place, header }) => header === undefined && place.position === position)?.place
  }

  /** The damaged batch in whose place this one can be put. */
  damageOf({ header: { fromSeq, toSeq, tagAfter } }: Batch): StoredPlace | undefined {
    const end = endKey(toSeq, tagAfter)
    if (!this.#ends.has(end)) return undefined
    return this.damaged.find((place) => place.fromSeq === fromSeq && endKey(place.toSeq, place.tagAfter) === end)
  }

  /** Every end that is hidden. */
  get points(): Point[] {
    return this.#hidden.map(({ place }) => ({ seq: place.toSeq, tag: place.tagAfter }))
  }

  hides({ seq, tag }: Point): boolean {
    return this.#ends.has(endKey(seq, tag))
  }

  isVisible({ header: { toSeq, tagAfter } }: Batch): boolean {
    return !this.hides({ seq: toSeq, tag: tagAfter })
  }

  /** The highest seq of a device that is not hidden. */
  have(device: DeviceId): number {
    return this.#highest.get(device) ?? 0
  }

  /** Damaged batches can be read again, by these headers. */
  heal(headers: ReadonlyMap<number, BatchHeader>): void {
    const hidden = this.#hidden
    this.#hidden = []
    this.#ends.clear()
    this.#cut.clear()
    for (const arrival of hidden) this.take(withHeader(arrival, headers))
  }

  /** Whether a batch would be hidden, or go on from what is, once `headers` are healed. */
  hidesAfter(headers: ReadonlyMap<number, BatchHeader>): (batch: Batch) => boolean {
    const after = new Quarantine()
    for (const arrival of this.#hidden) after.take(withHeader(arrival, headers))
    return (batch) => {
      const before = beginning(batch.header)
      return !after.isVisible(batch) || (before !== undefined && after.#ends.has(before))
    }
  }

  get #visible(): ReadonlyMap<DeviceId, DeviceId> {
    if (this.#names === undefined) {
      const ends = new Map<string, DeviceId>()
      for (const [branch, tip] of this.#tips) if (tip !== undefined) ends.set(endKey(tip.seq, tip.tag), branch)
      this.#names = visibleNames(this.#beginnings, ends)
    }
    return this.#names
  }

  /** What a branch of the store is called by what can be read. */
  named(branch: DeviceId): DeviceId {
    return this.#visible.get(branch) ?? branch
  }

  /** A vector by visible names, by the store's. */
  stored(vector: VersionVector): Map<DeviceId, number> {
    const stored = new Map(vector)
    for (const [branch, name] of this.#visible) {
      const seq = Math.max(seqOf(vector, branch), seqOf(vector, name))
      if (seq > 0) stored.set(branch, seq)
    }
    return stored
  }

  /** `tips` of the store, less what is hidden, by visible names. */
  lower(tips: ReadonlyMap<DeviceId, Tip>): Map<DeviceId, Tip> {
    const lowered = new Map(tips)
    for (const branch of this.#cut) {
      const tip = this.#tips.get(branch)
      if (tip === undefined) lowered.delete(branch)
      else lowered.set(branch, tip)
    }
    for (const [branch, name] of this.#visible) {
      const tip = lowered.get(branch)
      lowered.delete(branch)
      // Parents come first, so the last one is the furthest.
      if (tip !== undefined) lowered.set(name, tip)
    }
    return lowered
  }

  /** Raises a vector over branches that have nothing above it but what is hidden. */
  cover(vector: Map<DeviceId, number>): void {
    for (const branch of this.#cut) {
      if ((this.#tips.get(branch)?.seq ?? 0) <= seqOf(vector, branch)) vector.set(branch, Number.MAX_SAFE_INTEGER)
    }
  }
}

const withHeader = (arrival: Arrival, headers: ReadonlyMap<number, BatchHeader>): Arrival => {
  const header = arrival.header ?? headers.get(arrival.place.position)
  return { place: arrival.place, header }
}
