/**
 * What a device does that comes back when a base was made without it (SPEC CUT11): it states, under another identity, how its late work
 * is shifted and what that had seen; from then on that can be pushed. The base, and what goes on from it, were fetched before.
 */
import {
  type Base,
  type Batch,
  type BatchStore,
  decodeBatch,
  findLate,
  type Hlc,
  type LateBranches,
  type OpLog,
  type QuarantiningStore,
  type RecordChange,
} from '@driftlog/core'
import type { ReplicaState } from '../state/replica-state.ts'
import type { Keeper } from '../storage/keeper.ts'
import { readAll } from './read-store.ts'

export interface LateWork {
  readonly state: ReplicaState
  readonly keeper: Keeper
  /** Still with the old log. */
  readonly store: QuarantiningStore
  readonly base: Base
  /** What goes on from the base, with all of the rest that the server has. */
  readonly log: OpLog
  /** Above the cut, and above what that log has: as of now. */
  readonly hlc: () => Hlc
}

export interface StatedLate extends Pick<LateBranches, 'entering' | 'left'> {
  /** How many batches there are of which it was told what they had seen: what is written after that is late, and not told of. */
  readonly held: number
}

/**
 * Answers what comes in by it, and what cannot (CUT15): that is to be kept, and shown. What is written before the base takes the place of
 * the old log is late, too, under whatever identity: where that is not of one step with this, call again.
 */
export const stateLate = async ({ state, keeper, store, base, log, hlc }: LateWork): Promise<StatedLate> => {
  for (let stated: string | undefined; ; ) {
    await keeper.settled()
    const { keyring, members } = state.log
    const { stored } = await readAll(store, keyring.space)
    const { statements, entering, left } = findLate({ keyring, members, base, log, batches: stored })
    // Meanwhile something may have been written, which saw no more than what was before it.
    const now = JSON.stringify(entering)
    if (statements.length === 0 || now === stated) return { entering, left, held: stored.length }
    for (const { shifts, records } of statements) {
      await keeper.stateShifts(() => ({ hlc: hlc(), shifts, late: records, records: [] }))
    }
    stated = now
  }
}

const LATE = 'late/'

/** Late work, while the base takes the place of all else. */
export const lateRecords = (late: readonly Batch[]): RecordChange[] =>
  late.map(({ bytes }, index) => ({ key: `${LATE}${String(index).padStart(8, '0')}`, value: bytes }))

/** Puts late work back into the log of a store: at once, or where that was cut off, when it is opened. */
export const enterLate = async (store: BatchStore, space: string): Promise<void> => {
  const late = await store.records(space, LATE)
  if (late.length === 0) return
  const batches = late.map(({ value }) => decodeBatch(value))
  const records = late.map(({ key }) => ({ key, value: undefined }))
  await store.append(space, batches, { records, allOrNothing: true })
}
