/** Where copies of batches are, and what has none left: a rotten batch of which a restore took the last sound copy away. */
import type { Batch, StoredBatch } from '@driftlog/core'
import type { SimulatedDisk } from './disk.ts'
import type { Random } from './random.ts'

const keyOf = ({ header: { device, fromSeq, toSeq, tagAfter } }: Batch): string =>
  `${device} ${fromSeq} ${toSeq}/${tagAfter.join()}`

export interface Gone {
  /** The batches that could not be read somewhere and have no sound copy left, and those that go on from them. */
  readonly batches: readonly Batch[]
  /** Whether anything is rotten of which there is a sound copy that somebody can give. */
  readonly isMendable: boolean
}

/**
 * What rots, and what becomes of it. While a batch is hidden on a device, what saw it goes to the server without it: so it is
 * missed there too where the last sound copies went with disks that were put back, and the damaged one as well.
 */
export class Rot {
  readonly #disks: () => readonly SimulatedDisk[]
  /** The keys of batches that did not read back somewhere, or went on from such. */
  readonly #hidden = new Set<string>()
  /** What was on disks that others were put in the place of. */
  readonly #replaced: (readonly StoredBatch[])[] = []

  constructor(disks: () => readonly SimulatedDisk[]) {
    this.#disks = disks
  }

  /** Whether anything ever rotted. */
  get isAny(): boolean {
    return this.#hidden.size > 0
  }

  /** Damages a batch of which there is another copy now: what a restore takes away later is told by `gone`. */
  strike(disk: SimulatedDisk, random: Random): StoredBatch | undefined {
    const elsewhere = soundOn(this.#disks().filter((other) => other !== disk))
    const rotten = disk.rot(random, ({ batch }) => elsewhere.has(keyOf(batch)))
    if (rotten === undefined) return undefined
    for (const { batch } of hiddenOn(disk)) this.#hidden.add(keyOf(batch))
    return rotten
  }

  /** A disk is about to be put back. */
  replaces(disk: SimulatedDisk): void {
    this.#replaced.push([...disk.batches])
  }

  gone(): Gone {
    const disks = this.#disks()
    const sound = soundOn(disks)
    const isLast = ({ batch }: StoredBatch): boolean => this.#hidden.has(keyOf(batch)) && !sound.has(keyOf(batch))
    const gone = new Map<string, Batch>()
    for (const batches of [...disks.map((disk) => disk.batches), ...this.#replaced]) {
      for (const { batch } of hiddenBy(batches, isLast)) gone.set(keyOf(batch), batch)
    }
    const isMendable = disks.some(({ batches, damaged }) =>
      batches.some(({ position, batch }) => {
        if (!damaged.has(position)) return false
        // A copy that goes on from what is gone counts as held by nobody, so nobody gives it.
        return sound.has(keyOf(batch)) && !gone.has(keyOf(batch))
      }),
    )
    return { batches: [...gone.values()], isMendable }
  }
}

/** The keys of batches that read back on one of the disks. */
const soundOn = (disks: readonly SimulatedDisk[]): ReadonlySet<string> => {
  const sound = new Set<string>()
  for (const { batches, damaged } of disks) {
    for (const { batch, position } of batches) if (!damaged.has(position)) sound.add(keyOf(batch))
  }
  return sound
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

const hiddenOn = ({ batches, damaged }: SimulatedDisk): ReadonlySet<StoredBatch> =>
  hiddenBy(batches, ({ position }) => damaged.has(position))

const endOf = (device: string, seq: number, tag: Uint8Array): string => `${device} ${seq}/${tag.join()}`
