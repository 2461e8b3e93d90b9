/**
 * The op-log of one space as a replica sees it: what is held, what waits for what, and what is projected.
 *
 *     batch ─ check ─▶ (stored) ─ receive ─▶ held, waiting ─ verify ─▶ projected
 *
 * Invariants:
 * - LOG1 held is contiguous per device; receiving a batch again changes nothing;
 * - LOG2 a run is projected when its device's runs before it and everything that its ops saw are projected, and its chain
 *   hash, over its bytes and the hashes of what it refers to, is the one that its header's tag names;
 * - LOG3 a run of an unknown format is parked, and with it all that saw it; nothing else blocks;
 * - LOG4 the projected vector is at most the held one.
 */
import type { DeviceId } from '../clock/dot.ts'
import { equalBytes, malformed } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import { opCount, type Run, toSeqOf } from '../op/run.ts'
import { MAX_GROUP_OPS } from '../op/run-codec.ts'
import type { Batch } from './batch.ts'
import { ChainIndex, foreignReferences } from './chain-index.ts'
import { openBatch, type OpenedRun } from './seal.ts'
import { verifyBatch } from './signature.ts'

/** What the log hands ready runs to: the projector. */
export interface ProjectionTarget {
  readonly projected: ReadonlyMap<DeviceId, number>
  /** Consecutive runs of one device, whole; all that they saw is projected. */
  project(runs: readonly Run[]): void
}

/** A batch that was checked as far as it can be alone. */
export interface CheckedBatch {
  readonly batch: Batch
  /** undefined: of an unknown format. */
  readonly runs: readonly OpenedRun[] | undefined
}

/** A run that is held and not projected, or a whole batch of an unknown format. */
interface QueuedRun {
  /** undefined: of an unknown format. */
  readonly opened: OpenedRun | undefined
  readonly ops: number
  /** The chain hash after it, once all that it refers to is projected and its tag was found right. */
  hash: Uint8Array | undefined
}

interface HeldDevice {
  readonly certificate: Uint8Array
  held: number
  /** Held and not projected, in seq order. */
  readonly queue: QueuedRun[]
  /** Why nothing more of this device can be projected: its bytes do not match its chain. */
  broken: DriftlogError | undefined
}

export class OpLog {
  readonly chain: ChainIndex
  readonly #space: string
  readonly #projector: ProjectionTarget
  readonly #devices = new Map<DeviceId, HeldDevice>()
  /** Device → devices whose next run waits for one of its ops. */
  readonly #waiters = new Map<DeviceId, Set<DeviceId>>()

  constructor(space: string, projector: ProjectionTarget) {
    this.chain = new ChainIndex(space)
    this.#space = space
    this.#projector = projector
  }

  heldSeq(device: DeviceId): number {
    return this.#devices.get(device)?.held ?? 0
  }

  held(): Map<DeviceId, number> {
    const vector = new Map<DeviceId, number>()
    for (const [device, { held }] of this.#devices) if (held > 0) vector.set(device, held)
    return vector
  }

  /** Ops that are held and not projected: those that wait for what they saw, and those of an unknown format. */
  backlog(): { readonly waiting: number; readonly parked: number } {
    let waiting = 0
    let parked = 0
    for (const device of this.#devices.values()) {
      for (const { opened, ops } of device.queue) {
        if (opened === undefined) parked += ops
        else waiting += ops
      }
    }
    return { waiting, parked }
  }

  /** The first device whose ops do not match their chain, as the error to show. */
  get damage(): DriftlogError | undefined {
    for (const device of this.#devices.values()) if (device.broken !== undefined) return device.broken
    return undefined
  }

  /**
   * Checks signature, certificate and structure of a batch that comes from outside. `certificate`: of the device's first
   * batch, where that one is not held yet but comes with the same delivery. Throws what `verifyBatch` and `openBatch` throw.
   */
  check(batch: Batch, certificate?: Uint8Array): CheckedBatch {
    // A first batch of another space brings a certificate that is right for that space.
    if (batch.header.space !== this.#space) throw malformed('a batch of another space')
    verifyBatch(batch, this.#devices.get(batch.header.device)?.certificate ?? certificate)
    return this.open(batch)
  }

  /** Opens a batch that was checked before it was stored. */
  open(batch: Batch): CheckedBatch {
    try {
      return { batch, runs: openBatch(batch) }
    } catch (error) {
      if (error instanceof DriftlogError && error.code === 'FORMAT_UNKNOWN') return { batch, runs: undefined }
      throw error
    }
  }

  /** Takes in a batch that is durable here. Returns whether it was new. Throws GAP for one that does not come next. */
  receive({ batch, runs }: CheckedBatch): boolean {
    const { header } = batch
    const device = this.#device(batch)
    if (header.toSeq <= device.held) return false
    if (header.fromSeq !== device.held + 1) {
      throw new DriftlogError('GAP', '', { device: header.device, have: device.held, fromSeq: header.fromSeq })
    }
    device.held = header.toSeq
    if (runs === undefined) {
      device.queue.push({ opened: undefined, ops: header.toSeq - header.fromSeq + 1, hash: undefined })
    } else {
      for (const opened of runs) device.queue.push({ opened, ops: opCount(opened.run), hash: undefined })
    }
    this.#advance(header.device)
    return true
  }

  #device(batch: Batch): HeldDevice {
    const { device: id, certificate } = batch.header
    let device = this.#devices.get(id)
    if (device === undefined) {
      if (certificate === undefined)
        throw new DriftlogError('GAP', '', { device: id, have: 0, fromSeq: batch.header.fromSeq })
      device = { certificate, held: 0, queue: [], broken: undefined }
      this.#devices.set(id, device)
      this.chain.begin(id, certificate)
    }
    return device
  }

  /** Announces the device that this replica writes as, before its first batch. */
  beginOwn(device: DeviceId, certificate: Uint8Array): void {
    this.chain.begin(device, certificate)
    if (!this.#devices.has(device)) this.#devices.set(device, { certificate, held: 0, queue: [], broken: undefined })
  }

  /** Takes in an op of this replica's own, projected already, whose batch is not sealed yet. */
  holdOwn(device: DeviceId, toSeq: number): void {
    const own = this.#devices.get(device)
    if (own === undefined) throw new Error('own device was not announced')
    own.held = toSeq
  }

  /** Projects what has become ready, starting from one device. */
  #advance(start: DeviceId): void {
    const ready = [start]
    for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
      const device = this.#devices.get(id)
      if (device === undefined) continue
      let done = 0
      for (let taken = this.#projectNext(id, device, 0); taken > 0; taken = this.#projectNext(id, device, done)) {
        done += taken
      }
      if (done === 0) continue
      device.queue.splice(0, done)
      const waiters = this.#waiters.get(id)
      if (waiters === undefined) continue
      this.#waiters.delete(id)
      ready.push(...waiters)
    }
  }

  /** Projects the next run of a queue (several only where a group crosses them). How many: 0 if it has to wait. */
  #projectNext(id: DeviceId, device: HeldDevice, start: number): number {
    if (device.broken !== undefined || start === device.queue.length) return 0
    const unit: Run[] = []
    let before = this.chain.last(id)
    do {
      const next = device.queue[start + unit.length]
      if (next?.opened === undefined) return 0
      next.hash ??= this.#verify(id, device, next.opened, before)
      if (next.hash === undefined) return 0
      before = next.hash
      unit.push(next.opened.run)
    } while (endsInsideGroup(unit[unit.length - 1]))
    unit.forEach((run, index) => this.chain.extend(id, toSeqOf(run), device.queue[start + index].hash!))
    this.#projector.project(unit)
    return unit.length
  }

  /** The chain hash after a run; undefined while something that it refers to is missing, or where its tags are wrong. */
  #verify(id: DeviceId, device: HeldDevice, opened: OpenedRun, before: Uint8Array): Uint8Array | undefined {
    const { run, bytes, tagBefore, tagAfter } = opened
    if (this.#waitFor(id, run)) return undefined
    const after = this.chain.hashAfter(run, bytes, before)
    if (after === undefined) return undefined
    if (equalBytes(this.chain.tag(id, before), tagBefore) && equalBytes(this.chain.tag(id, after), tagAfter))
      return after
    device.broken = new DriftlogError('CHAIN_BROKEN', '', { device: id, fromSeq: run.fromSeq, toSeq: toSeqOf(run) })
    return undefined
  }

  /** Registers the device as waiting if something that the run refers to is not projected yet. */
  #waitFor(id: DeviceId, run: Run): boolean {
    for (const { device: other, seq } of foreignReferences(run)) {
      if ((this.#projector.projected.get(other) ?? 0) >= seq) continue
      const waiters = this.#waiters.get(other)
      if (waiters === undefined) this.#waiters.set(other, new Set([id]))
      else waiters.add(id)
      return true
    }
    return false
  }
}

/** Where a group counts more than the bound, it is void, and nothing waits for the rest of it. */
const endsInsideGroup = (run: Run): boolean => {
  const left = run.groupLeft[opCount(run) - 1]
  return left > 1 && left <= MAX_GROUP_OPS
}
