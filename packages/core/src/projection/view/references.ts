/**
 * What becomes of rows that refer to a row that is gone (SPEC REF). Derived, never written: when the row is there again, so is
 * all that went with it.
 *
 * A row is *hidden* where a reference of it that cascades names a row that is gone: dead, or hidden itself. A row that was never
 * seen here is not gone: it may come. Rows that refer to each other in a circle are there as long as none of them is dead.
 */
import type { Row } from '../../cells/row.ts'

export interface Reference {
  readonly target: string
  readonly onDelete: 'set-null' | 'cascade'
  /** The id that the row's field shows; undefined for none. */
  id(row: Row): string | undefined
}

export interface ReferenceParts {
  /** The references of a table's rows that have to do with deletion; undefined: of none. */
  of(table: string): readonly Reference[] | undefined
  /** undefined: not known here. */
  find(table: string, id: string): Row | undefined
  /** By its own life, and where its table's law says so. */
  isDead(row: Row): boolean
}

interface Named {
  readonly key: string
  readonly reference: Reference
}

const keyOf = (table: string, id: string): string => `${table}/${id}`

export class References {
  readonly #parts: ReferenceParts
  readonly #hidden = new Set<Row>()
  readonly #gone = new Set<Row>()
  readonly #named = new Map<Row, Named[]>()
  /** By what they name. */
  readonly #referrers = new Map<string, Set<Row>>()

  constructor(parts: ReferenceParts) {
    this.#parts = parts
  }

  isHidden(row: Row): boolean {
    return this.#hidden.has(row)
  }

  /** Whether what a reference of a row names is gone. */
  isGone(table: string, id: string): boolean {
    const row = this.#parts.find(table, id)
    return row !== undefined && this.#gone.has(row)
  }

  /** Takes in rows that changed. Returns others that show something else for it. */
  refresh(changed: readonly Row[]): Row[] {
    for (const row of changed) this.#name(row)
    const concerned = this.#cascade(changed)
    const before = new Map([...concerned].map((row) => [row, this.#hidden.has(row)]))
    for (const row of concerned) this.#hidden.delete(row)
    const queue = [...concerned]
    for (let row = queue.pop(); row !== undefined; row = queue.pop()) {
      if (this.#hidden.has(row) || !this.#isPulledAlong(row)) continue
      this.#hidden.add(row)
      for (const referrer of this.#referrersOf(row, 'cascade')) queue.push(referrer)
    }
    const others = new Set<Row>()
    for (const row of concerned) {
      if (this.#hidden.has(row) !== before.get(row)) others.add(row)
      const isGone = this.#hidden.has(row) || this.#parts.isDead(row)
      if (isGone === this.#gone.has(row)) continue
      if (isGone) this.#gone.add(row)
      else this.#gone.delete(row)
      for (const referrer of this.#referrersOf(row)) others.add(referrer)
    }
    for (const row of changed) others.delete(row)
    return [...others]
  }

  /** The rows, and all that refer to them through references that cascade. */
  #cascade(rows: readonly Row[]): Set<Row> {
    const reached = new Set(rows)
    for (const row of reached) for (const referrer of this.#referrersOf(row, 'cascade')) reached.add(referrer)
    return reached
  }

  /** One of its references that cascade names a row that is dead or hidden. */
  #isPulledAlong(row: Row): boolean {
    return (this.#named.get(row) ?? []).some(({ key, reference }) => {
      if (reference.onDelete !== 'cascade') return false
      const target = this.#parts.find(reference.target, key.slice(reference.target.length + 1))
      return target !== undefined && (this.#hidden.has(target) || this.#parts.isDead(target))
    })
  }

  *#referrersOf(row: Row, onDelete?: Reference['onDelete']): Generator<Row> {
    const key = keyOf(row.table.name, row.id)
    for (const referrer of this.#referrers.get(key) ?? []) {
      const isMeant = this.#named
        .get(referrer)
        ?.some((named) => named.key === key && (onDelete === undefined || named.reference.onDelete === onDelete))
      if (isMeant === true) yield referrer
    }
  }

  #name(row: Row): void {
    const references = this.#parts.of(row.table.name)
    if (references === undefined) return
    for (const { key } of this.#named.get(row) ?? []) this.#referrers.get(key)?.delete(row)
    const named: Named[] = []
    for (const reference of references) {
      const id = reference.id(row)
      if (id === undefined) continue
      const key = keyOf(reference.target, id)
      named.push({ key, reference })
      const referrers = this.#referrers.get(key)
      if (referrers === undefined) this.#referrers.set(key, new Set([row]))
      else referrers.add(row)
    }
    if (named.length === 0) this.#named.delete(row)
    else this.#named.set(row, named)
  }
}
