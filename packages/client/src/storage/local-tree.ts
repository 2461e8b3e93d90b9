import type { DeviceId, LocalTree, OpLog } from '@driftlog/core'

/** What is durable here, as a session asks for it: all that the log holds but what of `own` is above `storedSeq`. */
export const localTree = (log: OpLog, own: DeviceId, storedSeq: number): LocalTree => {
  const lastOf = (name: DeviceId): number => (name === own ? storedSeq : Number.MAX_SAFE_INTEGER)
  const isHeld = (name: DeviceId): boolean => name !== own || storedSeq > 0
  return {
    *devices() {
      for (const device of log.devices()) if (isHeld(device)) yield device
    },
    branchesOf: (device) => log.branchesOf(device).filter(isHeld),
    branch: (name) => {
      const branch = isHeld(name) ? log.branch(name) : undefined
      return branch && { ...branch, seq: Math.min(branch.seq, lastOf(name)) }
    },
    tagAt: (name, seq) => (seq > lastOf(name) ? undefined : log.tagAt(name, seq)),
    runAfter: (name, base) => (base >= lastOf(name) ? undefined : log.runAfter(name, base)),
    batchEnds: (name, above, upTo) => log.runEnds(name, above, Math.min(upTo, lastOf(name))),
  }
}
