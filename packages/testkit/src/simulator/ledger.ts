/**
 * What the users of a schedule did, written down by the simulator itself: the checkers' own truth. A mutation is named by
 * its marker, a number that it writes and no other one does, and never by (device, seq): after a fork two ops share those.
 */
import type { VersionVector } from '@driftlog/core'

/** What a mutation asked for, one row at a time. */
export interface AskedChange {
  readonly table: string
  readonly row: string
  readonly act: 'insert' | 'update' | 'delete'
  /** What was set, by field. */
  readonly set: Readonly<Record<string, string | number | boolean | null>>
  /** What was added to counters, by field. */
  readonly add: Readonly<Record<string, number>>
}

export interface Mutation {
  readonly marker: number
  /** Whether its op bears the marker. What takes back, settles or saves a form writes nothing else: it is known by (device, seq). */
  readonly isMarked: boolean
  readonly machine: number
  readonly tab: number
  /** The device id that it was written under, and the last of its ops. */
  readonly device: string
  readonly seq: number
  readonly changes: readonly AskedChange[]
  /** What its replica showed, device → seq, before it. */
  readonly seen: VersionVector
  /** The true time, and what the device's clock said. */
  readonly atMs: number
  readonly wallMs: number
  /** Whether its receipt said so. */
  isStored: boolean
  isAcknowledged: boolean
}
