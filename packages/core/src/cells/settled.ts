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

/**
 * The deletions of a row that some change to it did not know of, or did not mean, and all the changes that keep it: who decides
 * for a deletion takes these with it. Deletions first; empty where every change that is left knew of every deletion.
 */
export const lifeSides = ({ touches, deletes }: Life, ops: OpIndex): LifeSide[] => {
  if (deletes.length === 0) return []
  const beside = deletes.filter((removal) => touches.some((touch) => !ops.saw(touch, removal)))
  if (beside.length === 0) return []
  return [...beside.map((ref) => ({ ref, isDelete: true })), ...touches.map((ref) => ({ ref, isDelete: false }))]
}

/** What an op says (Law.resolve) that decides between sides of a row's life; undefined where there is nothing to decide. */
export const lifeVerdict = (
  sides: readonly LifeSide[],
  ops: OpIndex,
  reason: string,
  isDeleted: boolean,
): { readonly value: Value; readonly over: readonly Dot[] } | undefined => {
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

/** What is known of one field of a row. */
interface FieldRecords {
  /** In the order in which they came, with whether its op had seen all those before it. */
  readonly records: { readonly settled: SettledField; readonly sawAll: boolean }[]
  /** Every write that one of them settles, and the ops that did. Records of one write share it. */
  readonly writes: Map<DotRef, { readonly write: SettledWrite; readonly by: DotRef[] }>
}

export class SettledConflicts {
  readonly #ops: OpIndex
  #all: Settled[] = []
  readonly #byRow = new Map<Row, Map<number, FieldRecords>>()
  /** Counts changes: who shows them looks whether it moved. */
  version = 0

  constructor(ops: OpIndex) {
    this.#ops = ops
  }

  add(settled: Settled): void {
    this.version++
    this.#all.push(this.#file(settled))
    if (this.#all.length < 2 * MAX_SETTLED) return
    const kept = this.newest()
    this.#byRow.clear()
    this.#all = kept.map((one) => this.#file(one))
  }

  #file(settled: Settled): Settled {
    let fields = this.#byRow.get(settled.row)
    if (fields === undefined) this.#byRow.set(settled.row, (fields = new Map()))
    if (settled.column === undefined) return settled
    let of = fields.get(settled.column)
    if (of === undefined) fields.set(settled.column, (of = { records: [], writes: new Map() }))
    const { records, writes } = of
    const candidates = settled.candidates.map((candidate) => {
      let known = writes.get(candidate.ref)
      if (known === undefined) writes.set(candidate.ref, (known = { write: candidate, by: [] }))
      known.by.push(settled.by)
      return known.write
    })
    const filed = { ...settled, candidates }
    const sawAll = unseen(records, (by) => this.#ops.saw(settled.by, by)).length === 0
    records.push({ settled: filed, sawAll })
    return filed
  }

  get isEmpty(): boolean {
    return this.#byRow.size === 0
  }

  /** What is known of a write that was settled. */
  find(row: Row, column: number, ref: DotRef): SettledWrite | undefined {
    return this.#byRow.get(row)?.get(column)?.writes.get(ref)?.write
  }

  /** The record of the conflict that a write settled. */
  settledBy(row: Row, column: number, by: DotRef): SettledField | undefined {
    const records = this.#byRow.get(row)?.get(column)?.records
    return records?.find(({ settled }) => settled.by === by)?.settled
  }

  /**
   * A write comes to a field. `replaces`: which writes it takes the place of, of those that nobody whom its op `sees` had done so
   * before. `named`: of which it says so.
   */
  replaced(row: Row, column: number, { replaces, sees, names }: { replaces: Sees; sees: Sees; names: Sees }): void {
    const of = this.#byRow.get(row)?.get(column)
    if (of === undefined) return
    for (const { candidates } of unseen(of.records, sees)) {
      for (const write of candidates) {
        if (write.value === undefined || names(write.ref) || !replaces(write.ref)) continue
        if (of.writes.get(write.ref)!.by.some(sees)) continue
        write.value = undefined
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
    return this.#all.toSorted((a, b) => this.#ops.compare(a.by, b.by)).slice(-MAX_SETTLED)
  }
}

/** Those whose ops were not seen. Mostly it is the last few: where everything before was seen too, the search is over. */
const unseen = (records: FieldRecords['records'], sees: Sees): SettledField[] => {
  const found: SettledField[] = []
  for (let index = records.length - 1; index >= 0; index--) {
    const { settled, sawAll } = records[index]
    if (!sees(settled.by)) found.push(settled)
    else if (sawAll) break
  }
  return found
}
