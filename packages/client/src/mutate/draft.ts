/**
 * What a form was opened on (SPEC CELL2): which writes of each field it showed, and which changes to the row it knew of. A save
 * replaces these and no others, so that what came in while a person was typing is a conflict, and not overwritten unseen.
 *
 * Writes are told by author and stamp: names of branches change where a fork is found, these do not.
 */
import {
  deviceOfRef,
  type Dot,
  type DotRef,
  type Field,
  type InferUpdate,
  type OpIndex,
  type Row,
  type Schema,
  type SchemaView,
} from '@driftlog/core'
import type { Receipt } from './receipts.ts'

const keyOf = (ref: DotRef, ops: OpIndex): string => `${ops.authorId(deviceOfRef(ref))}/${ops.stamp(ref)}`

interface Saved {
  readonly table: string
  readonly device: string
  /** Of the changes to the row before it. */
  readonly knewAll: boolean
}

export class DraftMemory {
  readonly #fields = new Map<string, Set<string>>()
  #life = new Set<string>()

  constructor(row: Row, table: string, view: SchemaView) {
    for (const name of Object.keys(view.schema.tables[table].fields)) this.#remember(name, row, table, view)
    this.#life = new Set(row.touches.map((ref) => keyOf(ref, view.cells.ops)))
  }

  #remember(field: string, row: Row, table: string, view: SchemaView): void {
    const fieldView = view.field(table, field)!
    const shown = fieldView.shownRef(row)
    // A manual field shows one of its values, and the others wait for a person: a form does not settle that by the way (CELL2).
    const writes = fieldView
      .writes(row)
      .filter(({ ref, isReopened }) => fieldView.field.strategy.kind !== 'manual' || (ref === shown && !isReopened))
    this.#fields.set(field, new Set(writes.map(({ ref }) => keyOf(ref, view.cells.ops))))
  }

  /** What was saved is what the form shows from now on. */
  saved(fields: readonly string[], row: Row, view: SchemaView, { table, device, knewAll }: Saved): void {
    const { ops } = view.cells
    const isOwn = (ref: DotRef): boolean => ops.authorId(deviceOfRef(ref)) === device
    for (const field of fields) {
      // The last one: an older write of this device's may stand beside it, in a conflict that the form has nothing to do with.
      const own = view
        .field(table, field)!
        .writes(row)
        .findLast(({ ref }) => isOwn(ref))
      this.#fields.set(field, new Set(own === undefined ? [] : [keyOf(own.ref, ops)]))
    }
    // A save takes the place of all changes to the row. Where one of them was not known, it stands for that one as well.
    if (knewAll) for (const ref of row.touches) if (isOwn(ref)) this.#life.add(keyOf(ref, ops))
  }

  /** Whether the form knew of all the changes that keep the row alive. */
  knowsLife(row: Row, ops: OpIndex): boolean {
    return row.touches.every((ref) => this.#life.has(keyOf(ref, ops)))
  }

  /** Of the writes that a field holds now, those that the form knew. */
  knownOf<W extends { readonly ref: DotRef }>(field: Field, writes: readonly W[], ops: OpIndex): W[] {
    const known = this.#fields.get(field.name)
    return writes.filter(({ ref }) => known?.has(keyOf(ref, ops)))
  }

  /** Of the changes that keep the row alive now, those that the form knew. */
  overLife(row: Row, ops: OpIndex): Dot[] {
    return row.touches.filter((ref) => this.#life.has(keyOf(ref, ops))).map((ref) => ops.dotOf(ref))
  }
}

/** A form that is open on a row. */
export interface Draft<T extends Schema['tables'][string]> {
  /** For `tx.<table>.update(id, changes, { draft: draft.memory })`, in a mutation with more to it. */
  readonly memory: DraftMemory
  /** Throws as `update` does. What is saved is what the form shows from then on. */
  save(changes: InferUpdate<T>): Receipt<void>
  /** Deletes the row as the form knows it: where it was changed meanwhile, that is a conflict (and it stays, or goes, by the table's law). */
  delete(): Receipt<void>
}
