/**
 * Rows that show one value in a field that is to be unique (SPEC UNIQ): two devices may take it while they do not know of each
 * other. Both rows stay; the one that took it first in total order holds it, and it is an open conflict until one of them changes.
 */
import type { Row } from '../../cells/row.ts'
import type { DotRef } from '../../op/dot-ref.ts'
import type { Conflict } from './conflict.ts'

export type UniqueValue = string | number | boolean

interface Holding {
  readonly value: UniqueValue
  /** The op that shows it. */
  readonly ref: DotRef
}

/** The rows of one unique field, by what they show. */
export class UniqueField {
  readonly #rows = new Map<UniqueValue, Set<Row>>()
  readonly #holdings = new Map<Row, Holding>()
  /** Values that more than one row shows, with the record of it; undefined: to be made anew. */
  readonly taken = new Map<UniqueValue, Conflict | undefined>()

  /** `holding`: what a row that is shown shows; undefined for nothing, or where it is not shown. Returns whether `taken` changed. */
  set(row: Row, holding: Holding | undefined): boolean {
    const before = this.#holdings.get(row)
    if (before?.value === holding?.value && before?.ref === holding?.ref) return false
    if (holding === undefined) this.#holdings.delete(row)
    else this.#holdings.set(row, holding)
    if (before !== undefined && before.value !== holding?.value) this.#rows.get(before.value)!.delete(row)
    if (holding !== undefined) this.#rowsOf(holding.value).add(row)
    const hasLeft = before !== undefined && this.#note(before.value)
    const hasCome = holding !== undefined && this.#note(holding.value)
    return hasLeft || hasCome
  }

  #rowsOf(value: UniqueValue): Set<Row> {
    const known = this.#rows.get(value)
    if (known !== undefined) return known
    const rows = new Set<Row>()
    this.#rows.set(value, rows)
    return rows
  }

  /** Who shows a value has changed. Returns whether it is, or was, more than one row. */
  #note(value: UniqueValue): boolean {
    const { size } = this.rowsWith(value)
    if (size === 0) this.#rows.delete(value)
    if (size < 2) return this.taken.delete(value)
    this.taken.set(value, undefined)
    return true
  }

  rowsWith(value: UniqueValue): ReadonlySet<Row> {
    return this.#rows.get(value) ?? NOBODY
  }
}

const NOBODY: ReadonlySet<Row> = new Set()
