/**
 * What there is to know of a kind of field, in one place: how its values go into the log, out of it, into SQL and back.
 * Everything but `encode` is total: another app version may have written anything.
 */
import type { CounterTotal } from '../../laws/counter.ts'
import type { Law } from '../../op/law.ts'
import type { Value } from '../../op/value.ts'
import type { FieldDefinition } from '../field.ts'

/** What a cell shows: a register's value or a counter's total. */
export type Shown = Value | CounterTotal

export type SqlValue = number | string | null

export interface Kind {
  /** Whose cells the field shows: those of a register, unless it says otherwise. */
  readonly law?: (definition: FieldDefinition) => Law
  readonly sqlType: 'TEXT' | 'INTEGER' | 'REAL'
  /** The app's value, not null, as a log value. Throws `Refusal`. */
  readonly encode: (value: unknown, definition: FieldDefinition) => Value
  /** Whether the field can show this value, not null. */
  readonly fits: (value: Shown, definition: FieldDefinition) => boolean
  /** A value that fits, as the app sees it: never an object that the log holds. */
  readonly decode: (value: Shown, definition: FieldDefinition) => unknown
  /** A value that fits, as the column holds it. */
  readonly toSql: (value: Shown, definition: FieldDefinition) => SqlValue
  /** What a column of this kind returns, as the app sees it; what does not look like it is returned as it is. */
  readonly fromSql: (value: SqlValue, definition: FieldDefinition) => unknown
}

/** Why a value cannot be taken. `encodeField` adds whose. */
export class Refusal extends Error {
  readonly code: 'VALUE_INVALID' | 'TOO_LARGE'

  constructor(why: string, code: Refusal['code'] = 'VALUE_INVALID') {
    super(why)
    this.code = code
  }
}

/** How a message calls a value that came instead of the right one. */
export const describe = (value: unknown): string => {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value !== 'object') return typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name
  return typeof name === 'string' && name !== '' && name !== 'Object' ? `a ${name}` : 'an object'
}

export const wellFormed = (text: string, what: string): string => {
  if (!text.isWellFormed()) throw new Refusal(`${what} with a lone surrogate`)
  return text
}
