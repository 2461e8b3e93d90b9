/**
 * Sets (SPEC CELL3): a register of presence per element, kept so that both views can be read off.
 * - `touches`: the additions that neither a removal nor a later addition has seen;
 * - `deletes`: the removals that neither an addition nor a later removal has seen.
 *
 * observed-remove (OR-Set; Shapiro et al. 2011): a removal takes away the additions that it had seen, and no others.
 * last-write (LWW-Element-Set, ibid.): of the writes that no other has seen, the last in total order decides.
 *
 * An element is its canonical value bytes, and elements show in the order of these.
 */
import { ByteWriter } from '../codec/bytes.ts'
import type { DotRef } from '../op/dot-ref.ts'
import { Law } from '../op/law.ts'
import { type Value, writeValue } from '../op/value.ts'
import type { Compare, ComposedLaw } from './composed.ts'
import { insert, type Life, remove } from './life.ts'

interface Element extends Life {
  readonly value: Value
}

export interface Elements {
  /** By `valueKey`. Elements that are removed stay: an addition that the removal has not seen may still come. */
  readonly byKey: Map<string, Element>
  /** The keys of the elements with a surviving addition and a surviving removal. */
  readonly contested: Set<string>
}

/** Additions and removals of one element that have not seen each other, each by rising total order. */
export interface ContestedElement {
  readonly value: Value
  readonly adds: readonly DotRef[]
  readonly removes: readonly DotRef[]
}

const isShortAscii = (text: string): boolean => {
  if (text.length > 127) return false
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 127) return false
  return true
}

/**
 * A value's canonical bytes (OP2) as text of one character each: equal for equal values, and it sorts as the bytes do.
 * Elements are mostly short text and small numbers; for these, no bytes are made.
 */
export const valueKey = (value: Value): string => {
  if (typeof value === 'string' && isShortAscii(value)) return String.fromCharCode(128 + value.length) + value
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 112)
    return String.fromCharCode(16 + value)
  const writer = new ByteWriter(64)
  writeValue(writer, value)
  let key = ''
  for (const byte of writer.finish()) key += String.fromCharCode(byte)
  return key
}

const sortedKeys = (keys: Iterable<string>): string[] => [...keys].sort()

export const elements: ComposedLaw<Elements> = {
  fits: ({ law, keys }) => (law === Law.add || law === Law.remove) && keys.length === 0,

  create: () => ({ byKey: new Map(), contested: new Set() }),

  enter: (state, { law, value }, op) => {
    const sees = (ref: DotRef): boolean => op.sees(ref)
    const key = valueKey(value)
    let element = state.byKey.get(key)
    if (element === undefined) {
      element = { value, touches: [], deletes: [] }
      state.byKey.set(key, element)
    }
    if (law === Law.add) insert(element, op.ref, sees)
    else remove(element, op.ref, sees)
    if (element.touches.length > 0 && element.deletes.length > 0) state.contested.add(key)
    else state.contested.delete(key)
  },

  write: ({ byKey }, writer, writeRef, compare) => {
    writer.varint(byKey.size)
    for (const key of sortedKeys(byKey.keys())) {
      const { value, touches, deletes } = byKey.get(key)!
      writeValue(writer, value)
      for (const refs of [touches, deletes]) {
        writer.varint(refs.length)
        for (const ref of refs.toSorted(compare)) writeRef(ref)
      }
    }
  },
}

const shown = ({ byKey }: Elements, isShown: (element: Element) => boolean): Value[] => {
  const keys: string[] = []
  for (const [key, element] of byKey) if (isShown(element)) keys.push(key)
  return sortedKeys(keys).map((key) => byKey.get(key)!.value)
}

/** Observed-remove: an addition is there that no removal has seen. */
export const isObserved = ({ touches }: Life): boolean => touches.length > 0

/** Last-write: the last surviving write in total order is an addition. */
export const isWrittenLast = ({ touches, deletes }: Life, compare: Compare): boolean =>
  touches.some((added) => deletes.every((removed) => compare(removed, added) < 0))

export const observedRemove = (state: Elements): Value[] => shown(state, isObserved)

export const lastWrite = (state: Elements, compare: Compare): Value[] =>
  shown(state, (element) => isWrittenLast(element, compare))

export const isContested = (state: Elements): boolean => state.contested.size > 0

export const contestedElements = ({ byKey, contested }: Elements, compare: Compare): ContestedElement[] =>
  sortedKeys(contested).map((key) => {
    const { value, touches, deletes } = byKey.get(key)!
    return { value, adds: touches.toSorted(compare), removes: deletes.toSorted(compare) }
  })

/** The surviving additions and removals of an element; undefined where it never was in the set. */
export const elementLife = ({ byKey }: Elements, element: Value): Life | undefined => byKey.get(valueKey(element))
