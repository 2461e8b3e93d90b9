import { Law } from '../../op/law.ts'
import type { Value } from '../../op/value.ts'
import { canonicalJson, json } from './json.ts'
import { describe, type Kind, Refusal } from './kind.ts'
import { decodeElement, elementsOf, encodeElement } from './element.ts'

export const set: Kind = {
  law: () => Law.add,
  sqlType: 'TEXT',
  encode: (value, definition) => {
    if (!Array.isArray(value)) throw new Refusal(`${describe(value)} instead of an array, f.add(…) or f.remove(…)`)
    return value.map((element: unknown) => encodeElement(element, definition))
  },
  fits: Array.isArray,
  // What an older or newer app put in that does not fit is not shown; the cell keeps it.
  decode: (value, definition) => elementsOf(value, definition).map((element) => decodeElement(element, definition)),
  toSql: (value, definition) => canonicalJson(elementsOf(value, definition) as Value),
  fromSql: (value, definition) => {
    const elements = json.fromSql(value, definition)
    return Array.isArray(elements) ? elements.map((element: Value) => decodeElement(element, definition)) : elements
  },
}
