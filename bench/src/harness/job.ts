/** What the runner and the process of one cell say to each other. */
import type { Sample } from './rows.ts'

export interface Job {
  readonly workload: string
  readonly subject: string
  /** 1: the sizes of the report; less: that share of them. */
  readonly scale: number
  /** `prepare`: makes, once for all runs, the files that the workload starts from. */
  readonly step: 'prepare' | 'run'
  /** The cell's own folder. A run finds a copy of what `prepare` left in it. */
  readonly folder: string
  /** Where to write CPU profiles of what is timed, and their name. */
  readonly profile?: { readonly folder: string; readonly name: string }
}

export type Answer = { readonly samples: readonly Sample[] } | { readonly error: string }
