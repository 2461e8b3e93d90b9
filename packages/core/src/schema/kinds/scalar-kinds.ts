/** The kinds of fields that hold one value: those that a set or a list can hold too. */
import type { FieldKind } from '../field.ts'
import { boolean } from './boolean.ts'
import { counter } from './counter.ts'
import { date } from './date.ts'
import { enumeration } from './enum.ts'
import { json } from './json.ts'
import type { Kind } from './kind.ts'
import { integer, number } from './number.ts'
import { ref } from './ref.ts'
import { string } from './string.ts'

export const scalarKinds: Readonly<Record<Exclude<FieldKind, 'set' | 'list'>, Kind>> = {
  string,
  number,
  integer,
  boolean,
  date,
  enum: enumeration,
  json,
  ref,
  counter,
}
