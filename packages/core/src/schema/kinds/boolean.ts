import { describe, type Kind, Refusal } from './kind.ts'

export const boolean: Kind = {
  sqlType: 'INTEGER',
  encode: (value) => {
    if (typeof value !== 'boolean') throw new Refusal(`${describe(value)} instead of a boolean`)
    return value
  },
  fits: (value) => typeof value === 'boolean',
  decode: (value) => value,
  toSql: (value) => (value === true ? 1 : 0),
  fromSql: (value) => (value === 1 ? true : value === 0 ? false : value),
}
