/** Spreads schedules over processes, a few seeds at a time, and adds up what they say. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { addTally, type OptionOverrides, type Tally } from '@driftlog/testkit/simulator'
import { CliError } from '../errors.ts'
import type { Chunk, ChunkAnswer, FailedSeed } from './worker.ts'

export interface JobsRequest {
  readonly from: number
  readonly count: number
  readonly options: OptionOverrides
  readonly jobs: number
  /** After each chunk. */
  readonly onProgress: (schedules: number, failures: number) => void
}

export interface JobsResult {
  readonly schedules: number
  readonly mutations: number
  readonly tally: Tally
  /** By seed. */
  readonly failures: readonly FailedSeed[]
  readonly seconds: number
}

/** Small, so that all processes end together. */
const CHUNK = 10

export const runJobs = async ({ from, count, options, jobs, onProgress }: JobsRequest): Promise<JobsResult> => {
  const tally: Tally = {}
  const failures: FailedSeed[] = []
  const total = { schedules: 0, mutations: 0 }
  const started = performance.now()
  let next = from
  const work = async (): Promise<void> => {
    const child = startWorker()
    try {
      for (let first = next; first < from + count; first = next) {
        next = Math.min(first + CHUNK, from + count)
        const answer = await ask(child, { from: first, count: next - first, options, repeatEvery: CHUNK })
        if (answer.kind === 'broken') throw new CliError('SIMULATION_BROKEN', answer.message)
        total.schedules += answer.schedules
        total.mutations += answer.mutations
        addTally(tally, answer.tally)
        failures.push(...answer.failures)
        onProgress(answer.schedules, failures.length)
      }
    } finally {
      child.kill()
    }
  }
  await Promise.all(Array.from({ length: Math.min(jobs, Math.ceil(count / CHUNK)) }, work))
  const seconds = (performance.now() - started) / 1_000
  return { ...total, tally, failures: failures.toSorted((a, b) => a.seed - b.seed), seconds }
}

// Beside this file, in the sources and in what is built of them.
const startWorker = (): ChildProcess =>
  fork(fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)))

const ask = (child: ChildProcess, chunk: Chunk): Promise<ChunkAnswer> =>
  new Promise((resolve, reject) => {
    const forget = (): void => {
      child.off('message', heard)
      child.off('exit', ended)
    }
    const heard = (answer: unknown): void => {
      forget()
      resolve(answer as ChunkAnswer)
    }
    const ended = (code: number | null): void => {
      forget()
      reject(new CliError('SIMULATION_BROKEN', `a process ended with ${String(code)}; was memory short?`))
    }
    child.once('message', heard)
    child.once('exit', ended)
    child.send(chunk)
  })
