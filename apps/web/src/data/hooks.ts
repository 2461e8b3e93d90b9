import { createReplicaHooks } from '@driftlog/react'
import type { AppSchema } from './schema.ts'

export const { ReplicaProvider, useCandidates, useQuery, useReplica, useStatus } = createReplicaHooks<AppSchema>()
