/**
 * Conflicts that are over: somebody who had seen several concurrent values put one in their place, and said so (Law.resolve, with
 * the writes that it settles). They are no part of the cells, and not of the digest; kept are the newest ones.
 *
 * Invariants, for replicas that have projected the same ops in any causal order:
 * - they have the same records, for a record is what its own op says;
 * - they know the same values of the candidates: all but those that some write took the place of without saying so. Such a value
 *   may be gone from here before an op comes that settles it, so it is forgotten everywhere.
 */
import type { Dot } from '../clock/dot.ts'
import type { Life } from '../laws/life.ts'
import type { DotRef } from '../op/dot-ref.ts'
import type { Value } from '../op/value.ts'
import type { OpIndex } from './ops.ts'
import type { Row } from './row.ts'

/** As many are kept. */
export const MAX_SETTLED = 10_000

/** One side of a row's conflict: a change to it, or its deletion. */
export interface LifeSide {
  readonly ref: DotRef
  readonly isDelete: boolean
}

/** The deletions of a row and the changes to it of which one did not know of, or did not mean, the other: deletions first. */
export const lifeSides = ({ touches, deletes }: Life, ops: OpIndex): LifeSide[] => {
  const isBeside = (touch: DotRef, removal: DotRef): boolean => !ops.saw(touch, removal)
  return [
    ...deletes.filter((ref) => touches.some((touch) => isBeside(touch, ref))).map((ref) => ({ ref, isDelete: true })),
    ...touches
      .filter((ref) => deletes.some((removal) => isBeside(ref, removal)))
      .map((ref) => ({ ref, isDelete: false })),
  ]
}

/** What an op says (Law.resolve) that decides about the life of a row; undefined where there is nothing to decide. */
export const lifeVerdict = (
  life: Life,
  ops: OpIndex,
  reason: string,
  isDeleted: boolean,
): { readonly value: Value; readonly over: readonly Dot[] } | undefined => {
  const sides = lifeSides(life, ops)
  if (sides.length === 0) return undefined
  const deletes = sides.filter(({ isDelete }) => isDelete).length
  return { value: [reason, deletes, isDeleted], over: sides.map(({ ref }) => ops.dotOf(ref)) }
}

/** A write that was settled; its value is undefined where it is not kept. */
export interface SettledWrite {
  readonly ref: DotRef
  value: Value | undefined
  readonly isReopened?: boolean
}

interface Settlement {
  readonly row: Row
  /** The op that settled it. */
  readonly by: DotRef
  /** Why; empty where nobody said. */
  readonly reason: string
}

export interface SettledField extends Settlement {
  readonly column: number
  readonly candidates: readonly SettledWrite[]
  readonly outcome: Value
}

export interface SettledLife extends Settlement {
  readonly column: undefined
  readonly sides: readonly LifeSide[]
  readonly isDeleted: boolean
}

export type Settled = SettledField | SettledLife

type Sees = (ref: DotRef) => boolean

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

  get isEmpty(): boolean {
    return this.#byRow.size === 0
  }

  #ofField(row: Row, column: number): SettledField[] {
    return (this.#byRow.get(row) ?? []).filter((one): one is SettledField => one.column === column)
  }

  /** What is known of a write that was settled. */
  find(row: Row, column: number, ref: DotRef): SettledWrite | undefined {
    for (const { candidates } of this.#ofField(row, column)) {
      const known = candidates.find((write) => write.ref === ref)
      if (known !== undefined) return known
    }
    return undefined
  }

  /**
   * A write comes to a field. `replaces`: which writes it takes the place of, of those that nobody whom its op `sees` had done so
   * before. `named`: of which it says so.
   */
  replaced(row: Row, column: number, { replaces, sees, names }: { replaces: Sees; sees: Sees; names: Sees }): void {
    const settled = this.#ofField(row, column)
    for (const { candidates } of settled) {
      for (const write of candidates) {
        if (write.value === undefined || names(write.ref) || !replaces(write.ref)) continue
        const records = settled.filter((other) => other.candidates.some(({ ref }) => ref === write.ref))
        if (records.some(({ by }) => sees(by))) continue
        for (const other of records)
          for (const one of other.candidates) if (one.ref === write.ref) one.value = undefined
        this.version++
      }
    }
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
