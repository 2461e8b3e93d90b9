/**
 * What a schema says of one field: plain, frozen data. `f` builds it, `defineSchema` checks it and names it.
 */
import type { Value } from '../op/value.ts'
import type { Strategy } from './strategy.ts'

interface CommonDefinition {
  /** Whether null is a value of the field. */
  readonly isOptional: boolean
  readonly isSearchable: boolean
  /** Whether two live rows that show one value are a conflict. */
  readonly isUnique: boolean
  /** The app's default as it was given; undefined: none. */
  readonly default: unknown
  /** Of concurrent values; undefined: the table's. */
  readonly strategy: Strategy | undefined
}

/** A new kind of field is one more member here, one file in kinds/ and one function in f.ts. */
export type FieldDefinition = CommonDefinition &
  (
    | { readonly kind: 'string' | 'number' | 'integer' | 'boolean' | 'date' }
    | { readonly kind: 'json'; readonly isDeep: boolean }
    | { readonly kind: 'counter'; readonly growsOnly: boolean }
    | { readonly kind: 'enum'; readonly options: readonly string[] }
    | { readonly kind: 'ref'; readonly target: string; readonly onDelete: RefDeleteLaw }
    | { readonly kind: 'set'; readonly element: FieldDefinition; readonly wins: SetLaw }
    | { readonly kind: 'list'; readonly element: FieldDefinition }
  )

export type FieldKind = FieldDefinition['kind']

/**
 * What becomes of a reference while the row that it names is deleted. keep: nothing; set-null: it shows null; cascade: its own row
 * is not shown either. Whatever it is, it is undone when the row returns, for nothing is written (REF1).
 */
export type RefDeleteLaw = 'keep' | 'set-null' | 'cascade'

/** Who wins where one device adds an element and another removes it at the same time: the addition, or the later of the two. */
export type SetLaw = 'add' | 'last-write'

/** A field of a checked schema. */
export type Field = FieldDefinition & {
  readonly table: string
  readonly name: string
  /** The log value that is shown where nothing that fits was written; null without a default. */
  readonly fallback: Value
  readonly strategy: Strategy
}

/** Adds to a counter; made by `f.increment`. */
export interface Increment {
  readonly change: 'increment'
  /** A safe integer, maybe below 0. */
  readonly by: number
}

/** Adds elements to a set or removes some; made by `f.add` and `f.remove`. */
export interface ElementChange<T = unknown> {
  readonly change: 'add' | 'remove'
  readonly elements: readonly T[]
}

/** Changes a list; made by `f.insertItem`, `f.moveItem`, `f.setItem` and `f.removeItem`. `at`: the index that it has then. */
export type ItemChange<T = unknown> =
  | { readonly change: 'insertItem'; readonly value: T; readonly at: number | undefined }
  | { readonly change: 'moveItem'; readonly id: string; readonly at: number }
  | { readonly change: 'setItem'; readonly id: string; readonly value: T }
  | { readonly change: 'removeItem'; readonly id: string }

/** An item of a list, as rows show it. */
export interface ListItem<T = unknown> {
  /** Stays with the item wherever it moves. */
  readonly id: string
  readonly value: T
}

/** What a field is to the compiler: what rows show, what insert and update take, whether insert can go without. */
export interface FieldTypes {
  readonly row: unknown
  readonly insert: unknown
  readonly update: unknown
  readonly isOmittable: boolean
  readonly isSearchable: boolean
}

/** Never there at run time: carries types from the schema to what is inferred from it. */
export declare const types: unique symbol

/** A field under construction. */
export interface FieldBuilder<T extends FieldTypes = FieldTypes> {
  readonly definition: FieldDefinition
  readonly [types]?: T
}
