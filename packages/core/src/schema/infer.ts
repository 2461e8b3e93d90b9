/** The types that follow from a schema. */
import type { FieldBuilder, FieldTypes, types } from './field.ts'

/** The fields that a table was given, by name. */
export type Fields = { readonly [name: string]: FieldBuilder }

/** Anything that carries a table's fields: what `table` returns, and the tables of a schema. */
export interface TypedTable<F extends Fields = Fields> {
  readonly [types]?: F
}

type FieldsOf<T> = T extends TypedTable<infer F> ? F : never
type TypesOf<B> = B extends { readonly [types]?: infer T } ? Extract<T, FieldTypes> : never
type Part<F extends Fields, P extends keyof FieldTypes> = { [K in keyof F]: TypesOf<F[K]>[P] }
type Omittable<F extends Fields> = { [K in keyof F]: TypesOf<F[K]>['isOmittable'] extends true ? K : never }[keyof F]
type Flat<T> = { [K in keyof T]: T[K] }

/** What every row has besides its fields. */
export interface RowMeta {
  id: string
  /** When the row was first written, by its author's clock. */
  createdAt: Date
  /** The device that first wrote it. */
  createdBy: string
  updatedAt: Date
}

/** A row as queries and `tx.get` return it. */
export type InferRow<T extends TypedTable> = Flat<
  RowMeta & { -readonly [K in keyof FieldsOf<T>]: Part<FieldsOf<T>, 'row'>[K] }
>

/** What `insert` takes. An `id` is made up where none is given. */
export type InferInsert<T extends TypedTable> = Flat<
  { readonly id?: string } & {
    readonly [K in Exclude<keyof FieldsOf<T>, Omittable<FieldsOf<T>>>]: Part<FieldsOf<T>, 'insert'>[K]
  } & { readonly [K in Omittable<FieldsOf<T>>]?: Part<FieldsOf<T>, 'insert'>[K] }
>

/** What `update` takes: the fields to change. */
export type InferUpdate<T extends TypedTable> = { readonly [K in keyof FieldsOf<T>]?: Part<FieldsOf<T>, 'update'>[K] }

/** The names of a schema's tables that have a field with `.search()`. */
export type SearchableTable<S extends TypedSchema> = {
  [K in keyof S['tables'] & string]: true extends Part<FieldsOf<S['tables'][K]>, 'isSearchable'>[keyof FieldsOf<
    S['tables'][K]
  >]
    ? K
    : never
}[keyof S['tables'] & string]

export interface TypedSchema {
  readonly tables: { readonly [name: string]: TypedTable }
}

/** A schema's tables as Kysely takes them. */
export type InferDatabase<S extends TypedSchema> = { [K in keyof S['tables'] & string]: InferRow<S['tables'][K]> }
