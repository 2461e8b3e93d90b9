/** Runs every cell in fresh processes, one at a time, and sums up. Files lie in a temporary folder that goes with the run. */
import { fork } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { subjects } from '../subjects/catalogue.ts'
import { noteOf } from '../subjects/facts.ts'
import type { Workload } from '../workloads/workload.ts'
import type { Answer, Job } from './job.ts'
import { type Row, type Sample, summarize } from './rows.ts'

const CELL = fileURLToPath(new URL('./cell.ts', import.meta.url))
const CELL_LIMIT_MS = 300_000

export interface Plan {
  readonly workloads: readonly Workload[]
  readonly subjects: readonly string[]
  readonly runs: number
  readonly scale: number
  /** Flags of Node for the processes of the cells, beside those of this one. */
  readonly nodeFlags?: readonly string[]
  /** A folder for CPU profiles of what is timed. */
  readonly profile?: string
  progress(line: string): void
}

export interface Outcome {
  readonly rows: readonly Row[]
  /** Cells that failed, and why. */
  readonly failures: readonly string[]
  /** Cells that a subject cannot have, and why. */
  readonly leftOut: readonly LeftOut[]
}

export interface LeftOut {
  readonly workload: string
  readonly subject: string
  readonly reason: string
}

/** How slow some peers are is a finding, and no reason to do without the others' figures. */
class TooSlow extends Error {}

const perform = (job: Job, flags: readonly string[]): Promise<readonly Sample[]> =>
  new Promise((resolve, reject) => {
    const child = fork(CELL, { execArgv: [...process.execArgv, ...flags] })
    const limit = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new TooSlow(`A run of it was not done within ${CELL_LIMIT_MS / 1000} s.`))
    }, CELL_LIMIT_MS)
    child.once('message', (answer: Answer) => {
      if ('samples' in answer) resolve(answer.samples)
      else reject(new Error(answer.error))
    })
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      clearTimeout(limit)
      reject(new Error(`ended without an answer (${signal ?? code})`))
    })
    child.send(job)
  })

const profileOf = ({ profile: folder }: Plan, { workload, subject }: Pick<Job, 'workload' | 'subject'>, run: number) =>
  folder === undefined ? undefined : { folder, name: `${workload}-${subject}-${run + 1}` }

const runCell = async (plan: Plan, workload: Workload, subject: string, folder: string): Promise<Row[]> => {
  const job = { workload: workload.name, subject, scale: plan.scale }
  const flags = plan.nodeFlags ?? []
  const prepared = join(folder, 'prepared')
  await mkdir(prepared, { recursive: true })
  if (workload.prepare !== undefined) await perform({ ...job, step: 'prepare', folder: prepared }, flags)
  const runs: (readonly Sample[])[] = []
  for (let run = 0; run < plan.runs; run++) {
    const own = join(folder, `run-${run}`)
    await cp(prepared, own, { recursive: true })
    runs.push(await perform({ ...job, step: 'run', folder: own, profile: profileOf(plan, job, run) }, flags))
    await rm(own, { recursive: true })
  }
  const note = noteOf(subjects[subject].facts, workload.name)
  return summarize({ family: workload.family, workload: workload.name, subject, note }, runs)
}

export const runCells = async (plan: Plan): Promise<Outcome> => {
  const rows: Row[] = []
  const failures: string[] = []
  const leftOut: LeftOut[] = []
  const folder = await mkdtemp(join(tmpdir(), 'driftlog-bench-'))
  try {
    for (const workload of plan.workloads) {
      for (const subject of plan.subjects) {
        const reason = subjects[subject].facts.lacks[workload.needs]
        if (reason !== undefined) {
          leftOut.push({ workload: workload.name, subject, reason })
          continue
        }
        plan.progress(`${workload.name} ${subject}`)
        try {
          rows.push(...(await runCell(plan, workload, subject, join(folder, `${workload.name}-${subject}`))))
        } catch (error) {
          if (error instanceof TooSlow) leftOut.push({ workload: workload.name, subject, reason: error.message })
          else failures.push(`${workload.name} ${subject}: ${error instanceof Error ? error.message : String(error)}`)
        }
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return { rows, failures, leftOut }
}
