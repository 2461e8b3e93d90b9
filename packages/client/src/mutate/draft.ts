/**
 * What a form was opened on (SPEC CELL2): which writes of each field it showed, and which changes to the row it knew of. A save
 * replaces these and no others, so that what came in while a person was typing is a conflict, and not overwritten unseen.
 *
 * A set and JSON under deep merge are given as a whole: they are compared with what the form showed of them, so that a save changes
 * what the person changed. Places in a list are those that the form showed.
 *
 * Writes are told by author and stamp: names of branches change where a fork is found, these do not.
 */
import {
  deviceOfRef,
  type Dot,
  type DotRef,
  DriftlogError,
  type Field,
  type InferUpdate,
  Law,
  type List,
  type OpIndex,
  placedItems,
  type Row,
  type Schema,
  type SchemaView,
  type Value,
} from '@driftlog/core'
import type { PlacedItem } from './edits.ts'
import type { Receipt } from './receipts.ts'
import type { Own } from './undo.ts'

const nameOf = ({ device, hlc }: Own): string => `${device}/${hlc}`

const keyOf = (ref: DotRef, ops: OpIndex): string => `${ops.authorId(deviceOfRef(ref))}/${ops.stamp(ref)}`

interface Saved {
  readonly table: string
  readonly own: Own
  /** Of the changes to the row before it. */
  readonly knewAll: boolean
}

export class DraftMemory {
  readonly #table: string
  readonly #rowId: string
  readonly #fields = new Map<string, Set<string>>()
  /** Of sets, of lists (their items with places) and of JSON under deep merge. */
  readonly #shown = new Map<string, Value | undefined>()
  #life = new Set<string>()
  /** By each save, and by what took it back: what it showed before of the fields that were saved. */
  readonly #before = new Map<string, ReadonlyMap<string, Value | undefined>>()

  constructor(row: Row, table: string, view: SchemaView) {
    this.#table = table
    this.#rowId = row.id
    for (const name of Object.keys(view.schema.tables[table].fields)) this.#remember(name, row, table, view)
    this.#life = new Set(row.touches.map((ref) => keyOf(ref, view.cells.ops)))
  }

  #remember(field: string, row: Row, table: string, view: SchemaView): void {
    const fieldView = view.field(table, field)!
    if (fieldView.law === Law.add || fieldView.law === Law.put)
      this.#shown.set(field, fieldView.value(row) as Value | undefined)
    if (fieldView.law === Law.item) {
      const list = row.values[fieldView.column] as List | undefined
      const { ops } = view.cells
      this.#shown.set(field, list && (placedItems(list, (a, b) => ops.compare(a, b)) as readonly PlacedItem[]))
    }
    // A manual field shows one of its values, and the others wait for a person: a form does not settle that by the way.
    const writes = fieldView.writesShown(row)
    this.#fields.set(field, new Set(writes.map(({ ref }) => keyOf(ref, view.cells.ops))))
  }

  /** Throws OPTION_INVALID: what the form showed of one row says nothing of another. */
  expectOf(table: string, rowId: string): void {
    if (table !== this.#table || rowId !== this.#rowId)
      throw new DriftlogError('OPTION_INVALID', `the draft is of ${this.#table} ${JSON.stringify(this.#rowId)}`)
  }

  /** What was saved is what the form shows from now on: of what is remembered as a whole, what it says. */
  saved(
    fields: ReadonlyMap<string, Value | undefined>,
    row: Row,
    view: SchemaView,
    { table, own: { device, hlc }, knewAll }: Saved,
  ): void {
    const { ops } = view.cells
    const isOwn = (ref: DotRef): boolean => ops.authorId(deviceOfRef(ref)) === device
    this.#before.set(nameOf({ device, hlc }), this.#shownOf(fields.keys()))
    for (const [field, onForm] of fields) {
      if (this.#shown.has(field)) this.#shown.set(field, onForm)
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

  #shownOf(fields: Iterable<string>): Map<string, Value | undefined> {
    return new Map([...fields].map((field) => [field, this.#shown.get(field)]))
  }

  /**
   * A mutation is to be taken back. Where it saved the form, the form shows what it did before, and knows what takes it back: call
   * what is returned once that is written.
   */
  takeBack(own: Own, { cells }: SchemaView): ((by: Own) => void) | undefined {
    const before = this.#before.get(nameOf(own))
    const row = cells.table(this.#table).rows.get(this.#rowId)
    if (before === undefined || row === undefined) return undefined
    const knewAll = this.knowsLife(row, cells.ops)
    return (by) => {
      this.#before.set(nameOf(by), this.#shownOf(before.keys()))
      for (const [field, shown] of before) {
        if (this.#shown.has(field)) this.#shown.set(field, shown)
        this.#fields.get(field)?.add(nameOf(by))
      }
      if (knewAll) this.#life.add(nameOf(by))
    }
  }

  /** Lets go of what it showed of a row that is erased: of that no value is kept. */
  forget(isErased: (table: string, rowId: string) => boolean): void {
    if (!isErased(this.#table, this.#rowId)) return
    this.#shown.clear()
    this.#before.clear()
  }

  /** Whether the form knew of all the changes that keep the row alive. */
  knowsLife(row: Row, ops: OpIndex): boolean {
    return row.touches.every((ref) => this.#life.has(keyOf(ref, ops)))
  }

  /** What the form shows of a set, a list or JSON under deep merge; undefined where nothing was written. */
  shownOf({ name }: Field): Value | undefined {
    return this.#shown.get(name)
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
