/**
 * How far this replica's own ops have come, for its receipts: of the device that is written as, and of those that were before
 * it (SPEC BR3: receipts follow the branch).
 */
import { type DeviceId, type OpLog, seqOf, type VersionVector } from '@driftlog/core'
import type { ReplicaState } from '../state/replica-state.ts'
import type { Keeper } from '../storage/keeper.ts'
import type { OwnEnd } from '../storage/rebuilder.ts'
import { Milestones } from './receipts.ts'

interface Line {
  readonly device: DeviceId
  readonly stored: Milestones
  readonly acknowledged: Milestones
  /** Its last op, once another device is written as. */
  end: OwnEnd | undefined
}

export interface OwnWorkParts {
  readonly state: ReplicaState
  readonly keeper: Keeper
  /** What the server was last known to hold. */
  readonly acknowledged: VersionVector
}

export class OwnWork {
  readonly #parts: OwnWorkParts
  #lines: Line[]
  #acknowledged: VersionVector

  constructor(parts: OwnWorkParts) {
    this.#parts = parts
    this.#acknowledged = parts.acknowledged
    this.#lines = [this.#begin()]
    parts.keeper.ends.subscribe((end) => {
      const line = this.#lines.find(({ device }) => device === end.device)
      if (line !== undefined) line.end = end
    })
  }

  /** Of the device that is written as. */
  get current(): Line {
    return this.#lines[this.#lines.length - 1]
  }

  #begin(): Line {
    const { state, keeper } = this.#parts
    const { device } = state.writer.identity
    const flush = (): void => keeper.flushNow()
    return {
      device,
      stored: new Milestones(keeper.storedSeq, flush),
      acknowledged: new Milestones(Math.min(seqOf(this.#acknowledged, device), keeper.storedSeq), flush),
      end: undefined,
    }
  }

  /** The log was read anew; perhaps another device is written as from now on. */
  replaced(): void {
    if (this.#parts.state.writer.identity.device !== this.current.device) this.#lines.push(this.#begin())
    this.stored()
    this.acknowledged(this.#acknowledged)
  }

  /** Something became durable here. */
  stored(): void {
    for (const line of this.#lines) line.stored.reach(this.#parts.keeper.storedSeqOf(line.device))
  }

  /** `vector`: what the server holds, by branch. */
  acknowledged(vector: VersionVector): void {
    this.#acknowledged = vector
    const { log } = this.#parts.state
    for (const { device, acknowledged, end } of this.#lines) {
      const branch = end === undefined ? device : log.branchAt(device, end.seq, end.tag)
      if (branch !== undefined)
        acknowledged.reach(Math.min(pathSeq(log, branch, vector), this.#parts.keeper.storedSeqOf(device)))
    }
    this.#lines = this.#lines.filter(({ end, acknowledged }, index) => {
      return index === this.#lines.length - 1 || end === undefined || acknowledged.reached < end.seq
    })
  }

  /** Nothing more will be reached. */
  abandon(error: Error): void {
    for (const { stored, acknowledged } of this.#lines) {
      stored.abandon(error)
      acknowledged.abandon(error)
    }
  }
}

/** How far `vector` reaches on the way from the start of a device to the end of a branch. */
const pathSeq = (log: OpLog, branch: DeviceId, vector: VersionVector): number => {
  const held = log.branch(branch)
  if (held === undefined) return seqOf(vector, branch)
  if (seqOf(vector, branch) > held.base) return seqOf(vector, branch)
  return held.parent === undefined ? 0 : Math.min(pathSeq(log, held.parent, vector), held.base)
}
