/** The process of one cell: does the one job that it gets, answers, and ends. */
import process from 'node:process'
import { subjects } from '../subjects/catalogue.ts'
import { workloads } from '../workloads/catalogue.ts'
import type { Answer, Job } from './job.ts'
import { peakMemory } from './measure.ts'
import { profileInto } from './profile.ts'
import type { Sample } from './rows.ts'

const perform = async (job: Job): Promise<readonly Sample[]> => {
  const workload = workloads.find(({ name }) => name === job.workload)
  const entry = subjects[job.subject]
  if (workload === undefined || entry === undefined) throw new Error(`no ${job.workload} of ${job.subject}`)
  const context = {
    subject: await entry.load(),
    facts: entry.facts,
    folder: job.folder,
    size: (full: number) => Math.max(1, Math.round(full * job.scale)),
  }
  if (job.profile !== undefined) profileInto(job.profile.folder, job.profile.name)
  if (job.step === 'run') {
    const samples = await workload.run(context)
    // A workload that does more than is measured says itself when the peak counts.
    return samples.some(({ metric, floor }) => metric === 'rss_mb' && floor === undefined)
      ? samples
      : [...samples, peakMemory()]
  }
  await workload.prepare?.(context)
  return []
}

const answer = (message: Answer): void => {
  // What the subject left open (timers, sockets) must not keep the process.
  process.send?.(message, () => process.exit(0))
}

process.once('message', (job: Job) => {
  perform(job).then(
    (samples) => answer({ samples }),
    (error: unknown) => answer({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
