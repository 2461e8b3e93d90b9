/**
 * What state needs to know of each projected op: its author, seq and stamp, and what it had seen. Eight bytes an op,
 * and a vector for ops with heads.
 */
import { compareDevices, type DeviceId, type Dot } from '../clock/dot.ts'
import type { Hlc } from '../clock/hlc.ts'
import { deviceOfRef, type DotRef, dotRef, seqOfRef } from '../op/dot-ref.ts'
import {
  createSeenHistory,
  joinSeen,
  nothingSeen,
  type SeenHistory,
  seenAt,
  type SeenVector,
  seenSeq,
  withSeen,
} from '../clock/seen.ts'

interface DeviceOps {
  readonly id: DeviceId
  /** Effective stamp of op `seq` at `seq - 1`. Its length is the projected seq. */
  readonly stamps: Hlc[]
  readonly seen: SeenHistory
}

export class OpIndex {
  readonly #devices: DeviceOps[] = []
  readonly #indexes = new Map<DeviceId, number>()

  /** The small number of a device, given out in the order of first sight; local to this replica. */
  deviceIndex(device: DeviceId): number {
    let index = this.#indexes.get(device)
    if (index === undefined) {
      index = this.#devices.push({ id: device, stamps: [], seen: createSeenHistory() }) - 1
      this.#indexes.set(device, index)
    }
    return index
  }

  deviceId(index: number): DeviceId {
    return this.#devices[index].id
  }

  refOf(dot: Dot): DotRef {
    return dotRef(this.deviceIndex(dot.device), dot.seq)
  }

  get deviceCount(): number {
    return this.#devices.length
  }

  projectedSeq(device: number): number {
    return this.#devices[device].stamps.length
  }

  stamp(ref: DotRef): Hlc {
    return this.#devices[deviceOfRef(ref)].stamps[seqOfRef(ref) - 1]
  }

  /** The stamp of the last projected op of a device; -1 where it has none. */
  lastStamp(device: number): Hlc {
    const { stamps } = this.#devices[device]
    return stamps.length === 0 ? -1 : stamps[stamps.length - 1]
  }

  /** The total order of ops: stamp, then device, then seq. */
  compare(a: DotRef, b: DotRef): number {
    return (
      this.stamp(a) - this.stamp(b) ||
      compareDevices(this.deviceId(deviceOfRef(a)), this.deviceId(deviceOfRef(b))) ||
      seqOfRef(a) - seqOfRef(b)
    )
  }

  /** What the device's last projected op had seen. */
  lastSeen(device: number): SeenVector {
    const { seen } = this.#devices[device]
    return seen.vectors.length === 0 ? nothingSeen : seen.vectors[seen.vectors.length - 1]
  }

  /** `seen`, joined with an op of `device` at `seq` and all that it had seen. */
  joinHead(seen: SeenVector, device: number, seq: number): SeenVector {
    return withSeen(joinSeen(seen, seenAt(this.#devices[device].seen, seq)), device, seq)
  }

  /** Takes in the next op of a device. `seen` is the vector of its predecessor where it has no heads. */
  append(device: number, stamp: Hlc, seen: SeenVector): DotRef {
    const ops = this.#devices[device]
    const seq = ops.stamps.push(stamp)
    if (seen !== this.lastSeen(device)) {
      ops.seen.seqs.push(seq)
      ops.seen.vectors.push(seen)
    }
    return dotRef(device, seq)
  }
}

/** Whether an op of `device` at `seq`, with vector `seen`, had seen `ref`, or is it. */
export const sees = (seen: SeenVector, device: number, seq: number, ref: DotRef): boolean => {
  const other = deviceOfRef(ref)
  return other === device ? seqOfRef(ref) <= seq : seenSeq(seen, other) >= seqOfRef(ref)
}
