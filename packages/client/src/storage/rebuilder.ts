/**
 * Reads the store anew where the log does not fit it any more, puts what comes of it in the place of the log in memory, and
 * decides who writes on.
 *
 *     a fork, a shift, damage ─▶ need ─▶ read the store ─▶ own work that is not stored yet ─▶ state.replace
 *                                             │
 *                        the device must not write any more ─▶ another identity, durable first
 *
 * Invariants:
 * - the new log takes the place of the old one in one step, with all that was written until then: nothing is awaited between;
 * - KEEP5 an identity counts from when the store remembers it as the slot's, and one that was given up writes nothing any more;
 * - KEEP6 who lacks something of what it wrote, or of what it saw, writes on under another one;
 * - what is needed stays needed until it was done, however often that fails.
 *
 * The keeper runs it as one of its store operations, so nothing else changes the store from here meanwhile.
 */
import {
  type Batch,
  type Cursor,
  type DeviceId,
  type Hlc,
  type LateRecord,
  type OpLog,
  Projector,
  type QuarantiningStore,
  type Randomness,
  type RecordChange,
  sealShifts,
  type Shift,
  Writer,
} from '@driftlog/core'
import { Subject } from 'rxjs'
import type { ReplicaState } from '../state/replica-state.ts'
import { clockRecord } from './bookmarks.ts'
import { type RenewedIdentity, takeOn } from './identity.ts'
import { mustNotWrite, readStore } from './read-store.ts'

export interface RebuilderOptions {
  readonly store: QuarantiningStore
  readonly space: string
  readonly state: ReplicaState
  readonly random: Randomness
  /** Another identity for this slot, in the place of the one that is given up. */
  readonly renew: (givenUp: DeviceId) => Promise<RenewedIdentity>
  /** Own work that is not stored yet, sealed, in order; of a device that was given up too. */
  readonly sealed: () => readonly Batch[]
  /** Stores that. */
  readonly flush: () => Promise<void>
  /** Small values for the next append: what it names may be among them. */
  readonly records: () => Iterable<RecordChange>
}

/** What a writer that is to be no more has written. */
export interface OwnEnd {
  readonly device: DeviceId
  readonly seq: number
  readonly tag: Uint8Array
}

/** BR2: how the stamps of some runs are meant, and what is stored with the statement. */
export interface ShiftStatement {
  readonly hlc: Hlc
  readonly shifts: readonly Shift[]
  /** CUT11: what is told of the ops that they concern, where these are late. */
  readonly late?: readonly LateRecord[]
  readonly records: readonly RecordChange[]
}

export class Rebuilder {
  readonly #options: RebuilderOptions
  #isNeeded = false
  #isToRenew = false
  readonly #ownDevices = new Set<DeviceId>()

  /** A writer has written its last. Before the state is replaced. */
  readonly ends = new Subject<OwnEnd>()

  constructor(options: RebuilderOptions) {
    this.#options = options
  }

  /** Whether the log does not fit the store any more. */
  get isNeeded(): boolean {
    return this.#isNeeded
  }

  /** The devices that were written as since the opening. */
  get ownDevices(): ReadonlySet<DeviceId> {
    return this.#ownDevices.add(this.#device)
  }

  get #device(): DeviceId {
    return this.#options.state.writer.identity.device
  }

  /** The store has what the log cannot take in as it is. */
  need(): void {
    this.#isNeeded = true
  }

  /** The same, and the own device must not write any more, whatever is read. */
  needRenewal(): void {
    this.#isNeeded = true
    this.#isToRenew = true
  }

  /** Answers up to where the store is in the log now. */
  async rebuild(): Promise<Cursor> {
    return this.#readAnew(this.#isToRenew ? await this.#renewed() : undefined)
  }

  /** BR2: another identity of this slot states it, and is written under from then on. Answers as `rebuild` does. */
  async stateShifts({ hlc, shifts, late = [], records }: ShiftStatement): Promise<Cursor> {
    const { store, space, state, random, renew } = this.#options
    const renewed = await renew(this.#device)
    const keys = { keyring: state.log.keyring, members: state.log.members, random }
    // Its identity counts from when what it states is durable, and the other way round.
    await store.append(space, [sealShifts(keys, renewed.identity, hlc, shifts, late)], {
      records: [...this.#options.records(), ...records, ...renewed.records, clockRecord(renewed.identity.device, hlc)],
      allOrNothing: true,
    })
    return this.#readAnew(renewed)
  }

  close(): void {
    this.ends.complete()
  }

  async #renewed(): Promise<RenewedIdentity> {
    const { store, space, renew } = this.#options
    return takeOn(store, space, await renew(this.#device))
  }

  /** `given`: who writes on. Otherwise what is read decides. `isOnceMore`: siblings were stored, which is done once at most. */
  async #readAnew(given: RenewedIdentity | undefined, isOnceMore = false): Promise<Cursor> {
    const { store, space, state, random, sealed, flush } = this.#options
    const fresh = await readStore(store, state.log.keyring, state.log.members, new Projector(state.projector))
    const isToRenew = given === undefined && (await mustNotWrite(store, space, fresh, this.#device))
    const renewed = isToRenew ? await this.#renewed() : given
    // From here on nothing is awaited: what was written meanwhile comes along.
    for (const batch of sealed()) {
      if (fresh.log.holder(batch.header) !== undefined) continue
      if (!isOnceMore && isSibling(fresh.log, batch)) {
        // It begins where other work of its device does that was read just now: the store names both.
        await flush()
        return this.#readAnew(renewed, true)
      }
      // What goes on from something hidden is stored with it, and shown when that is healed.
      if (isJoined(fresh.log, batch)) fresh.log.receive(fresh.log.open(batch), fresh.log.continued(batch.header))
    }
    const { writer, log } = state
    const { device } = writer.identity
    if (renewed === undefined && fresh.log.heldSeq(device) !== (fresh.projector.projected.get(device) ?? 0)) {
      // What was written meanwhile saw something that is hidden by now: its device must not write on either.
      return this.#readAnew(await this.#renewed())
    }
    this.#ownDevices.add(device)
    const seq = log.heldSeq(device)
    if (renewed !== undefined && seq > 0) this.ends.next({ device, seq, tag: log.chain.lastTag(device) })
    const identity = renewed?.identity ?? writer.identity
    const highest = renewed === undefined ? writer.ownHighest : 0
    fresh.projector.cells.takeOver(state.projector.cells)
    this.#isNeeded = false
    this.#isToRenew = false
    state.replace({ ...fresh, writer: new Writer(identity, fresh.log, fresh.projector, highest, random) })
    return fresh.end
  }
}

/** Whether a log holds what a batch goes on from. */
const isJoined = (log: OpLog, { header: { device, fromSeq, tagBefore } }: Batch): boolean =>
  fromSeq === 1 || log.branchAt(device, fromSeq - 1, tagBefore) !== undefined

/** Whether something else goes on in a log from where a batch begins. */
const isSibling = (log: OpLog, { header: { device, fromSeq, tagBefore } }: Batch): boolean => {
  const branches = log.branchesOf(device)
  if (fromSeq === 1) return branches.length > 0
  const parent = log.branchAt(device, fromSeq - 1, tagBefore)
  if (parent === undefined) return false
  return log.branch(parent)!.seq >= fromSeq || branches.some((name) => log.branch(name)?.parent === parent)
}
