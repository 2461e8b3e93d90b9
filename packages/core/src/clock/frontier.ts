/**
 * The causal heads of a set of projected ops: those that no other op of the set had seen. One entry a device at most.
 * It changes by one op at a time, in causal order.
 */
import type { DeviceId, Dot } from '../clock/dot.ts'

export type Frontier = Map<DeviceId, number>

/**
 * Takes in op (`device`, `seq`) with the heads that it names. Only its named heads and its predecessor can leave the
 * frontier: whatever else it saw had been seen by one of these, and so was no head any more.
 */
export const advanceFrontier = (frontier: Frontier, device: DeviceId, seq: number, heads: readonly Dot[]): void => {
  for (const head of heads) if (frontier.get(head.device) === head.seq) frontier.delete(head.device)
  frontier.set(device, seq)
}
