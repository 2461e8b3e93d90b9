/**
 * A device comes back when a base was made without it, and has work that the server lacks (SPEC CUT11, PRUNE6): it states what that
 * work had seen, and goes on from the base with it.
 *
 *     base and what the server has since ─▶ a store of its own ─▶ what is late ─▶ stated here, under another identity
 *                                                                     └─▶ base and late work take the place of all that is here
 *
 * Invariant: until the base and the late work are here in one transaction, everything stays as it was; the late work lies in records
 * from then until it is in the log again.
 */
import {
  type Batch,
  type BaseOutline,
  decodeBase,
  isRefusal,
  memoryStore,
  type PlantedFloor,
  quarantining,
  type QuarantiningStore,
  type RecordChange,
  type VersionVector,
  type WallClock,
} from '@driftlog/core'
import type { ReplicaState } from '../state/replica-state.ts'
import type { Keeper } from '../storage/keeper.ts'
import { stateLate } from '../storage/late-branches.ts'
import { readStore } from '../storage/read-store.ts'
import { noSnapshot } from '../storage/snapshots.ts'
import { baseRecords } from '../storage/stored-base.ts'
import { floorsOfBase } from './base-work.ts'

export interface ComingBack {
  readonly state: ReplicaState
  readonly keeper: Keeper
  readonly store: QuarantiningStore
  readonly space: string
  readonly clock: WallClock
  /** That the local store goes on from. */
  readonly before: BaseOutline | undefined
  readonly statement: Uint8Array
  readonly outline: BaseOutline
  readonly chunks: readonly Uint8Array[]
  /** Of the base. */
  readonly bytes: Uint8Array
  /** What the server has above it. */
  readonly rest: readonly Batch[]
  /** What it has of all that is here. */
  readonly placed: VersionVector
}

/** The app may be writing at the same time: each time it did not. */
const MAX_TRIES = 10

/** Answers whether the log goes on from the base now, with the late work. Where it does not, nothing has changed but who writes. */
export const comeBack = async (parts: ComingBack): Promise<boolean> => {
  const { keyring, members } = parts.state.log
  const floors = floorsOfBase(parts.bytes, parts.outline, keyring, members)
  const records = [...baseRecords(parts.statement, parts.chunks, parts.before), ...noSnapshot]
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const done = await goOn(parts, floors, records)
    if (done !== 'again') return done === 'done'
  }
  return false
}

const goOn = async (
  { state, keeper, store, space, clock, outline, bytes, rest, placed }: ComingBack,
  floors: readonly PlantedFloor[],
  records: readonly RecordChange[],
): Promise<'done' | 'again' | 'cannot'> => {
  const { keyring, members } = state.log
  const there = quarantining(memoryStore())
  await there.plant(space, floors, { records })
  if ((await there.append(space, rest)).some(isRefusal)) return 'cannot'
  const { log, projector } = await readStore(there, keyring, members)
  const hlc = (): number => Math.max(state.writer.nextStamp(clock.now()), projector.highest + 1, outline.cut + 2)
  const { left, held } = await stateLate({ state, keeper, store, base: decodeBase(bytes), log, hlc })
  if (left.length > 0) return 'cannot'
  return keeper.plantLate({ floors, records, there, placed, held })
}
