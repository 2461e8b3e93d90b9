import { growthWorkloads } from './growth.ts'
import { mutationWorkloads } from './w1-mutations.ts'
import { bulkWorkload } from './w2-bulk.ts'
import { mergeWorkload } from './w3-merge.ts'
import { coldStartWorkload } from './w4-cold-start.ts'
import { catchUpWorkloads } from './w5-catch-up.ts'
import { aloneWorkloads } from './w6-alone.ts'
import { serverWorkloads } from './w6-server.ts'
import type { Workload } from './workload.ts'

/** In the order of the report. */
export const workloads: readonly Workload[] = [
  ...mutationWorkloads,
  bulkWorkload,
  mergeWorkload,
  coldStartWorkload,
  ...catchUpWorkloads,
  ...serverWorkloads,
  ...aloneWorkloads,
  ...growthWorkloads,
]
