/**
 * Takes batches away in one readwrite transaction (STORE7).
 *
 * Invariant: a branch row, its boundaries and its batches say the same when the transaction ends.
 */
import { type DeviceId, judgePoint, type PruneOutcome, type PrunePoint } from '@driftlog/core'
import { type BranchRow, keysAfterSeq, keysOf, keysUpToSeq, type Transaction } from './schema.ts'
import { asTree, READ_AHEAD, type Writes } from './take-in.ts'

export const pruneBranches = async (
  transaction: Transaction<'readwrite'>,
  space: string,
  points: readonly PrunePoint[],
  writes: Writes,
): Promise<PruneOutcome[]> => {
  const rows = await transaction.objectStore('branch').getAll(keysOf(space))
  const branches = new Map(rows.map((row) => [row.branch, row] as const))
  const outcomes: PruneOutcome[] = []
  for (const point of points) outcomes.push(await pruneBranch(transaction, point, branches, writes))
  return outcomes
}

/** `branches`: those of the space, kept as they become. */
const pruneBranch = async (
  transaction: Transaction<'readwrite'>,
  point: PrunePoint,
  branches: Map<DeviceId, BranchRow>,
  writes: Writes,
): Promise<PruneOutcome> => {
  const held = branches.get(point.branch)
  if (held === undefined) return { kind: 'unknown' }
  const verdict = await asTree(transaction, held.space, [held], ({ tagAt }) => judgePoint(point, held, tagAt))
  if (verdict === 'unknown') return { kind: 'unknown' }
  if (verdict === 'done') return { kind: 'pruned', batches: 0, bytes: 0 }
  const taken = await takeAway(transaction, held, point.seq, writes)
  const tag = point.tag.slice()
  const pruned = await transaction.objectStore('pruned').get(held.space)
  // In a branch the last by seq came last (STORE5).
  if (taken.position > (pruned?.position ?? 0)) {
    writes.add(transaction.objectStore('pruned').put({ space: held.space, position: taken.position, tag }))
  }
  const row = { ...held, floor: point.seq, floorTag: tag }
  branches.set(point.branch, row)
  writes.add(transaction.objectStore('branch').put(row))
  return { kind: 'pruned', batches: taken.batches, bytes: taken.bytes }
}

/** In steps: it may be a long history, and how many bytes it has only its batches tell. */
const takeAway = async (
  transaction: Transaction<'readwrite'>,
  { space, branch, floor }: BranchRow,
  seq: number,
  writes: Writes,
): Promise<{ batches: number; bytes: number; position: number }> => {
  const boundaryStore = transaction.objectStore('boundary')
  const batchStore = transaction.objectStore('batch')
  const taken = { batches: 0, bytes: 0, position: 0 }
  for (let after = floor; after < seq; ) {
    const next = await boundaryStore.getAll(keysAfterSeq(space, branch, after), READ_AHEAD)
    const boundaries = next.filter(({ toSeq }) => toSeq <= seq)
    const rows = await Promise.all(boundaries.map(({ position }) => batchStore.get([space, position])))
    for (const [index, { position, toSeq }] of boundaries.entries()) {
      taken.batches++
      taken.bytes += rows[index]?.bytes.length ?? 0
      taken.position = position
      after = toSeq
      writes.add(batchStore.delete([space, position]))
    }
  }
  writes.add(boundaryStore.delete(keysUpToSeq(space, branch, seq)))
  return taken
}
