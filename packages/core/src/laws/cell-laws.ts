/** Which cell each change goes to, and what a change must look like for its op not to be void (SPEC CELL1, OP5). */
import { Law } from '../op/law.ts'
import type { Value } from '../op/value.ts'
import type { ComposedLaw } from './composed.ts'
import { elements } from './elements.ts'
import { list } from './list.ts'
import { fitsReopened } from './reopened.ts'
import { tree } from './tree.ts'

/** A reason is a sentence or two, not a document. */
export const MAX_REASON_LENGTH = 2_000

/** Cells that several laws change are filed under one of them. */
export const cellLawOf = (law: number): number =>
  law === Law.reopen || law === Law.resolve ? Law.set : law === Law.remove ? Law.add : law === Law.drop ? Law.item : law

/** The laws of cells that hold more than one register, by the law that their cells are filed under. */
export const composedLaw = (cellLaw: number): ComposedLaw<unknown> | undefined =>
  cellLaw === Law.add ? elements : cellLaw === Law.item ? list : cellLaw === Law.put ? tree : undefined

/** Of a row's life, where a field is named otherwise. */
export const isOfLife = (law: number, path: readonly string[]): boolean => law === Law.resolve && path[0] === ''

const isReason = (value: Value): boolean => typeof value === 'string' && value.length <= MAX_REASON_LENGTH

/** `[reason, how many of what it names are deletions (they come first), whether the row is deleted from then on]`. */
const isVerdict = (value: Value): boolean =>
  Array.isArray(value) &&
  value.length === 3 &&
  isReason(value[0] as Value) &&
  Number.isSafeInteger(value[1]) &&
  (value[1] as number) >= 0 &&
  typeof value[2] === 'boolean'

/** Whether a change to a field has the shape that its law asks for. `path`: the field, then keys of its JSON. */
export const fitsLaw = (law: number, path: readonly string[], value: Value): boolean => {
  switch (law) {
    case Law.set:
      return true
    case Law.increment:
      return Number.isSafeInteger(value)
    case Law.grow:
      return Number.isSafeInteger(value) && (value as number) >= 0
    case Law.reopen:
      return fitsReopened(value)
    case Law.resolve:
      return isOfLife(law, path) ? isVerdict(value) : isReason(value)
    default:
      return composedLaw(cellLawOf(law))?.fits({ law, keys: path.slice(1), value }) ?? true
  }
}
