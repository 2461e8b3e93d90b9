/**
 * What a schema says of one field: plain, frozen data. `f` builds it, `defineSchema` checks it and names it.
 */
import type { Value } from '../op/value.ts'

interface CommonDefinition {
  /** Whether null is a value of the field. */
  readonly isOptional: boolean
  readonly isSearchable: boolean
  /** The app's default as it was given; undefined: none. */
  readonly default: unknown
}

/** A new kind of field is one more member here, one file in kinds/ and one function in f.ts. */
export type FieldDefinition = CommonDefinition &
  (
    | { readonly kind: 'string' | 'number' | 'integer' | 'boolean' | 'date' | 'json' | 'counter' }
    | { readonly kind: 'enum'; readonly options: readonly string[] }
    | { readonly kind: 'ref'; readonly target: string; readonly onDelete: RefDeleteLaw }
  )

export type FieldKind = FieldDefinition['kind']

/** What becomes of a reference when the row that it names is deleted. keep: nothing; it may come back. */
export type RefDeleteLaw = 'keep'

/** A field of a checked schema. */
export type Field = FieldDefinition & {
  readonly table: string
  readonly name: string
  /** The log value that is shown where nothing that fits was written; null without a default. */
  readonly fallback: Value
}

/** Adds to a counter; made by `f.increment`. */
export interface Increment {
  readonly change: 'increment'
  /** A safe integer, maybe below 0. */
  readonly by: number
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
