/**
 * What a server is to be given next (SYNC3, SYNC4): what is held above what it has, in arrival order, which is causal; but what
 * saw something that is set aside waits for that, or whoever gets it could not show it if this device were lost; and shifts come
 * before what can only be admitted by them.
 */
import type { BatchHeader, BatchStore, DeviceId, PageLimit, StoredBatch, VersionVector } from '@driftlog/core'
import type { ReplicaState } from '../state/replica-state.ts'

export interface OutboxQuery {
  readonly above: VersionVector
  readonly limit: PageLimit
  /** Of each branch that is set aside, what the server holds of it. */
  readonly setAside: VersionVector
  /** Whether a batch of the store is known to be durable: where an append failed it may be there all the same. */
  readonly isDurable: (header: BatchHeader) => boolean
}

export interface Outbox {
  readonly batches: readonly StoredBatch[]
  readonly more: boolean
}

export interface OutboxSource {
  readonly store: BatchStore
  readonly space: string
  readonly state: ReplicaState
}

export const readOutbox = async ({ store, space, state }: OutboxSource, query: OutboxQuery): Promise<Outbox> => {
  const { above, limit, setAside, isDurable } = query
  const stating = [...state.log.statingShifts].find((branch) => !above.has(branch))
  if (stating !== undefined) {
    const others = new Map<DeviceId, number>()
    for (const branch of state.log.held().keys()) if (branch !== stating) others.set(branch, Number.MAX_SAFE_INTEGER)
    const { batches } = await store.readAbove(space, others, { batches: 1, bytes: limit.bytes })
    if (batches.length > 0 && isDurable(batches[0].batch.header)) return { batches, more: true }
  }
  const rest = new Map(above)
  for (;;) {
    const { batches, more } = await store.readAbove(space, rest, limit)
    const ready: StoredBatch[] = []
    for (const stored of batches) {
      const { branch, batch } = stored
      if (rest.get(branch) === Number.MAX_SAFE_INTEGER) continue
      // Where it is not known what an op saw, it may be that.
      const saw = setAside.size > 0 && state.projector.ops.sawBeyond(branch, batch.header.toSeq, setAside) !== false
      const waits = saw || !isDurable(batch.header)
      if (waits) rest.set(branch, Number.MAX_SAFE_INTEGER)
      else ready.push(stored)
    }
    if (ready.length > 0 || !more) return { batches: ready, more }
  }
}
