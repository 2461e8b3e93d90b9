import { describe, type Kind, Refusal, type SqlValue, wellFormed } from './kind.ts'

export const string: Kind = {
  sqlType: 'TEXT',
  encode: (value) => {
    if (typeof value !== 'string') throw new Refusal(`${describe(value)} instead of a string`)
    return wellFormed(value, 'text')
  },
  fits: (value) => typeof value === 'string',
  decode: (value) => value,
  toSql: (value) => value as SqlValue,
  fromSql: (value) => value,
}
