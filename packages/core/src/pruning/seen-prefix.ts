import { lastUpTo } from '../base/fold-base.ts'
import type { DeviceId } from '../clock/dot.ts'
import type { Hlc } from '../clock/hlc.ts'
import type { Projector } from '../projection/projector.ts'

/** CUT1: whether an op, projected, is above a cut and had seen all that is projected up to there. What follows it in its branch has, too. */
export const hasSeenPrefix = ({ ops }: Pick<Projector, 'ops'>, branch: DeviceId, seq: number, cut: Hlc): boolean => {
  const indices = Array.from({ length: ops.deviceCount }, (_, index) => index)
  const seen = ops.seenOf(ops.refOf({ device: branch, seq }), indices)
  return indices.every((index) => {
    const last = lastUpTo(ops, index, cut)
    // What is below a base whoever came after it has seen; at the beginning of a branch there is nothing of its own.
    return last <= ops.saved[index].below || last <= (seen.get(ops.deviceId(index)) ?? 0)
  })
}
