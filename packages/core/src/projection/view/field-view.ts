/** What a field shows of its cell: by the law of the cell and, for registers, by the strategy of the schema. */
import { isContest, standsFor, writesOf } from '../../cells/cell-state.ts'
import type { OpIndex } from '../../cells/ops.ts'
import { ABSENT, columnIndex, type Row, SIBLINGS, type TableCells, type Write } from '../../cells/row.ts'
import { type Elements, lastWrite, observedRemove } from '../../laws/elements.ts'
import { items, type List } from '../../laws/list.ts'
import { shown as shownTree, type Tree } from '../../laws/tree.ts'
import type { DotRef } from '../../op/dot-ref.ts'
import { Law } from '../../op/law.ts'
import type { Value } from '../../op/value.ts'
import { lawOf } from '../../schema/encode.ts'
import type { Field } from '../../schema/field.ts'
import type { Shown } from '../../schema/kinds/kind.ts'
import { candidatesOf, candidatesWith, choose, type Choice, type RegisterCandidate } from './choose.ts'

export class FieldView {
  readonly field: Field
  readonly law: Law
  /** Of the cells that it shows, in its table's rows. */
  readonly column: number
  readonly #ops: OpIndex
  readonly #isChecked: boolean
  readonly #compare: (a: DotRef, b: DotRef) => number

  constructor(field: Field, cells: TableCells, ops: OpIndex, isChecked: boolean) {
    this.field = field
    this.law = lawOf(field)
    this.column = columnIndex(cells, this.law, [field.name])
    this.#ops = ops
    this.#isChecked = isChecked
    this.#compare = (a, b) => ops.compare(a, b)
  }

  /** undefined where nothing was written. */
  value(row: Row): Shown | undefined {
    const ref = row.refs[this.column]
    if (ref === undefined || ref === ABSENT) return undefined
    const content = row.values[this.column]
    switch (this.law) {
      case Law.add:
        return this.field.kind === 'set' && this.field.wins === 'last-write'
          ? lastWrite(content as Elements, this.#compare)
          : observedRemove(content as Elements)
      case Law.item:
        return items(content as List, this.#compare) as unknown as Value
      case Law.put:
        return shownTree(content as Tree, this.#compare)
      default:
        if (ref !== SIBLINGS) return content as Shown
        return (this.#latest(content as Write[]) ?? this.choice(content as Write[])).value
    }
  }

  /** What `choice` chooses where that is simply the last of the writes, without a candidate made of each. */
  #latest(writes: readonly Write[]): Write | undefined {
    const { kind } = this.field.strategy
    const isLatest = kind === 'last-writer-wins' || kind === 'manual'
    return isLatest && !writes.some(({ isReopened }) => isReopened) ? writes[writes.length - 1] : undefined
  }

  choice(writes: readonly Write[]): Choice {
    return choose(this.field, candidatesOf(writes, this.#ops), this.#isChecked)
  }

  /** What a register shows that holds these writes, and one that comes. */
  valueBeside(writes: readonly Write[], coming: Omit<RegisterCandidate, 'ref'>): Value {
    if (writes.length === 0) return coming.value
    const candidates = candidatesWith(candidatesOf(writes, this.#ops), { ...coming, ref: ABSENT })
    return choose(this.field, candidates, this.#isChecked).value
  }

  /** The concurrent writes of a register, by rising total order. */
  writes(row: Row): readonly Write[] {
    return writesOf(row, this.column)
  }

  /** Whether a register holds more than one write, or one that stands for several. */
  isContested(row: Row): boolean {
    return row.refs[this.column] === SIBLINGS
  }

  /** The write that a register shows, in whichever way it came to it; 0 where there is none. */
  shownRef(row: Row): DotRef {
    const writes = this.writes(row)
    if (writes.length < 2) return writes[0]?.ref ?? ABSENT
    const latest = this.#latest(writes)
    if (latest !== undefined) return latest.ref
    return this.choice(writes).shown?.ref ?? writes[writes.length - 1].ref
  }

  /**
   * What a plain write takes the place of, and a form knows (STRAT5): all writes or, where a person is to choose among several values,
   * those that stand for the one that is shown, and for no other.
   */
  writesShown(row: Row): readonly Write[] {
    const writes = this.writes(row)
    if (this.field.strategy.kind !== 'manual' || !isContest(writes)) return writes
    const { value } = this.#latest(writes) ?? this.choice(writes)
    return writes.filter((write) => standsFor(write, value))
  }

  /** The op by which a row that is there shows what it shows: the default, where nothing was written, by its first change. */
  takenBy(row: Row): DotRef {
    const ref = this.shownRef(row)
    return ref === ABSENT ? row.created : ref
  }
}
