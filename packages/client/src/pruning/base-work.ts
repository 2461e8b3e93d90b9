/** Making a base of what is stored here, and what follows from one for a store. */
import {
  type Base,
  type BaseDifference,
  type BaseOutline,
  compareBases,
  decodeBase,
  type DeviceId,
  DriftlogError,
  equalBytes,
  foldBase,
  type FoldedBase,
  type Floor,
  type Hlc,
  type Keyring,
  openBase,
  type OpLog,
  type PlantedFloor,
  type PrunePoint,
  type StoredBatch,
  type VersionVector,
} from '@driftlog/core'

interface Held {
  readonly stored: readonly StoredBatch[]
  readonly floors: ReadonlyMap<DeviceId, Floor>
}

type LogMembers = NonNullable<OpLog['members']>

/** Rejects with OPTION_INVALID where not all of the vector is held here, under the names that it has. */
export const foldHeld = (
  log: OpLog,
  { stored }: Held,
  { cut, vector, base }: { readonly cut: Hlc; readonly vector: VersionVector; readonly base: Uint8Array | undefined },
): FoldedBase =>
  foldBase({
    keyring: log.keyring,
    ...(log.members !== undefined && { members: log.members }),
    cut,
    vector,
    ...(base !== undefined && { base }),
    batches: stored,
  })

/** The last end of a run of each branch that is below a base whole. */
const wholeRuns = ({ branches }: Base): Map<DeviceId, number> =>
  new Map(branches.map(({ id, base, runs }) => [id, runs.at(-1)?.toSeq ?? base]))

/** Up to where the store can be pruned: of each branch the last batch that is below the base whole, or where it was pruned before. */
export const pointsOfBase = (bytes: Uint8Array, { stored, floors }: Held): PrunePoint[] => {
  const whole = wholeRuns(decodeBase(bytes))
  const points = new Map<DeviceId, PrunePoint>()
  for (const [branch, { seq, tag }] of floors) points.set(branch, { branch, seq, tag })
  for (const { branch, batch } of stored) {
    const { toSeq: seq, tagAfter: tag } = batch.header
    if (seq <= (whole.get(branch) ?? 0) && seq > (points.get(branch)?.seq ?? 0))
      points.set(branch, { branch, seq, tag })
  }
  return [...points.values()].sort((a, b) => (a.branch < b.branch ? -1 : 1))
}

/** Whether nothing but what a base has is pruned at its points, as far as is known here. */
export const arePointsRight = (bytes: Uint8Array, points: readonly PrunePoint[], log: OpLog): boolean => {
  const whole = wholeRuns(decodeBase(bytes))
  return points.every(({ branch, seq, tag }) => {
    const known = log.tagAt(branch, seq)
    return seq <= (whole.get(branch) ?? 0) && (known === undefined || equalBytes(known, tag))
  })
}

/** Where the store of a device that has nothing but a base goes on. Throws MALFORMED where the points are not those of the base. */
export const floorsOfBase = (
  bytes: Uint8Array,
  { digest, points }: BaseOutline,
  keyring: Keyring,
  members: LogMembers | undefined,
): PlantedFloor[] => {
  const { log, base } = openBase(bytes, keyring, { digest, ...(members !== undefined && { members }) })
  const whole = wholeRuns(base)
  const branches = new Map(log.saved.branches.map((branch) => [branch.id, branch]))
  return points.map(({ branch: id, seq, tag }) => {
    const branch = branches.get(id)
    if (branch === undefined || seq > (whole.get(id) ?? 0) || seq <= branch.base) {
      throw new DriftlogError('MALFORMED', 'a point that is not below the base', { branch: id, seq })
    }
    const { device, base: from, baseTag, certificate } = branch
    return { branch: id, device, base: from, baseTag, seq, tag, certificate }
  })
}

/** What of two bases of one cut differs first, for a person. */
export const difference = (own: Uint8Array, other: Uint8Array): string => {
  const found: BaseDifference | undefined = compareBases(decodeBase(own), decodeBase(other))
  if (found === undefined) return 'where they are pruned'
  const { part, table, row, column } = found
  if (part !== 'cells') return `the ${part}`
  return [`table ${table}`, row && `row ${row}`, column && `field ${column.path.join('.')}`].filter(Boolean).join(', ')
}
