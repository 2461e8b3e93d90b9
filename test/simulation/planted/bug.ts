import type { OptionOverrides } from '@driftlog/testkit/simulator'

/** One rule forgotten in one line: put in place of what the sources say when a process of its own loads them. */
export interface PlantedBug {
  readonly name: string
  /** Of SPEC.md, or the catalogue's number where no rule has one. */
  readonly rule: string
  /** From the root of the repository. */
  readonly file: string
  /** Stands exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** The faults that it takes, and what makes it bite sooner. */
  readonly options?: OptionOverrides
}

/** Short schedules with few devices: a bug that takes long ones says so. */
export const plantedOptions: OptionOverrides = {
  devices: 3,
  // A bug of the laws asks for them.
  laws: 0,
  members: false,
  ops: 60,
  faults: 15,
  faultsMs: 60_000,
  healMs: 10 * 60_000,
}
