/**
 * What is carried from one replica to another by other ways than a server: entries of the log of members, in order, then batches.
 * An item tells by its first bytes what it is.
 */
import {
  type Batch,
  certifiedInstallation,
  decodeBatch,
  type DeviceId,
  DriftlogError,
  equalBytes,
  isEntry,
  type OpLog,
  readEntry,
  type RefusedBranch,
} from '@driftlog/core'
import type { LocalMembers } from '../members/local-members.ts'
import type { Keeper } from '../storage/keeper.ts'
import type { PruningSync } from '../pruning/pruning-sync.ts'
import { heldBy } from './held-by.ts'
import { shiftedWithinDrift, sortByDrift } from './within-drift.ts'

const PAGE = { batches: 500, bytes: 8_000_000 }

/** All that is stored, but what a replica with these tips holds. */
export const exportItems = async (
  keeper: Keeper,
  local: LocalMembers | undefined,
  above?: Uint8Array,
): Promise<Uint8Array[]> => {
  await keeper.settled()
  const items = [...(local?.membership.entriesAfter(0) ?? [])]
  for (const held = above === undefined ? new Map() : heldBy(above, keeper.tree()); ; ) {
    const page = await keeper.outbox(held, PAGE)
    for (const { batch, branch } of page.batches) {
      items.push(batch.bytes)
      held.set(branch, batch.header.toSeq)
    }
    if (!page.more) return items
  }
}

interface Importing {
  readonly keeper: Keeper
  readonly local: LocalMembers | undefined
  readonly log: () => OpLog
  readonly nowMs: number
  readonly trustStamps: boolean
  readonly pruning: PruningSync | undefined
}

/** See `Replica.import`. Rejects with MEMBERS_FORKED too, before anything is taken in. */
export const importItems = async (
  { keeper, local, log, nowMs, trustStamps, pruning }: Importing,
  items: readonly Uint8Array[],
): Promise<readonly RefusedBranch[]> => {
  const batches = items.filter((item) => !isEntry(item)).map((item) => decodeBatch(item))
  await takeEntries(keeper, local, items.filter(isEntry))
  const { admitted: decoded, below } = withoutLate(
    batches.sort((a, b) => a.header.fromSeq - b.header.fromSeq),
    log(),
    pruning,
  )
  const { inTime, ahead } = trustStamps ? { inTime: decoded, ahead: [] } : sortByDrift(decoded, nowMs)
  const { refused } = await keeper.ingest(inTime, undefined)
  const rest = shiftedWithinDrift(ahead, nowMs, log())
  const later = rest.admitted.length > 0 ? await keeper.ingest(rest.admitted, undefined) : undefined
  return [...below, ...refused, ...(later?.refused ?? []), ...rest.refused]
}

/** PRUNE2: without what the server would call below a base. */
const withoutLate = (
  batches: readonly Batch[],
  log: OpLog,
  pruning: PruningSync | undefined,
): { readonly admitted: Batch[]; readonly below: RefusedBranch[] } => {
  const certificates = new Map<DeviceId, Uint8Array>()
  const late = new Set<DeviceId>()
  const admitted = batches.filter(({ header }) => {
    const { device, certificate } = header
    if (pruning === undefined || log.holder(header) !== undefined) return true
    if (certificate !== undefined) certificates.set(device, certificate)
    const own = certificates.get(device)
    const author = own === undefined ? log.installationOf(device) : certifiedInstallation(own)
    // Of whom nothing is known here it is a gap anyway.
    if (author === undefined || pruning.mayCome(author)) return true
    late.add(device)
    return false
  })
  return { admitted, below: [...late].map((device) => ({ branch: device, device, code: 'BELOW_BASE', details: {} })) }
}

const takeEntries = async (
  keeper: Keeper,
  local: LocalMembers | undefined,
  entries: readonly Uint8Array[],
): Promise<void> => {
  // Who opened the space without members cannot judge them, and needs them as little as it shows what names them.
  if (local === undefined) return
  const { membership } = local
  const ordered = entries.map((bytes) => ({ bytes, position: readEntry(bytes).entry.position }))
  const records = []
  try {
    for (const { bytes, position } of ordered.sort((a, b) => a.position - b.position)) {
      const [known] = membership.entriesAfter(position - 1, 1)
      if (known === undefined) records.push(...local.take([bytes]))
      else if (!equalBytes(known, bytes)) throw new DriftlogError('MEMBERS_FORKED')
    }
  } finally {
    if (records.length > 0) await keeper.membersGrew(records)
  }
}
