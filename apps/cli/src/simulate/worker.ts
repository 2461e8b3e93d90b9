/** A process that runs schedules, a chunk at a time, for `jobs.ts`. */
import process from 'node:process'
import { type OptionOverrides, runSchedules, type Tally, type Violation } from '@driftlog/testkit/simulator'

/** Seeds `[from, from + count)`. */
export interface Chunk {
  readonly from: number
  readonly count: number
  readonly options: OptionOverrides
  /** Each so many one is run twice and compared. */
  readonly repeatEvery: number
}

export interface FailedSeed {
  readonly seed: number
  readonly violations: readonly Violation[]
}

export type ChunkAnswer =
  | {
      readonly kind: 'done'
      readonly schedules: number
      readonly mutations: number
      readonly tally: Tally
      readonly failures: readonly FailedSeed[]
    }
  /** The simulator itself failed. */
  | { readonly kind: 'broken'; readonly message: string }

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
