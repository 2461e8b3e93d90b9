import { describe, type Kind, Refusal, type SqlValue } from './kind.ts'

const checkNumber = (value: unknown): number => {
  if (typeof value !== 'number') throw new Refusal(`${describe(value)} instead of a number`)
  if (!Number.isFinite(value)) throw new Refusal(`${value} is not a finite number`)
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw new Refusal(`${value} is an integer beyond 2^53`)
  // -0 has no encoding in the log; it equals 0 wherever an app can tell.
  return value === 0 ? 0 : value
}

export const number: Kind = {
  // REAL, so that a division in SQL is the division of JavaScript whatever the value.
  sqlType: 'REAL',
  encode: checkNumber,
  fits: (value) => typeof value === 'number',
  decode: (value) => value,
  toSql: (value) => value as SqlValue,
  fromSql: (value) => value,
}

export const integer: Kind = {
  ...number,
  sqlType: 'INTEGER',
  encode: (value) => {
    const checked = checkNumber(value)
    if (!Number.isInteger(checked)) throw new Refusal(`${checked} is not a whole number`)
    return checked
  },
  fits: (value) => Number.isSafeInteger(value),
}
