/** One after the other, of all windows and processes that share a store: for what reads a record and writes it anew. */
import { type BatchStore, systemPorts } from '@driftlog/core'

const LOOK_AGAIN_MS = 20

/** `space`: one that no replica is opened of. Its first writing slot is whoever's turn it is, and free again where that one dies. */
export const inTurn = async <T>(store: BatchStore, space: string, change: () => Promise<T>): Promise<T> => {
  for (;;) {
    const { slot, release } = await store.claimSlot(space)
    try {
      if (slot === 0) return await change()
    } finally {
      await release()
    }
    await new Promise<void>((resolve) => systemPorts.timers.schedule(LOOK_AGAIN_MS, resolve))
  }
}
