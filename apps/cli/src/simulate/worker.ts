/** A process that runs schedules, a chunk at a time, for `jobs.ts`. */
import process from 'node:process'
import { runSchedules } from '@driftlog/testkit/simulator'
import type { Chunk, ChunkAnswer } from './jobs.ts'

const answer = (chunk: ChunkAnswer): void => {
  process.send?.(chunk)
}

const run = async (chunk: Chunk): Promise<void> => {
  const { schedules, mutations, tally, failures } = await runSchedules(chunk)
  const told = failures.map(({ options: { seed }, violations }) => ({ seed, violations }))
  answer({ kind: 'done', schedules, mutations, tally, failures: told })
}

if (process.send !== undefined) {
  process.on('message', (chunk: Chunk) => {
    run(chunk).catch((error: unknown) =>
      answer({ kind: 'broken', message: error instanceof Error ? String(error.stack) : String(error) }),
    )
  })
  process.on('disconnect', () => process.exit(0))
}
