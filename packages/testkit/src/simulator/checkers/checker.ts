/**
 * A checker asserts one invariant. It is made anew for each schedule, hears every event, and looks at everything once
 * all is healed. What it finds it reports in a sentence that a reader understands without the checker's code.
 */
import type { Batch, Conflict, StoredBatch, VersionVector } from '@driftlog/core'
import type { SimulatorEvent } from '../events.ts'
import type { Mutation } from '../ledger.ts'
import type { SimulatorOptions } from '../options.ts'
import type { FinalLog } from '../final-log.ts'

/** A replica after healing. */
export interface HealedReplica {
  readonly name: string
  readonly machine: number
  /** Of its schema. */
  readonly version: 1 | 2
  readonly device: string
  readonly held: VersionVector
  readonly projected: VersionVector
  readonly digest: string
  readonly pending: number
  /** Batches that it says are damaged. */
  readonly damaged: number
  readonly error: string | undefined
  /** What is concurrent now, as it tells. */
  conflicts(): readonly Conflict[]
  /** The row that the replica shows, undefined where it is dead. */
  row(table: string, id: string): Readonly<Record<string, unknown>> | undefined
  /** The tasks, through SQL. */
  query(): Promise<readonly Readonly<Record<string, unknown>>[]>
}

/** A store after healing: what can be read of it, in arrival order. */
export interface HealedStore {
  readonly where: number | 'server'
  readonly batches: readonly StoredBatch[]
  /** What lies beside them. */
  readonly records: readonly { readonly key: string; readonly value: Uint8Array }[]
  /** How many more do not read back. */
  readonly damaged: number
}

export interface Evidence {
  readonly options: SimulatorOptions
  readonly mutations: readonly Mutation[]
  readonly replicas: readonly HealedReplica[]
  readonly stores: readonly HealedStore[]
  /** The server's log, opened and projected from scratch. */
  readonly log: FinalLog
  /** Batches that rotted and of which nobody has a sound copy left, those that go on from them, and what both bear. */
  readonly gone: { readonly batches: readonly Batch[]; readonly markers: ReadonlySet<number> }
  /** Virtual milliseconds that healing took; undefined where it did not come to an end. */
  readonly healedInMs: number | undefined
  /** Messages in the quiet minute after healing. */
  readonly quietMessages: number
}

export interface Checker {
  readonly name: string
  onEvent?(event: SimulatorEvent): void
  atHealed?(evidence: Evidence): void | Promise<void>
}

export type CheckerFactory = (report: (message: string) => void, options: SimulatorOptions) => Checker

/** A vector in one line; equal vectors have equal text. */
export const vectorText = (vector: ReadonlyMap<string, number>): string =>
  [...vector]
    .map(([device, seq]) => `${device}:${seq}`)
    .toSorted()
    .join(' ')
