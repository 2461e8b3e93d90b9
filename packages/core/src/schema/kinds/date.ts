import { describe, type Kind, Refusal, type SqlValue } from './kind.ts'

/** The range of Date, in milliseconds around the Unix epoch. */
const MAX_MS = 8.64e15

// Cross-realm: a Date from an iframe is one too.
const isDate = (value: unknown): value is Date => Object.prototype.toString.call(value) === '[object Date]'

const inRange = (value: unknown): value is number => Number.isSafeInteger(value) && Math.abs(value as number) <= MAX_MS

export const dateFromSql = (value: SqlValue): unknown => (inRange(value) ? new Date(value) : value)

/** In the log and in SQL: milliseconds since the Unix epoch. */
export const date: Kind = {
  sqlType: 'INTEGER',
  encode: (value) => {
    if (!isDate(value)) throw new Refusal(`${describe(value)} instead of a Date`)
    const ms = value.getTime()
    if (Number.isNaN(ms)) throw new Refusal('an invalid Date')
    return ms
  },
  fits: inRange,
  decode: (value) => new Date(value as number),
  toSql: (value) => value as SqlValue,
  fromSql: dateFromSql,
}
