/**
 * A base (SPEC CUT, BASE): what takes the place of all ops up to a stamp, the *cut*, in the log of a space. It is a function
 * of the cut and of a vector: two devices that fold the same ones have the same bytes.
 *
 *                     cut                    vector
 *      pruned ops      │   ops that some of   │   ops that have seen
 *      (the prefix)    │   which had not seen │   the whole prefix
 *                      │   the whole prefix   │
 *     ── in the base ──┴────── in the log ────┴─── to come ───▶
 *
 * In this file a ref is one of the base itself, or of the projection that it is folded from: `refs` knows.
 */
import type { Column, Row } from '../cells/row.ts'
import type { LifeSide, SettledWrite } from '../cells/settled.ts'
import type { DeviceId } from '../clock/dot.ts'
import type { Hlc } from '../clock/hlc.ts'
import type { VersionVector } from '../clock/version-vector.ts'
import type { Shift } from '../log/batch.ts'
import type { KeptRun } from '../log/chain-index.ts'
import type { DotRef } from '../op/dot-ref.ts'
import type { Value } from '../op/value.ts'

/** A branch that begins at or before the cut. Its place is its index. */
export interface BaseBranch {
  readonly id: DeviceId
  readonly author: DeviceId
  /** The place of what it goes on from after op `base`, before its own; -1: it starts with nothing. */
  readonly parent: number
  readonly base: number
  /** Of one that starts with nothing. */
  readonly certificate: Uint8Array | undefined
  /** What the chain begins with, of a device whose first batch states shifts (BR2): elsewhere it follows from the certificate. */
  readonly start: Uint8Array | undefined
  /** Its last op in the prefix. */
  readonly lastSeq: number
  /** Whether no other op of the prefix had seen that. */
  readonly isHead: boolean
  /** See `OpIndex.isElastic`, up to the vector; infinite: never. */
  readonly elasticFrom: number
  /** BR2: in force after `lastSeq`. One of nothing counts, too: what it concerns is lifted, not void. */
  readonly shifted: { readonly shift: Hlc; readonly floor: Hlc } | undefined
  /** Ops that something still names and their effective stamps, rising; `lastSeq` is the last. */
  readonly kept: ReadonlyMap<number, Hlc>
  /** The membership position of each of these, in their order; 0 in a space without members. */
  readonly positions: readonly number[]
  /** Runs wholly in the prefix that something may still refer to, rising; the last is the last of all. */
  readonly runs: readonly KeptRun[]
  /** How a row is named (ENV2): the number of the first that the branch introduced, and which ones, by place, in which ops. */
  readonly introducedFrom: number
  readonly introduced: readonly { readonly row: number; readonly seq: number }[]
}

/** What is told of the ops of a branch after the cut, up to the vector. */
export interface BaseAfter {
  readonly branch: DeviceId
  readonly voids: readonly number[]
  /** From this seq on, what is not void had seen the whole prefix. */
  readonly wholeFrom: number
  /**
   * Ops that had not, each where that is not what the one before it had seen: up to where they had seen which branches, by
   * place. Of the first, beside the whole prefix; of the others, beside the one before.
   */
  readonly lacks: readonly { readonly seq: number; readonly seen: readonly (readonly [place: number, seq: number])[] }[]
}

export interface BaseRow extends Pick<Row, 'id' | 'erased' | 'created' | 'updated' | 'touches' | 'deletes'> {
  /** Of each touch, then each deletion: whether the one had seen the other. Empty where there are not both. */
  readonly saw: readonly boolean[]
  /** As of `Row`, by the columns of the table here. */
  readonly refs: DotRef[]
  readonly values: Row['values']
}

export interface BaseTable {
  readonly name: string
  readonly columns: readonly Column[]
  readonly rows: readonly BaseRow[]
}

interface BaseSettlement {
  /** A place among the rows of all tables. */
  readonly row: number
  readonly by: DotRef
  readonly reason: string
}

export type BaseSettled =
  | (BaseSettlement & {
      readonly column: Column
      readonly candidates: readonly SettledWrite[]
      readonly outcome: Value
    })
  | (BaseSettlement & {
      readonly column: undefined
      readonly sides: readonly LifeSide[]
      readonly isDeleted: boolean
    })

export interface BaseRefs {
  /** Of an op that is kept: its place among those of all branches. */
  place(ref: DotRef): number
  /** The total order of ops. */
  compare(a: DotRef, b: DotRef): number
  /** The id of its branch, its seq and its stamp. */
  tell(ref: DotRef): { readonly branch: DeviceId; readonly seq: number; readonly stamp: Hlc }
}

export interface Base {
  readonly space: string
  readonly cut: Hlc
  readonly vector: VersionVector
  readonly schemaVersion: number
  /** How many ops of the prefix are void. */
  readonly voidCount: number
  readonly shifts: readonly Shift[]
  /** Parents before children, else by id. */
  readonly branches: readonly BaseBranch[]
  /** By id of branch. */
  readonly after: readonly BaseAfter[]
  /** By name; columns by law and path, rows by id. */
  readonly tables: readonly BaseTable[]
  /** In the order in which they were settled. */
  readonly settled: readonly BaseSettled[]
  readonly refs: BaseRefs
}
