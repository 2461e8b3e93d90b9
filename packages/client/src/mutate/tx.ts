/** What the function of a mutation is given. */
import type { InferInsert, InferRow, InferUpdate, Schema } from '@driftlog/core'
import type { DraftMemory } from './draft.ts'

export interface DraftOption {
  /** What the row was when a form was opened on it: what came in since is a conflict and is not overwritten. */
  readonly draft?: DraftMemory
}

/** The writes to one table of a mutation. */
export interface TableWriter<T extends Schema['tables'][string]> {
  /**
   * Returns the row's id. With the id of a row that exists it is an upsert: the given fields are written. One that is deleted comes
   * back so; sets and lists that are given are replaced, counters are added to, and what is not given is as it was. One that refers
   * (`cascade`) to a row that is deleted is written, and hidden until that one returns. Throws ROW_ERASED, and VALUE_TAKEN as `update`.
   */
  insert(row: InferInsert<T>): string
  /**
   * Throws ROW_NOT_FOUND where the row is not there or deleted, ITEM_NOT_FOUND for an item that its list (or the draft's) does not
   * have, and VALUE_TAKEN (when the function returns) where another row shows the value of a field that is to be unique.
   */
  update(id: string, changes: InferUpdate<T>, options?: DraftOption): void
  /** Throws ROW_NOT_FOUND where the row is not there or deleted, in this mutation too. */
  delete(id: string, options?: DraftOption): void
  /**
   * Brings a deleted row back, with all its fields. Throws ROW_NOT_FOUND where it never was, ROW_ERASED, and VALUE_TAKEN as `update`.
   * One that is hidden because of a row that it refers to comes back with that one, and so may a value that is to be unique and
   * that another row took meanwhile: that is not refused, it is an open conflict.
   */
  restore(id: string): void
  /**
   * For a person's right to be forgotten: the row is gone for good on every replica, with all that was and will be written to it
   * (SECURITY.md says what that cannot reach). It cannot be undone. Throws ROW_NOT_FOUND where it never was.
   */
  erase(id: string): void
  /**
   * The row as this mutation leaves it so far: what a query shows after it, if this were its end and nobody else wrote. Rows that
   * refer to one that it deletes or restores are hidden, or show null, or are there again, as their references say. undefined: it is
   * not there, and `update` and `delete` do not find it either.
   */
  get(id: string): InferRow<T> | undefined
}

export type Tx<S extends Schema> = { readonly [K in keyof S['tables'] & string]: TableWriter<S['tables'][K]> }
