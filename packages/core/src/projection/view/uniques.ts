/**
 * Rows that show one value in a field that is to be unique (SPEC UNIQ): two devices may take it while they do not know of each
 * other. Both rows stay; the one that took it first in total order holds it, and it is an open conflict until one of them changes.
 */
import type { Row } from '../../cells/row.ts'

/** The rows of one unique field, by what they show. */
export class UniqueField {
  readonly #rows = new Map<string | number | boolean, Set<Row>>()
  readonly #shown = new Map<Row, string | number | boolean>()
  /** Values that more than one row shows. */
  readonly taken = new Set<string | number | boolean>()

  /** `value`: what a row that is shown shows; undefined for nothing, or where it is not shown. */
  set(row: Row, value: string | number | boolean | undefined): void {
    const before = this.#shown.get(row)
    if (before === value) return
    if (before !== undefined) {
      const rows = this.#rows.get(before)!
      rows.delete(row)
      if (rows.size < 2) this.taken.delete(before)
      if (rows.size === 0) this.#rows.delete(before)
    }
    if (value === undefined) {
      this.#shown.delete(row)
      return
    }
    this.#shown.set(row, value)
    const rows = this.#rows.get(value)
    if (rows === undefined) {
      this.#rows.set(value, new Set([row]))
      return
    }
    rows.add(row)
    this.taken.add(value)
  }

  rowsWith(value: string | number | boolean): ReadonlySet<Row> {
    return this.#rows.get(value) ?? NOBODY
  }
}

const NOBODY: ReadonlySet<Row> = new Set()
