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
import { equalBytes } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import { opCount, type Run, toSeqOf } from '../op/run.ts'
import type { Batch } from './batch.ts'
import { ChainIndex } from './chain-index.ts'
import { openBatch, type OpenedRun } from './seal.ts'
import { verifyBatch } from './signature.ts'

/** What the log hands ready runs to: the projector. */
export interface ProjectionTarget {
  readonly projected: ReadonlyMap<DeviceId, number>
  /** Consecutive runs of one device, whole; all that they saw is projected. */
  project(runs: readonly Run[]): void
}

interface HeldBatch {
  readonly batch: Batch
  /** undefined: of an unknown format. */
  readonly runs: readonly OpenedRun[] | undefined
}

interface HeldDevice {
  readonly certificate: Uint8Array
  held: number
  /** Held and not projected, in seq order. */
  readonly queue: HeldBatch[]
  /** Why nothing more of this device can be projected: its bytes do not match its chain. */
  broken: DriftlogError | undefined
}

/** A batch that was checked as far as it can be alone. */
export interface CheckedBatch extends HeldBatch {}

export class OpLog {
  readonly chain: ChainIndex
  readonly #projector: ProjectionTarget
  readonly #devices = new Map<DeviceId, HeldDevice>()
  /** Device → devices whose next run waits for one of its ops. */
  readonly #waiters = new Map<DeviceId, Set<DeviceId>>()

  constructor(space: string, projector: ProjectionTarget) {
    this.chain = new ChainIndex(space)
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

  /** Ops that are held and wait for what they saw. */
  get waitingCount(): number {
    let count = 0
    for (const device of this.#devices.values()) {
      for (const { batch, runs } of device.queue)
        if (runs !== undefined) count += batch.header.toSeq - batch.header.fromSeq + 1
    }
    return count
  }

  /** Ops of an unknown format: an update of the app will show them. */
  get parkedCount(): number {
    let count = 0
    for (const device of this.#devices.values()) {
      for (const { batch, runs } of device.queue)
        if (runs === undefined) count += batch.header.toSeq - batch.header.fromSeq + 1
    }
    return count
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
    device.queue.push({ batch, runs })
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
      let moved = false
      while (this.#projectNext(id, device)) moved = true
      if (!moved) continue
      const waiters = this.#waiters.get(id)
      if (waiters === undefined) continue
      this.#waiters.delete(id)
      ready.push(...waiters)
    }
  }

  /** Projects the next batches of a device (several only where a group crosses them); false if it has to wait. */
  #projectNext(id: DeviceId, device: HeldDevice): boolean {
    if (device.broken !== undefined) return false
    const unit: Run[] = []
    const ends: { toSeq: number; hash: Uint8Array }[] = []
    let taken = 0
    let hash = device.queue.length === 0 ? undefined : this.chain.last(id)
    while (hash !== undefined) {
      const next = device.queue[taken]
      if (next?.runs === undefined) return false
      for (const opened of next.runs) {
        if (this.#waitFor(id, opened.run)) return false
        hash = this.chain.hashAfter(opened.run, opened.bytes, hash)
        if (hash === undefined) return false
        unit.push(opened.run)
        ends.push({ toSeq: toSeqOf(opened.run), hash })
      }
      taken++
      if (!this.#matchesTags(id, device, next.batch, hash)) return false
      if (!endsInsideGroup(unit[unit.length - 1])) break
    }
    if (taken === 0) return false
    for (const { toSeq, hash: after } of ends) this.chain.extend(id, toSeq, after)
    device.queue.splice(0, taken)
    this.#projector.project(unit)
    return true
  }

  #matchesTags(id: DeviceId, device: HeldDevice, { header }: Batch, hash: Uint8Array): boolean {
    if (equalBytes(this.chain.tag(id, hash), header.tagAfter)) return true
    device.broken = new DriftlogError('CHAIN_BROKEN', '', { device: id, fromSeq: header.fromSeq, toSeq: header.toSeq })
    return false
  }

  /** Registers the device as waiting if one of the run's heads is not projected yet. */
  #waitFor(id: DeviceId, run: Run): boolean {
    for (let head = 0; head < run.headSeq.length; head++) {
      const other = run.devices[run.headDevice[head]]
      if (other === id || (this.#projector.projected.get(other) ?? 0) >= run.headSeq[head]) continue
      const waiters = this.#waiters.get(other)
      if (waiters === undefined) this.#waiters.set(other, new Set([id]))
      else waiters.add(id)
      return true
    }
    return false
  }
}

const endsInsideGroup = (run: Run): boolean => run.groupLeft[opCount(run) - 1] > 1
