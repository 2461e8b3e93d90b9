/** Runs every cell in fresh processes, one at a time, and sums up. Files lie in a temporary folder that goes with the run. */
import { fork } from 'node:child_process'
import { existsSync } from 'node:fs'
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
const CELL_LIMIT_MS = 600_000

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
  /** All rows up to now, after each workload: a run of hours may end early. */
  measured?(rows: readonly Row[]): void
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

/** The cells of one workload. */
interface Cell {
  readonly subject: string
  readonly folder: string
  /** What its runs start from. */
  readonly prepared: string
  readonly runs: (readonly Sample[])[]
  elapsedMs: number
}

const timed = async (cell: Cell, work: () => Promise<void>): Promise<void> => {
  const started = performance.now()
  await work().finally(() => {
    cell.elapsedMs += performance.now() - started
  })
}

const prepareCell = async (plan: Plan, workload: Workload, { subject, prepared }: Cell): Promise<void> => {
  // Made before, for another workload.
  if (existsSync(prepared)) return
  await mkdir(prepared, { recursive: true })
  if (workload.prepare === undefined) return
  const job = { workload: workload.name, subject, scale: plan.scale, step: 'prepare', folder: prepared } as const
  await perform(job, plan.nodeFlags ?? [])
}

const runCell = async (plan: Plan, workload: Workload, { subject, folder, prepared, runs }: Cell): Promise<void> => {
  const job = { workload: workload.name, subject, scale: plan.scale, step: 'run' } as const
  const own = join(folder, `run-${runs.length}`)
  await cp(prepared, own, { recursive: true })
  const profile = profileOf(plan, job, runs.length)
  runs.push(await perform({ ...job, folder: own, profile }, plan.nodeFlags ?? []))
  for (const used of [own, `${own}-copies`]) await rm(used, { recursive: true, force: true })
}

/** Subjects take turns, so that what slows the machine for a while slows all of them. */
const runWorkload = async (plan: Plan, workload: Workload, folder: string): Promise<Outcome> => {
  const failures: string[] = []
  const leftOut: LeftOut[] = []
  const cells = new Map<string, Cell>()
  for (const subject of plan.subjects) {
    const reason = subjects[subject].facts.lacks[workload.needs]
    if (reason !== undefined) leftOut.push({ workload: workload.name, subject, reason })
    else {
      const own = join(folder, `${workload.name}-${subject}`)
      const prepared = join(folder, `${workload.startsAs ?? workload.name}-${subject}-prepared`)
      cells.set(subject, { subject, folder: own, prepared, runs: [], elapsedMs: 0 })
    }
  }
  const attempt = async (cell: Cell, work: () => Promise<void>): Promise<void> => {
    try {
      await timed(cell, work)
    } catch (error) {
      const { subject, prepared } = cell
      cells.delete(subject)
      if (cell.runs.length === 0) await rm(prepared, { recursive: true, force: true })
      if (error instanceof TooSlow) leftOut.push({ workload: workload.name, subject, reason: error.message })
      else failures.push(`${workload.name} ${subject}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  for (const cell of cells.values()) await attempt(cell, () => prepareCell(plan, workload, cell))
  for (let run = 0; run < plan.runs; run++) {
    for (const cell of cells.values()) await attempt(cell, () => runCell(plan, workload, cell))
  }
  const rows: Row[] = []
  for (const { subject, runs, elapsedMs, folder: used } of cells.values()) {
    const note = noteOf(subjects[subject].facts, workload.name)
    rows.push(...summarize({ family: workload.family, workload: workload.name, subject, note }, runs))
    plan.progress(`${workload.name} ${subject}: ${(elapsedMs / 1000).toFixed(0)} s`)
    await rm(used, { recursive: true, force: true })
  }
  return { rows, failures, leftOut }
}

export const runCells = async (plan: Plan): Promise<Outcome> => {
  const rows: Row[] = []
  const failures: string[] = []
  const leftOut: LeftOut[] = []
  const folder = await mkdtemp(join(tmpdir(), 'driftlog-bench-'))
  try {
    for (const workload of plan.workloads) {
      const outcome = await runWorkload(plan, workload, folder)
      rows.push(...outcome.rows)
      failures.push(...outcome.failures)
      leftOut.push(...outcome.leftOut)
      plan.measured?.(rows)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return { rows, failures, leftOut }
}
