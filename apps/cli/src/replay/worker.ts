/** A thread of a replay. Gets its job as `workerData` and answers with one message; a failure ends it with exit code 1. */
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { failureOf } from '../errors.ts'
import { Board, type BoardMemory } from './board.ts'
import { type FleetJob, type FleetOutcome, runFleet } from './fleet.ts'

export interface WorkerJob {
  readonly job: FleetJob
  readonly board: BoardMemory
}

export type WorkerAnswer =
  | { readonly outcome: FleetOutcome }
  | { readonly failure: { readonly code: string; readonly message: string; readonly stack: string | undefined } }

const main = async ({ job, board: memory }: WorkerJob): Promise<WorkerAnswer> => {
  const board = new Board(memory)
  try {
    return { outcome: await runFleet(job, board) }
  } catch (error) {
    board.stop()
    return { failure: { ...failureOf(error), stack: error instanceof Error ? error.stack : undefined } }
  }
}

if (!isMainThread && parentPort !== null) {
  // Listening keeps the thread alive while all that it waits for are other threads.
  parentPort.on('message', () => {})
  parentPort.postMessage(await main(workerData as WorkerJob))
  parentPort.close()
}
