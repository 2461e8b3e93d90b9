/** Between the app's values and the log's. */
import { DriftlogError } from '../errors.ts'
import { Law } from '../op/law.ts'
import type { Value } from '../op/value.ts'
import type { Field } from './field.ts'
import { describe, Refusal, type Shown } from './kinds/kind.ts'
import { kinds } from './kinds/kinds.ts'

/** The law that a change to this field names, and whose cells it shows. */
export const lawOf = (field: Field): Law => kinds[field.kind].law?.(field) ?? Law.set

/**
 * An app's value as the log carries it (SCH5); detached from what the app holds. A counter takes a number (its first
 * increment) on insert only. Throws VALUE_INVALID, or TOO_LARGE for JSON of more items than an op has bytes; both name
 * the field.
 */
export const encodeField = (field: Field, value: unknown, change: 'insert' | 'update' = 'insert'): Value => {
  try {
    return encodeOrRefuse(field, value, change)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const where = `${field.table}.${field.name}`
    throw new DriftlogError(error.code, `${where}: ${error.message}`, { table: field.table, field: field.name })
  }
}

/** Throws `Refusal`. */
export const encodeOrRefuse = (field: Field, value: unknown, change: 'insert' | 'update'): Value => {
  if (value === null && field.isOptional) return null
  if (value === undefined) throw new Refusal('undefined')
  if (value === null && field.kind !== 'json') throw new Refusal('null, and the field is not optional')
  if (field.kind === 'counter' && change === 'update' && typeof value !== 'object') {
    throw new Refusal(`${describe(value)} instead of f.increment(n): a counter cannot be set`)
  }
  return kinds[field.kind].encode(value, field)
}

/**
 * What a field shows for what its cell holds (SCH6): that value where it fits, else the default, else null. Total: it
 * never throws, whatever another app version wrote. undefined: nothing was written.
 */
export const decodeField = (field: Field, value: Shown | undefined): unknown => {
  const shown = shownValue(field, value)
  return shown === null ? null : kinds[field.kind].decode(shown, field)
}

/** The log value that a field shows; null where there is none. */
export const shownValue = (field: Field, value: Shown | undefined): Shown => {
  if (value === undefined) return field.fallback
  if (value === null) return field.isOptional || field.kind === 'json' ? null : field.fallback
  return kinds[field.kind].fits(value, field) ? value : field.fallback
}
