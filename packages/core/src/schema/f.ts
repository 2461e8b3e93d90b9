/**
 * The vocabulary of schemas: `f.string()`, `f.date().optional()`, `f.enum('open', 'done').default('open')` …
 *
 * Builders are frozen; each call returns a new one. What is wrong with a field is said by `defineSchema`, which knows
 * its name.
 */
import { DriftlogError } from '../errors.ts'
import type { FieldBuilder, FieldDefinition, Increment, RefDeleteLaw } from './field.ts'

interface Register<T, Omittable extends boolean, Searchable extends boolean = false> {
  readonly row: T
  readonly insert: T
  readonly update: T
  readonly isOmittable: Omittable
  readonly isSearchable: Searchable
}

/** A field with one value, of which the last written is shown. */
export interface RegisterBuilder<T, Omittable extends boolean = false> extends FieldBuilder<Register<T, Omittable>> {
  /** null becomes a value of the field, and what it is where insert leaves it out. */
  optional(): RegisterBuilder<T | null, true>
  /** Shown where nothing was written. */
  default(value: NonNullable<T>): RegisterBuilder<T, true>
}

export interface StringBuilder<
  T extends string | null = string,
  Omittable extends boolean = false,
  Searchable extends boolean = false,
> extends FieldBuilder<Register<T, Omittable, Searchable>> {
  optional(): StringBuilder<T | null, true, Searchable>
  default(value: string): StringBuilder<T, true, Searchable>
  /** Its words can be found by `db.search`. */
  search(): StringBuilder<T, Omittable, true>
}

/** A sum of increments. Insert may give its first one; 0 otherwise. */
export type CounterBuilder = FieldBuilder<{
  readonly row: number
  readonly insert: number | Increment
  readonly update: Increment
  readonly isOmittable: true
  readonly isSearchable: false
}>

/** What JSON can say. Objects are plain, numbers finite. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

type Particulars = FieldDefinition extends infer D
  ? D extends unknown
    ? Omit<D, 'isOptional' | 'isSearchable' | 'default'>
    : never
  : never

const define = (particulars: Particulars): FieldDefinition =>
  Object.freeze({ ...particulars, isOptional: false, isSearchable: false, default: undefined }) as FieldDefinition

// The run-time object of every builder; its declared type says which of its methods there are.
const build = (definition: FieldDefinition): FieldBuilder => {
  const change = (changes: Partial<FieldDefinition>): FieldBuilder =>
    build(Object.freeze({ ...definition, ...changes }) as FieldDefinition)
  return Object.freeze({
    definition,
    optional: () => change({ isOptional: true }),
    default: (value: unknown) => change({ default: value }),
    ...(definition.kind === 'string' ? { search: () => change({ isSearchable: true }) } : {}),
  })
}

const register = <T>(particulars: Particulars): RegisterBuilder<T> => build(define(particulars)) as RegisterBuilder<T>

export const f = Object.freeze({
  /** Text of any length; lone surrogates are refused. */
  string: (): StringBuilder => build(define({ kind: 'string' })) as StringBuilder,
  /** A finite number; whole numbers up to 2^53. */
  number: (): RegisterBuilder<number> => register({ kind: 'number' }),
  /** A whole number up to 2^53. */
  integer: (): RegisterBuilder<number> => register({ kind: 'integer' }),
  boolean: (): RegisterBuilder<boolean> => register({ kind: 'boolean' }),
  /** A moment, to the millisecond. */
  date: (): RegisterBuilder<Date> => register({ kind: 'date' }),
  /** One of the strings listed. */
  enum: <const Options extends readonly [string, ...string[]]>(...options: Options): RegisterBuilder<Options[number]> =>
    register({ kind: 'enum', options: Object.freeze([...options]) }),
  /** JSON as one value, replaced whole. `T` is the app's word for its shape; it is not checked. */
  json: <T = Json>(): RegisterBuilder<T> => register({ kind: 'json' }),
  /** The id of a row of another table. It may name a row that is not there (yet, or any more): join with leftJoin. */
  ref: (table: string, options: { readonly onDelete?: RefDeleteLaw } = {}): RegisterBuilder<string> =>
    register({ kind: 'ref', target: table, onDelete: options.onDelete ?? 'keep' }),
  counter: (): CounterBuilder => Object.freeze({ definition: define({ kind: 'counter' }) }),
  /** Adds `by` to a counter, a whole number up to 2^53, maybe below 0. Throws VALUE_INVALID. */
  increment: (by: number): Increment => {
    if (!Number.isSafeInteger(by)) {
      throw new DriftlogError('VALUE_INVALID', 'an increment is a whole number up to 2^53', { by })
    }
    return Object.freeze({ change: 'increment', by: by + 0 })
  },
})
