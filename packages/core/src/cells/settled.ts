/**
 * Conflicts that are over: a write that had seen several concurrent values took their place. They are no part of the cells (and
 * not of the digest); kept are the newest ones, the same on every replica that has projected the same ops.
 */
import type { DotRef } from '../op/dot-ref.ts'
import type { Value } from '../op/value.ts'
import type { Row, Write } from './row.ts'

/** As many are kept. */
export const MAX_SETTLED = 10_000

/** One side of a row's conflict: a change to it, or its deletion. */
export interface LifeSide {
  readonly ref: DotRef
  readonly isDelete: boolean
}

interface Settlement {
  readonly row: Row
  /** The op that settled it. */
  readonly by: DotRef
  /** Why, where the op says so (Law.resolve). */
  reason: string | undefined
}

export interface SettledField extends Settlement {
  readonly column: number
  readonly candidates: readonly Write[]
  readonly outcome: Value
}

export interface SettledLife extends Settlement {
  readonly column: undefined
  readonly sides: readonly LifeSide[]
  readonly isDeleted: boolean
}

export type Settled = SettledField | SettledLife

export class SettledConflicts {
  #all: Settled[] = []
  readonly #byRow = new Map<Row, Settled[]>()
  readonly #compare: (a: DotRef, b: DotRef) => number
  /** Counts changes: who shows them looks whether it moved. */
  version = 0

  constructor(compare: (a: DotRef, b: DotRef) => number) {
    this.#compare = compare
  }

  add(settled: Settled): void {
    this.version++
    this.#all.push(settled)
    this.#file(settled)
    if (this.#all.length < 2 * MAX_SETTLED) return
    this.#all = this.newest()
    this.#byRow.clear()
    for (const kept of this.#all) this.#file(kept)
  }

  #file(settled: Settled): void {
    const known = this.#byRow.get(settled.row)
    if (known === undefined) this.#byRow.set(settled.row, [settled])
    else known.push(settled)
  }

  /** The op `by` says why it settled what it did to a field of a row, or to its life. */
  explain(row: Row, column: number | undefined, by: DotRef, reason: string): void {
    for (const settled of this.#byRow.get(row) ?? []) {
      if (settled.by !== by || settled.column !== column) continue
      settled.reason = reason
      this.version++
    }
  }

  /** A write that was among the candidates of a conflict. */
  find(row: Row, column: number, ref: DotRef): Write | undefined {
    for (const settled of this.#byRow.get(row) ?? []) {
      if (settled.column !== column) continue
      const known = settled.candidates.find((write) => write.ref === ref)
      if (known !== undefined) return known
    }
    return undefined
  }

  /** The row was erased: nothing of it may be shown any more. */
  forget(row: Row): void {
    if (!this.#byRow.delete(row)) return
    this.#all = this.#all.filter((settled) => settled.row !== row)
    this.version++
  }

  /** The newest, in the order in which they were settled. */
  newest(): Settled[] {
    return this.#all.toSorted((a, b) => this.#compare(a.by, b.by)).slice(-MAX_SETTLED)
  }
}
