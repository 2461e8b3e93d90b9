import type { Conflict } from '@driftlog/core'
import { createReplicaHooks } from '@driftlog/react'
import { useMemo, useSyncExternalStore } from 'react'
import type { AppSchema } from './schema.ts'

export const { ReplicaProvider, useCandidates, useQuery, useReplica, useStatus } = createReplicaHooks<AppSchema>()

/** What is concurrent now. A conflict that did not change is the same object as before. */
export const useConflicts = (): readonly Conflict[] => {
  const replica = useReplica()
  const conflicts = useMemo(
    () => ({
      subscribe(onChange: () => void) {
        const subscription = replica.conflicts$.subscribe(onChange)
        return () => subscription.unsubscribe()
      },
      read: () => replica.conflicts,
    }),
    [replica],
  )
  return useSyncExternalStore(conflicts.subscribe, conflicts.read)
}
