/** Spreads the devices of a replay over threads. */
import { Worker } from 'node:worker_threads'
import { isErrorCode } from '@driftlog/core'
import { CliError } from '../errors.ts'
import { Board, type BoardMemory } from './board.ts'
import { type FleetJob, type FleetOutcome, runFleet } from './fleet.ts'
import type { WorkerAnswer, WorkerJob } from './worker.ts'

/** One thread is this one; more are worker threads. Rejects with the first failure, once all have ended. */
export const runThreads = async (
  job: Omit<FleetJob, 'thread'>,
  memory: BoardMemory,
): Promise<readonly FleetOutcome[]> => {
  const board = new Board(memory)
  if (job.threads === 1) return [await runFleet({ ...job, thread: 0 }, board)]
  const threads = Array.from({ length: job.threads }, (_, thread) =>
    runWorker({ job: { ...job, thread }, board: memory }),
  )
  const settled = await Promise.allSettled(
    threads.map((thread) =>
      thread.catch((error: unknown) => {
        // The others must not wait for this one.
        board.stop()
        throw error
      }),
    ),
  )
  const failed = settled.find((each) => each.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return settled.map((each) => (each as PromiseFulfilledResult<FleetOutcome>).value)
}

const runWorker = (workerData: WorkerJob): Promise<FleetOutcome> =>
  new Promise((resolve, reject) => {
    // Beside this file, in the sources and in what is built of them.
    const file = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)
    const worker = new Worker(file, { workerData })
    worker.once('message', (answer: WorkerAnswer) => {
      if ('outcome' in answer) resolve(answer.outcome)
      else reject(errorOf(answer.failure))
    })
    worker.once('error', reject)
    worker.once('exit', (code) =>
      reject(new CliError('REPLAY_FAILED', `a thread ended with ${code}; was memory short?`)),
    )
  })

const errorOf = ({ code, message }: { readonly code: string; readonly message: string }): Error =>
  new CliError(isErrorCode(code) ? code : 'REPLAY_FAILED', message)
