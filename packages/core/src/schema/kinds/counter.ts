import { Law } from '../../op/law.ts'
import type { FieldDefinition } from '../field.ts'
import { describe, type Kind, Refusal } from './kind.ts'

const isIncrement = (value: unknown): value is { readonly by: unknown } =>
  typeof value === 'object' && value !== null && 'change' in value && value.change === 'increment' && 'by' in value

/**
 * The log keeps exact totals of any size; what is shown beyond 2^53 is the nearest double, because apps and SQL count in
 * numbers. The state stays exact.
 */
const growsOnly = (definition: FieldDefinition): boolean => definition.kind === 'counter' && definition.growsOnly

export const counter: Kind = {
  law: (definition) => (growsOnly(definition) ? Law.grow : Law.increment),
  sqlType: 'INTEGER',
  encode: (value, definition) => {
    const by = isIncrement(value) ? value.by : value
    if (!Number.isSafeInteger(by)) {
      throw new Refusal(
        `${typeof by === 'number' ? by : describe(by)} instead of f.increment(a whole number up to 2^53)`,
      )
    }
    if ((by as number) < 0 && growsOnly(definition)) throw new Refusal(`${by as number}: this counter only grows`)
    return by === 0 ? 0 : (by as number)
  },
  fits: (value) => typeof value === 'number' || typeof value === 'bigint',
  decode: (value) => Number(value),
  toSql: (value) => Number(value),
  fromSql: (value) => value,
}
