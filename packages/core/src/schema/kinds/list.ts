import { Law } from '../../op/law.ts'
import type { Value } from '../../op/value.ts'
import { decodeElement, elementDefinition, elementKind, encodeElement } from './element.ts'
import { canonicalJson, json } from './json.ts'
import { describe, type Kind, Refusal, type Shown } from './kind.ts'

/** An item as the view of the law shows it. */
interface Item {
  readonly id: string
  readonly value: Value
}

// What an older or newer app put in that does not fit is not shown; the cell keeps it.
const itemsOf = (value: Shown, definition: Parameters<Kind['fits']>[1]): readonly Item[] =>
  (value as unknown as readonly Item[]).filter((item) =>
    elementKind(definition).fits(item.value, elementDefinition(definition)),
  )

export const list: Kind = {
  law: () => Law.item,
  sqlType: 'TEXT',
  encode: (value, definition) => {
    if (!Array.isArray(value)) throw new Refusal(`${describe(value)} instead of an array of values`)
    return value.map((element: unknown) => encodeElement(element, definition))
  },
  fits: Array.isArray,
  decode: (value, definition) =>
    itemsOf(value, definition).map((item) => ({ id: item.id, value: decodeElement(item.value, definition) })),
  toSql: (value, definition) =>
    canonicalJson(itemsOf(value, definition).map(({ id, value: shown }) => ({ id, value: shown }))),
  fromSql: (value, definition) => {
    const items = json.fromSql(value, definition)
    if (!Array.isArray(items)) return items
    return items.map((item: Item) => ({ id: item.id, value: decodeElement(item.value, definition) }))
  },
}
