/** Runs schedules: one, many, or one again with everything told. */
import process from 'node:process'
import { cryptoReady } from '@driftlog/core'
import { useSubstituteSigner } from '@driftlog/core/signer'
import { cheapSigner } from './cheap-signer.ts'
import { allCheckers } from './checkers/all.ts'
import type { CheckerFactory } from './checkers/checker.ts'
import { addTally, type Tally } from './faults.ts'
import { collect, runFaults, runHealing } from './heal.ts'
import { Kernel } from './kernel.ts'
import { type OptionOverrides, optionsOf, type SimulatorOptions } from './options.ts'
import { type Act, planOf } from './plan.ts'
import type { Seams } from './seams.ts'
import { START_MS } from './time.ts'
import { World } from './world.ts'

export interface Violation {
  /** The checker that found it. */
  readonly checker: string
  readonly message: string
  readonly atMs: number
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
  await cryptoReady()
  const options = optionsOf(seed, overrides.options)
  const plan = planOf(options).filter(overrides.keep ?? (() => true))
  const violations: Violation[] = []
  const checkers = (overrides.checkers ?? allCheckers).map((create) => {
    const checker = create((message) => {
      violations.push({ checker: checker.name, message, atMs: kernel.time.nowMs - START_MS })
    }, options)
    return checker
  })
  const listening = checkers.flatMap((checker) => checker.onEvent?.bind(checker) ?? [])
  const kernel = new Kernel(options, {
    onEvent: (event) => {
      for (const onEvent of listening) onEvent(event)
    },
    onLine: overrides.onLine,
  })
  // Refusals are thrown by the thousand, and nobody reads where from but in a replay.
  const { stackTraceLimit } = Error
  if (overrides.onLine === undefined) Error.stackTraceLimit = 0
  const restoreSigner = options.realCrypto ? undefined : useSubstituteSigner(cheapSigner)
  const stopListening = onUnhandled((error) => kernel.failed('an unhandled rejection', error))
  try {
    const world = new World(kernel, overrides.seams ?? {})
    await world.install()
    await runFaults(world, plan)
    const evidence = await collect(world, await runHealing(world))
    for (const checker of checkers) await checker.atHealed?.(evidence)
    world.end()
    return {
      ok: violations.length === 0,
      violations,
      traceHash: kernel.trace.hash,
      options,
      tally: kernel.tally,
      mutations: world.ledger.length,
      steps: kernel.time.steps,
      virtualMs: kernel.time.nowMs - START_MS,
    }
  } finally {
    stopListening()
    restoreSigner?.()
    Error.stackTraceLimit = stackTraceLimit
  }
}

const onUnhandled = (heard: (error: unknown) => void): (() => void) => {
  process.on('unhandledRejection', heard)
  return () => process.off('unhandledRejection', heard)
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
    const first = await runSchedule(seed, request)
    const isRepeated = (request.repeatEvery ?? 0) > 0 && schedules % request.repeatEvery! === 0
    const result = isRepeated ? compared(first, await runSchedule(seed, request)) : first
    schedules++
    mutations += result.mutations
    addTally(tally, result.tally)
    if (!result.ok) failures.push(result)
    if (request.onResult?.(result) === false) break
  }
  return { schedules, mutations, tally, failures }
}

/** Faults 12: the same seed, the same trace. */
const compared = (first: ScheduleResult, second: ScheduleResult): ScheduleResult => {
  if (first.traceHash === second.traceHash) return first
  const message = `two runs of one seed, two traces: ${first.traceHash} and ${second.traceHash}`
  const violation = { checker: 'determinism', message, atMs: first.virtualMs }
  return { ...first, ok: false, violations: [...first.violations, violation] }
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
