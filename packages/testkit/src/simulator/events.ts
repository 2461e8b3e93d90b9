/** What happens in a schedule, as the checkers see it. */
import type { Batch, ErrorCode, VersionVector } from '@driftlog/core'
import type { Status } from '@driftlog/client'
import type { FaultKind } from './faults.ts'
import type { Mutation } from './ledger.ts'

/** A run of a tab, from its opening to its end. Two runs of one tab are two. */
export interface TabName {
  readonly machine: number
  readonly tab: number
  readonly run: number
}

export type SimulatorEvent =
  | { readonly kind: 'mutated' | 'stored' | 'acknowledged'; readonly tab: TabName; readonly mutation: Mutation }
  /** What the author reads of its own mark right after a mutation. */
  | { readonly kind: 'readBack'; readonly tab: TabName; readonly mutation: Mutation; readonly mark: unknown }
  /** What a mutation was to do, and what its author shows right after. */
  | {
      readonly kind: 'edited'
      readonly tab: TabName
      readonly what: string
      readonly expected: string
      readonly shown: string
    }
  /** `held` of the replica as it opened. */
  | { readonly kind: 'opened'; readonly tab: TabName; readonly device: string; readonly held: VersionVector }
  | { readonly kind: 'ended'; readonly tab: TabName; readonly how: 'crashed' | 'killed' | 'closed' }
  | { readonly kind: 'status'; readonly tab: TabName; readonly status: Status }
  /** A look at a replica at rest. `pair`: the two values that every mutation of one kind writes together. */
  | {
      readonly kind: 'sampled'
      readonly tab: TabName
      readonly device: string
      readonly held: VersionVector
      readonly projected: VersionVector
      readonly digest: string
      readonly pair: readonly [unknown, unknown]
      /** Damaged batches on its disk now, and how many were mended there so far. */
      readonly rot: { readonly damaged: number; readonly mended: number }
    }
  /** Batches became durable, in a device's store or the server's; `latestMs` is the latest that the clock there ever told. */
  | {
      readonly kind: 'appended'
      readonly where: number | 'server'
      readonly batches: readonly Batch[]
      readonly latestMs: number
    }
  /** A damaged batch was replaced by another copy of it. */
  | { readonly kind: 'mended'; readonly where: number | 'server'; readonly batch: Batch }
  /** A replica opens a connection, or begins an exchange. `name`: of its process. */
  | { readonly kind: 'dials'; readonly name: string; readonly atMs: number }
  | { readonly kind: 'fault'; readonly fault: FaultKind; readonly machine: number | undefined }
  /** An error came out of the product. `code` undefined: it is none of the catalogue. */
  | { readonly kind: 'failed'; readonly where: string; readonly code: ErrorCode | undefined; readonly message: string }
  | { readonly kind: 'phase'; readonly phase: 'faults' | 'healing' | 'healed' }
