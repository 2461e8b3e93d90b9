import { decodeTips, type DeviceId, type LocalTree, placeTips } from '@driftlog/core'

/**
 * What a replica with these tips is shown to hold of what is held here, by branch. Nobody is there to be asked where
 * histories part, so of a device whose end was not found nothing but what leads to other ends counts (SYNC21). Throws
 * MALFORMED.
 */
export const heldBy = (tips: Uint8Array, tree: LocalTree): Map<DeviceId, number> => {
  const { vector } = placeTips(decodeTips(tips), tree, new Set(tree.devices()))
  // A name that is not known here may be known in a moment, with another end.
  return new Map([...vector].filter(([name]) => tree.branch(name) !== undefined))
}
