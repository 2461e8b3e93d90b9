/**
 * The names that branches have by what can be read of a space (SPEC BR1, LOG5). A store names branches by all that it holds;
 * where damage hides the whole of one side of a fork, the other side goes on under the name of what is before it, as it is
 * called wherever the hidden side never came.
 *
 *     store     ●──●──┬──A──A    all of A is hidden     visible    ●──●──B──B    one branch: the name of the stem
 *                     └──B──B
 */
import type { DeviceId } from '../clock/dot.ts'

/** Where a branch begins that can be read. */
export interface Beginning {
  readonly device: DeviceId
  /** The end that it goes on from; undefined for a device's first op. */
  readonly before: string | undefined
  /** The last seq before it. */
  readonly base: number
  /** Its floor is told by its name: it keeps that. */
  readonly isPruned: boolean
}

/**
 * The store's name → the visible one, where they differ, parents first. `beginnings`: of all branches that can be read or were
 * pruned; `ends`: what each of them ends in.
 */
export const visibleNames = (
  beginnings: ReadonlyMap<DeviceId, Beginning>,
  ends: ReadonlyMap<string, DeviceId>,
): ReadonlyMap<DeviceId, DeviceId> => {
  const siblings = new Map<string, number>()
  const placeOf = ({ device, before }: Beginning): string => before ?? device
  for (const beginning of beginnings.values()) {
    siblings.set(placeOf(beginning), (siblings.get(placeOf(beginning)) ?? 0) + 1)
  }
  const names = new Map<DeviceId, DeviceId>()
  for (const [branch, beginning] of [...beginnings].sort(([, a], [, b]) => a.base - b.base)) {
    const { device, before, isPruned } = beginning
    if (branch === device || isPruned || siblings.get(placeOf(beginning)) !== 1) continue
    // In a store a branch goes on from where another ends.
    const stem = before === undefined ? device : ends.get(before)
    if (stem !== undefined) names.set(branch, names.get(stem) ?? stem)
  }
  return names
}
