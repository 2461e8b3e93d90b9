/** Where copies of batches are, and what has none left: a rotten batch of which a restore took the last sound copy away. */
import type { Batch, StoredBatch } from '@driftlog/core'
import type { SimulatedDisk } from './disk.ts'

export const keyOf = ({ header: { device, fromSeq, toSeq, tagAfter } }: Batch): string =>
  `${device} ${fromSeq} ${toSeq}/${tagAfter.join()}`

export interface Copies {
  /** The keys of batches that read back somewhere. */
  readonly sound: ReadonlySet<string>
  /** Of those that rotted somewhere. */
  readonly rotten: ReadonlySet<string>
}

export const copiesOn = (disks: readonly SimulatedDisk[]): Copies => {
  const [sound, rotten] = [new Set<string>(), new Set<string>()]
  for (const { batches, damaged } of disks) {
    for (const { batch, position } of batches) (damaged.has(position) ? rotten : sound).add(keyOf(batch))
  }
  return { sound, rotten }
}

export interface Gone {
  /** The batches that rotted and have no sound copy, and those that go on from them. */
  readonly batches: readonly Batch[]
  /** Whether anything is rotten of which there is a sound copy. */
  readonly isMendable: boolean
}

export const goneFrom = (disks: readonly SimulatedDisk[]): Gone => {
  const { sound, rotten } = copiesOn(disks)
  const batches = new Map<string, Batch>()
  for (const disk of disks) {
    const isLast = ({ batch }: StoredBatch): boolean => rotten.has(keyOf(batch)) && !sound.has(keyOf(batch))
    for (const { batch } of hiddenBy(disk.batches, isLast)) batches.set(keyOf(batch), batch)
  }
  return { batches: [...batches.values()], isMendable: [...rotten].some((key) => sound.has(key)) }
}

/** LOG5 in the plainest way, for the checkers: what is damaged, and what goes on from it. */
const hiddenBy = (
  batches: readonly StoredBatch[],
  isDamaged: (stored: StoredBatch) => boolean,
): ReadonlySet<StoredBatch> => {
  const hidden = new Set<StoredBatch>()
  const ends = new Set<string>()
  // What goes on from a batch arrived after it.
  for (const stored of batches) {
    const { device, fromSeq, toSeq, tagBefore, tagAfter } = stored.batch.header
    if (!isDamaged(stored) && (fromSeq === 1 || !ends.has(endOf(device, fromSeq - 1, tagBefore)))) continue
    hidden.add(stored)
    ends.add(endOf(device, toSeq, tagAfter))
  }
  return hidden
}

/** What counts as held on a disk. */
export const heldOn = ({ batches, damaged }: SimulatedDisk): StoredBatch[] => {
  const hidden = hiddenBy(batches, ({ position }) => damaged.has(position))
  return batches.filter((stored) => !hidden.has(stored))
}

const endOf = (device: string, seq: number, tag: Uint8Array): string => `${device} ${seq}/${tag.join()}`
