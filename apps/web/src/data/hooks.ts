import { createReplicaHooks } from '@driftlog/react'
import type { AppSchema } from './schema.ts'

export const { ReplicaProvider, useCandidates, useConflicts, useQuery, useReplica, useStatus, useUndo } =
  createReplicaHooks<AppSchema>()
