import type { Family, Sample } from '../harness/rows.ts'
import type { Ability, Facts, Subject } from '../subjects/subject.ts'

export interface WorkloadContext {
  readonly subject: Subject
  readonly facts: Facts
  readonly folder: string
  /** A size of the report at the present scale, at least 1. */
  readonly size: (full: number) => number
}

export interface Workload {
  readonly name: string
  readonly family: Family
  /** A subject without it has no cell here. */
  readonly needs: Ability
  /** What is done and what the clock covers, for the report. */
  readonly measures: string
  /** Ops that its bytes hold, at full size. */
  readonly ops?: number
  prepare?(context: WorkloadContext): Promise<void>
  /** The workload whose files it starts from, where they are not its own: they are made once for both. */
  readonly startsAs?: string
  run(context: WorkloadContext): Promise<readonly Sample[]>
}
