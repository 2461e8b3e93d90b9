/**
 * The vocabulary of schemas: `f.string()`, `f.date().optional()`, `f.enum('open', 'done').default('open')` …
 *
 * Builders are frozen; each call returns a new one. What is wrong with a field is said by `defineSchema`, which knows
 * its name.
 */
import { DriftlogError } from '../errors.ts'
import type {
  ElementChange,
  FieldBuilder,
  FieldDefinition,
  FieldTypes,
  Increment,
  ItemChange,
  ListItem,
  RefDeleteLaw,
  types,
} from './field.ts'
import { type CustomStrategy, strategies, type StrategyCandidate, type TieRule } from './strategy.ts'

interface Register<T, Omittable extends boolean, Searchable extends boolean = false> {
  readonly row: T
  readonly insert: T
  readonly update: T
  readonly isOmittable: Omittable
  readonly isSearchable: Searchable
}

/** How concurrent values of a field are decided about; the table's way where none is called. See `strategies`. */
interface Strategic<Self, T> {
  lastWriterWins(): Self
  timestamp(options?: { readonly tie?: TieRule }): Self
  priority(rank: (candidate: StrategyCandidate<T>) => number): Self
  custom(strategy: CustomStrategy<T>): Self
  manual(): Self
}

/** A field with one value, of which a strategy shows one where several were written at the same time. */
export interface RegisterBuilder<T, Omittable extends boolean = false>
  extends FieldBuilder<Register<T, Omittable>>,
    Strategic<RegisterBuilder<T, Omittable>, T> {
  /** null becomes a value of the field, and what it is where insert leaves it out. */
  optional(): RegisterBuilder<T | null, true>
  /** Shown where nothing was written. */
  default(value: NonNullable<T>): RegisterBuilder<T, true>
  /** Two rows that show one value are an open conflict; a mutation that would make one throws VALUE_TAKEN. */
  unique(): RegisterBuilder<T, Omittable>
}

export interface StringBuilder<
  T extends string | null = string,
  Omittable extends boolean = false,
  Searchable extends boolean = false,
> extends FieldBuilder<Register<T, Omittable, Searchable>>,
    Strategic<StringBuilder<T, Omittable, Searchable>, T> {
  optional(): StringBuilder<T | null, true, Searchable>
  default(value: string): StringBuilder<T, true, Searchable>
  unique(): StringBuilder<T, Omittable, Searchable>
  /** Its words can be found by `db.search`. */
  search(): StringBuilder<T, Omittable, true>
}

export interface JsonBuilder<T, Omittable extends boolean = false>
  extends FieldBuilder<Register<T, Omittable>>,
    Strategic<JsonBuilder<T, Omittable>, T> {
  optional(): JsonBuilder<T | null, true>
  default(value: NonNullable<T>): JsonBuilder<T, true>
  /**
   * Every path of its objects is merged by itself: an update is compared with what it takes the place of, and only what differs
   * is written. Arrays are replaced whole.
   */
  deepMerge(): DeepBuilder<T, Omittable>
}

/** JSON under deep merge: a law of its own, so it has no strategy. */
export interface DeepBuilder<T, Omittable extends boolean = false> extends FieldBuilder<Register<T, Omittable>> {
  optional(): DeepBuilder<T | null, true>
  default(value: NonNullable<T>): DeepBuilder<T, true>
}

/** A sum of increments. Insert may give its first one; 0 otherwise. */
export interface CounterBuilder
  extends FieldBuilder<{
    readonly row: number
    readonly insert: number | Increment
    readonly update: Increment
    readonly isOmittable: true
    readonly isSearchable: false
  }> {
  /** Increments below 0 are refused, here and from others. */
  growOnly(): CounterBuilder
}

/** Elements, each there once, in a stable order. Insert may give some; none otherwise. */
export interface SetBuilder<T>
  extends FieldBuilder<{
    readonly row: readonly T[]
    readonly insert: readonly T[]
    readonly update: readonly T[] | ElementChange<T>
    readonly isOmittable: true
    readonly isSearchable: false
  }> {
  /** Of an addition and a removal at the same time the later one counts; otherwise the addition does. */
  lastWrite(): SetBuilder<T>
}

/** Items in the order that people gave them. Insert may give the first ones; none otherwise. */
export type ListBuilder<T> = FieldBuilder<{
  readonly row: readonly ListItem<T>[]
  readonly insert: readonly T[]
  readonly update: ItemChange<T> | readonly ItemChange<T>[]
  readonly isOmittable: true
  readonly isSearchable: false
}>

/** What JSON can say. Objects are plain, numbers finite. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

type Particulars = FieldDefinition extends infer D
  ? D extends unknown
    ? Omit<D, 'isOptional' | 'isSearchable' | 'isUnique' | 'default' | 'strategy'>
    : never
  : never

const define = (particulars: Particulars): FieldDefinition =>
  Object.freeze({
    ...particulars,
    isOptional: false,
    isSearchable: false,
    isUnique: false,
    default: undefined,
    strategy: undefined,
  }) as FieldDefinition

type Method = (given?: never) => object

/** What each method changes of a definition. */
const methods = {
  optional: () => ({ isOptional: true }),
  default: (value: unknown) => ({ default: value }),
  unique: () => ({ isUnique: true }),
  search: () => ({ isSearchable: true }),
  deepMerge: () => ({ isDeep: true }),
  growOnly: () => ({ growsOnly: true }),
  lastWrite: () => ({ wins: 'last-write' }),
  lastWriterWins: () => ({ strategy: strategies.lastWriterWins() }),
  timestamp: (options?: { readonly tie?: TieRule }) => ({ strategy: strategies.timestamp(options) }),
  priority: (rank: (candidate: StrategyCandidate) => number) => ({ strategy: strategies.priority(rank) }),
  custom: (strategy: CustomStrategy) => ({ strategy: strategies.custom(strategy) }),
  manual: () => ({ strategy: strategies.manual() }),
} satisfies Record<string, (given: never) => object>

const VALUE = ['optional', 'default'] as const
const STRATEGIC = ['lastWriterWins', 'timestamp', 'priority', 'custom', 'manual'] as const

const methodsOf = (definition: FieldDefinition): readonly (keyof typeof methods)[] => {
  switch (definition.kind) {
    case 'string':
      return [...VALUE, ...STRATEGIC, 'unique', 'search']
    case 'json':
      return definition.isDeep ? VALUE : [...VALUE, ...STRATEGIC, 'deepMerge']
    case 'counter':
      return ['growOnly']
    case 'set':
      return ['lastWrite']
    case 'list':
      return []
    default:
      return [...VALUE, ...STRATEGIC, 'unique']
  }
}

// The run-time object of every builder has the methods that its declared type says, and no others.
const build = (definition: FieldDefinition): FieldBuilder => {
  const methodOf = (name: keyof typeof methods) => (given: unknown) =>
    build(Object.freeze({ ...definition, ...(methods[name] as Method)(given as never) }) as FieldDefinition)
  return Object.freeze({
    definition,
    ...Object.fromEntries(methodsOf(definition).map((name) => [name, methodOf(name)])),
  })
}

const register = <T>(particulars: Particulars): RegisterBuilder<T> => build(define(particulars)) as RegisterBuilder<T>

type ValueOf<B> = B extends { readonly [types]?: infer T } ? Extract<T, FieldTypes>['row'] : never

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
  /** JSON as one value, replaced whole (or see `deepMerge`). `T` is the app's word for its shape; it is not checked. */
  json: <T = Json>(): JsonBuilder<T> => build(define({ kind: 'json', isDeep: false })) as JsonBuilder<T>,
  /** The id of a row of another table. It may name a row that is not there (yet, or any more): join with leftJoin. */
  ref: (table: string, options: { readonly onDelete?: RefDeleteLaw } = {}): RegisterBuilder<string> =>
    register({ kind: 'ref', target: table, onDelete: options.onDelete ?? 'keep' }),
  counter: (): CounterBuilder => build(define({ kind: 'counter', growsOnly: false })) as CounterBuilder,
  /** A set of values of another field: text, numbers, booleans, dates, options, references. */
  set: <const B extends FieldBuilder>(element: B): SetBuilder<ValueOf<B>> =>
    build(define({ kind: 'set', element: element.definition, wins: 'add' })) as SetBuilder<ValueOf<B>>,
  /** An ordered list of values of another field: those of a set, and JSON. */
  list: <const B extends FieldBuilder>(element: B): ListBuilder<ValueOf<B>> =>
    build(define({ kind: 'list', element: element.definition })) as ListBuilder<ValueOf<B>>,
  /** Adds `by` to a counter, a whole number up to 2^53, maybe below 0. Throws VALUE_INVALID. */
  increment: (by: number): Increment => {
    if (!Number.isSafeInteger(by)) {
      throw new DriftlogError('VALUE_INVALID', 'an increment is a whole number up to 2^53', { by })
    }
    return Object.freeze({ change: 'increment', by: by + 0 })
  },
  /** Puts elements into a set. */
  add: <const T>(...elements: readonly T[]): ElementChange<T> => Object.freeze({ change: 'add', elements }),
  /** Takes elements out of a set: as far as they are known to be in it. */
  remove: <const T>(...elements: readonly T[]): ElementChange<T> => Object.freeze({ change: 'remove', elements }),
  /** Puts an item into a list; at its end where no index is given. */
  insertItem: <const T>(value: T, { at }: { readonly at?: number } = {}): ItemChange<T> =>
    Object.freeze({ change: 'insertItem', value, at }),
  /** Moves an item to the index that it is to have. */
  moveItem: (id: string, at: number): ItemChange<never> => Object.freeze({ change: 'moveItem', id, at }),
  setItem: <const T>(id: string, value: T): ItemChange<T> => Object.freeze({ change: 'setItem', id, value }),
  removeItem: (id: string): ItemChange<never> => Object.freeze({ change: 'removeItem', id }),
})
