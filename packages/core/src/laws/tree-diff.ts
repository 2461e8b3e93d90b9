/**
 * The author's side of JSON under deep merge (SPEC CELL4): which paths to write so that a reader who shows one value shows
 * another. Only what differs is written, so that concurrent changes to the rest stay.
 *
 * Objects are descended into, those that are new as well: they are written by their leaves, and leaves that others add to the
 * same object meanwhile stay beside them. The law makes the objects above a leaf, whatever was there; so nothing has to be
 * written at their own path, where it would take away what others wrote below. Leaves are scalars, arrays, and an empty
 * object where there was none before. One that loses its last key needs no write: `[]` for the key says that it is there.
 */
import { equalValues, type Value } from '../op/value.ts'
import { isObject, type JsonObject, type Put } from './tree.ts'

export interface PathChange {
  /** Below the field; empty for the whole JSON. */
  readonly keys: readonly string[]
  readonly value: Put
}

const EMPTY: JsonObject = {}

const visit = (before: Value | undefined, after: Value, keys: readonly string[], changes: PathChange[]): void => {
  const isLeaf = !isObject(after) || (!isObject(before) && Object.keys(after).length === 0)
  if (isLeaf) {
    if (before === undefined || !equalValues(before, after)) changes.push({ keys, value: [after] })
    return
  }
  const known = isObject(before) ? before : EMPTY
  for (const key of Object.keys(known)) {
    if (!Object.hasOwn(after, key)) changes.push({ keys: [...keys, key], value: [] })
  }
  for (const [key, item] of Object.entries(after)) {
    visit(Object.hasOwn(known, key) ? known[key] : undefined, item, [...keys, key], changes)
  }
}

/**
 * The writes after which a reader shows `after` who has shown `before` (undefined: nothing), if nobody else writes. None is
 * at or above another's path; none where the two are equal. `after` is one that the kind has encoded.
 */
export const diff = (before: Value | undefined, after: Value): PathChange[] => {
  const changes: PathChange[] = []
  visit(before, after, [], changes)
  return changes
}
