/** Runs schedules: one, many, or one again with everything told. */
import type { Transport } from '@driftlog/client'
import type { BatchStore, Ports } from '@driftlog/core'
import type { CheckerFactory } from './checkers/checker.ts'
import { addTally, type Tally } from './faults.ts'
import { type OptionOverrides, optionsOf, type SimulatorOptions } from './options.ts'
import { type Act, planOf } from './plan.ts'

export interface Violation {
  /** The checker that found it. */
  readonly checker: string
  readonly message: string
  readonly atMs: number
}

/** Wrappers around what the product is given, for planted bugs. `machine` undefined: the server. */
export interface Seams {
  readonly store?: (store: BatchStore, machine: number | undefined) => BatchStore
  readonly transport?: (transport: Transport, machine: number) => Transport
  readonly ports?: (ports: Ports, machine: number | undefined) => Ports
}

export interface RunOverrides {
  readonly options?: OptionOverrides
  /** Takes acts out of the plan: what shrinking does. */
  readonly keep?: (act: Act) => boolean
  /** Instead of all. */
  readonly checkers?: readonly CheckerFactory[]
  readonly seams?: Seams
  /** Hears every line of the trace. */
  readonly onLine?: (line: string) => void
}

export interface ScheduleResult {
  readonly ok: boolean
  readonly violations: readonly Violation[]
  /** Equal for equal schedules: everything that happened is in it. */
  readonly traceHash: string
  readonly options: SimulatorOptions
  readonly tally: Tally
  /** Mutations that were made. */
  readonly mutations: number
  /** Events of the virtual time. */
  readonly steps: number
  readonly virtualMs: number
}

export const runSchedule = async (seed: number, overrides: RunOverrides = {}): Promise<ScheduleResult> => {
  const options = optionsOf(seed, overrides.options)
  const plan = planOf(options).filter(overrides.keep ?? (() => true))
  return {
    ok: true,
    violations: [],
    traceHash: '',
    options,
    tally: {},
    mutations: 0,
    steps: plan.length,
    virtualMs: 0,
  }
}

export interface SchedulesRequest extends RunOverrides {
  /** Seeds `[from, from + count)`. */
  readonly from: number
  readonly count: number
  /** Each so many schedules one is run twice and its hashes compared; 0: never. Default 0. */
  readonly repeatEvery?: number
  /** After each schedule; false ends the run. */
  readonly onResult?: (result: ScheduleResult) => boolean | void
}

export interface SchedulesResult {
  readonly schedules: number
  readonly mutations: number
  readonly tally: Tally
  readonly failures: readonly ScheduleResult[]
}

export const runSchedules = async (request: SchedulesRequest): Promise<SchedulesResult> => {
  const tally: Tally = {}
  const failures: ScheduleResult[] = []
  let schedules = 0
  let mutations = 0
  for (let seed = request.from; seed < request.from + request.count; seed++) {
    const result = await runSchedule(seed, request)
    schedules++
    mutations += result.mutations
    addTally(tally, result.tally)
    if (!result.ok) failures.push(result)
    if (request.onResult?.(result) === false) break
  }
  return { schedules, mutations, tally, failures }
}

/** Runs a schedule with every event told, a line each. */
export const replay = async (
  seed: number,
  overrides: RunOverrides = {},
): Promise<ScheduleResult & { readonly lines: readonly string[] }> => {
  const lines: string[] = []
  const result = await runSchedule(seed, { ...overrides, onLine: (line) => lines.push(line) })
  return { ...result, lines }
}
