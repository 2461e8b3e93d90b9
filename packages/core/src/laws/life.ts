/**
 * The life of a row (SPEC CELL5), kept so that every view of it can be read off:
 * - `touches`: the changes to the row (of any law but delete) that neither a delete nor a later change has seen;
 * - `deletes`: the deletes that neither an insert nor a later delete has seen.
 *
 * update-wins: the row lives while a change has not been seen by a delete. A change replaces the changes that it saw,
 * because a delete that saw the later one saw the earlier one too.
 * delete-wins: the row is dead while a delete has not been seen by an insert.
 */
import type { DotRef } from '../op/dot-ref.ts'

/** manual: as update-wins, and a person is asked. */
export type DeleteLaw = 'update-wins' | 'delete-wins' | 'manual'

export interface Life {
  touches: DotRef[]
  deletes: DotRef[]
}

type Sees = (ref: DotRef) => boolean

const without = (refs: DotRef[], sees: Sees): DotRef[] => {
  for (const ref of refs) if (sees(ref)) return refs.filter((other) => !sees(other))
  return refs
}

/** In place, where there are any: rows that nobody touched may share one empty array. */
const replaceSeen = (refs: DotRef[], ref: DotRef, sees: Sees): DotRef[] => {
  if (refs.length === 0) return [ref]
  let left = 0
  for (let index = 0; index < refs.length; index++) if (!sees(refs[index])) refs[left++] = refs[index]
  refs[left++] = ref
  if (refs.length > left) refs.length = left
  return refs
}

/** `sees`: whether the op of this change had seen another, or is it. */
export const touch = (life: Life, ref: DotRef, sees: Sees): void => {
  life.touches = replaceSeen(life.touches, ref, sees)
}

export const insert = (life: Life, ref: DotRef, sees: Sees): void => {
  touch(life, ref, sees)
  if (life.deletes.length > 0) life.deletes = without(life.deletes, sees)
}

/** `kills`: which changes a delete takes with it: all that it saw, or those that it names. */
export const remove = (life: Life, ref: DotRef, sees: Sees, kills: Sees = sees): void => {
  life.touches = without(life.touches, kills)
  life.deletes = replaceSeen(life.deletes, ref, sees)
}

export const isLive = (life: Life, law: DeleteLaw): boolean =>
  life.touches.length > 0 && (law !== 'delete-wins' || life.deletes.length === 0)

/** Dead whichever law rules: a tombstone (CELL7). */
export const isTombstone = (life: Life): boolean => life.touches.length === 0
