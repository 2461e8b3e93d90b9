/** W6, the server alone: sealed batches in, confirmations out; beside it the same batches straight into its store. */
import { rateSamples, startWatch } from '../harness/measure.ts'
import type { Sample } from '../harness/rows.ts'
import { need } from '../subjects/facts.ts'
import type { Workload, WorkloadContext } from './workload.ts'

const DEVICES = 8
/** The two are measured in turn: a disk swings tenfold. */
const ROUNDS = 5

const feedServer = async (
  { subject, size, folder }: WorkloadContext,
  opsADevice: number,
  opsABatch: number,
): Promise<readonly Sample[]> => {
  const ops = Math.max(1, Math.round(size(opsADevice) / ROUNDS))
  const feed = await need(subject, 'openFeed')(folder, { devices: DEVICES, rounds: ROUNDS, ops, opsABatch })
  const spent = { wallMs: 0, cpuMs: 0 }
  let rawMs = 0
  for (let round = 0; round < ROUNDS; round++) {
    const raw = startWatch()
    await feed.append(round)
    rawMs += raw().wallMs
    const watch = startWatch()
    await feed.push(round)
    const { wallMs, cpuMs } = watch()
    spent.wallMs += wallMs
    spent.cpuMs += cpuMs
  }
  await feed.close()
  const all = DEVICES * ROUNDS * ops
  return [...rateSamples(all, spent), { floor: 'store', metric: 'per_s', value: (all / rawMs) * 1000 }]
}

const alone = (name: string, opsADevice: number, opsABatch: number): Workload => ({
  name,
  family: 'server',
  needs: 'openFeed',
  measures: `${(DEVICES * opsADevice).toLocaleString('en-US')} ops of ${DEVICES} devices, sealed beforehand in batches of ${opsABatch.toLocaleString('en-US')}, from a connection each until the server has confirmed all; beside it the same batches appended to its kind of store without a server`,
  run: (context) => feedServer(context, opsADevice, opsABatch),
})

export const aloneWorkloads: readonly Workload[] = [
  alone('W6-alone-10', 5_000, 10),
  alone('W6-alone-1000', 25_000, 1_000),
]
