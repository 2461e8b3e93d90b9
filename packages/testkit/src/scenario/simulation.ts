/** What a simulation of an app takes, and what comes of it. */
import type { Tx } from '@driftlog/client'
import type { InferRow, Schema } from '@driftlog/core'
import type { AppRandom } from './app-random.ts'
import type { SimulatedFault } from './faults.ts'
import type { Invariant, Violation } from './judge.ts'
import type { RowsHere } from './recorder.ts'
import type { Report, RowReport } from './report.ts'

/**
 * One of the app's mutations, with data made up by `random`. `rows` are the live rows of a table as the device sees them.
 * One that has nothing to do returns without doing anything; one that throws fails the simulation.
 */
export type AppMutation<S extends Schema> = (tx: Tx<S>, random: AppRandom, rows: RowsHere<S>) => unknown

export interface SimulateOptions<S extends Schema> {
  readonly schema: S
  /** By name. The heavier the weight (default 1), the more often it is made. */
  readonly mutations: Readonly<
    Record<string, AppMutation<S> | { readonly weight: number; readonly run: AppMutation<S> }>
  >
  /** Their names, or how many. */
  readonly devices: readonly string[] | number
  /** Any whole number: everything follows from it. */
  readonly seed: number
  /** Mutations that are asked for, spread over ten minutes of virtual time. Default 200. */
  readonly steps?: number
  /** How many faults, or which and how often against each other. Default: one for each five steps, of about half the kinds. */
  readonly faults?: number | { readonly [K in SimulatedFault]?: number }
  /** What every device starts with. */
  readonly setup?: (tx: Tx<S>) => unknown
  /** What the app promises of the rows that are left, by name. */
  readonly invariants?: Readonly<Record<string, Invariant<S>>>
  /** false: resolves with `ok: false` where it would reject. Default true. */
  readonly throws?: boolean
  /** Hears everything that happens, a line each. */
  readonly onLine?: (line: string) => void
}

export interface Simulation<S extends Schema> {
  readonly ok: boolean
  readonly seed: number
  readonly violations: readonly Violation[]
  /** Why it failed, and how to see that again; empty where it did not. */
  readonly message: string
  /** Who wrote what and who won, of every row. */
  readonly report: Report
  /** Rows about which devices disagreed to the end. */
  readonly conflicts: readonly RowReport[]
  /** The rows of a table that all devices show in the end, by id. */
  rows<K extends keyof S['tables'] & string>(table: K): readonly InferRow<S['tables'][K]>[]
  /** Of the state of the first device; equal on all where it is ok. */
  readonly digest: string
  /** Equal for equal simulations: everything that happened is in it. */
  readonly traceHash: string
  /** How often each mutation was made. */
  readonly mutations: Readonly<Record<string, number>>
  /** How often each fault took effect. */
  readonly faults: Readonly<Record<string, number>>
  /** What happened, a line each: the mutations and the faults. */
  readonly story: readonly string[]
}

export class SimulationFailed extends Error {
  override readonly name = 'SimulationFailed'
  readonly simulation: Simulation<Schema>

  constructor(message: string, simulation: unknown) {
    super(message)
    this.simulation = simulation as Simulation<Schema>
  }
}

const SHOWN = 10

export const messageOf = (seed: number, violations: readonly Violation[], story: readonly string[]): string =>
  [
    `the simulation with seed ${seed} failed:`,
    ...violations.slice(0, SHOWN).map(({ invariant, device, message }) => {
      return `  ${invariant}${device === undefined ? '' : `, on ${device}`}: ${message}`
    }),
    ...(violations.length > SHOWN ? [`  and ${violations.length - SHOWN} more`] : []),
    `To see it again: simulate({ …the same, seed: ${seed}, onLine: console.log })`,
    `It took ${story.length} events, the last of them:`,
    ...story.slice(-SHOWN).map((line) => `  ${line}`),
  ].join('\n')
