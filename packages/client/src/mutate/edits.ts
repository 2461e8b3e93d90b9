/**
 * What a mutation does to fields that hold more than one register: sets, lists, JSON under deep merge. Each edit is told as the
 * changes that are written, and the value that the field shows after them.
 */
import {
  decodeField,
  diff,
  DriftlogError,
  type ElementChange,
  encodeField,
  type Field,
  type ItemChange,
  Law,
  positionsBetween,
  type Value,
  valueKey,
} from '@driftlog/core'

export interface Edit {
  readonly law: Law
  /** Below the field. */
  readonly keys?: readonly string[]
  readonly value: Value
}

export interface Edited {
  readonly edits: readonly Edit[]
  /** What the field shows after them, as its view would. */
  readonly shown: Value
}

/** An item of a list with the place where it stands. */
export interface PlacedItem {
  readonly id: string
  readonly position: string
  readonly value: Value
}

const refuse = (field: Field, why: string): DriftlogError =>
  new DriftlogError('VALUE_INVALID', `${field.table}.${field.name}: ${why}`, { table: field.table, field: field.name })

/** The field under deep merge takes `after` where it showed `before`. */
export const editJson = (before: Value | undefined, after: Value): Edited => ({
  edits: diff(before, after).map(({ keys, value }) => ({ law: Law.put, keys, value })),
  shown: after,
})

const isElementChange = (given: unknown): given is ElementChange =>
  typeof given === 'object' && given !== null && 'change' in given && 'elements' in given

/**
 * A set that showed `before`, and shows `now` by what the mutation has asked for so far, is to have other elements: those of an array,
 * or some more or fewer. What does not fit the field is not shown, so nobody means to take it out.
 */
export const editSet = (field: Field, before: readonly Value[], now: readonly Value[], given: unknown): Edited => {
  const known = byKey(before)
  const after = byKey(now)
  if (isElementChange(given)) {
    const elements = encodeField(field, given.elements) as readonly Value[]
    for (const element of elements) {
      if (given.change === 'add') after.set(valueKey(element), element)
      else after.delete(valueKey(element))
    }
  } else {
    const elements = encodeField(field, given) as readonly Value[]
    for (const [key, element] of after) if (isShown(field, element)) after.delete(key)
    for (const element of elements) after.set(valueKey(element), element)
  }
  const edits: Edit[] = []
  for (const [key, value] of known) if (!after.has(key)) edits.push({ law: Law.remove, value })
  for (const [key, value] of after) if (!known.has(key)) edits.push({ law: Law.add, value })
  return { edits, shown: [...after].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value) }
}

const byKey = (elements: readonly Value[]): Map<string, Value> =>
  new Map(elements.map((element) => [valueKey(element), element]))

const isShown = (field: Field, element: Value): boolean => (decodeField(field, [element]) as unknown[]).length > 0

/** Who makes new items: positions and ids. */
export interface ItemSource {
  readonly author: string
  /** Of this mutation alone. */
  readonly unique: string
  newId(): string
}

export interface EditedList {
  readonly edits: readonly Edit[]
  readonly items: readonly PlacedItem[]
}

/** Values as the items of a list, in the place of those that it had: a row that comes back, or is there, may have some. */
export const fillList = (
  field: Field,
  before: readonly PlacedItem[],
  given: unknown,
  source: ItemSource,
): EditedList => {
  const values = encodeField(field, given) as readonly Value[]
  const positions = positionsBetween(undefined, undefined, values.length, source)
  const items = values.map((value, index) => ({ id: source.newId(), position: positions[index], value }))
  return {
    edits: [
      ...before.map(({ id }) => ({ law: Law.drop, value: id })),
      ...items.map(({ id, position, value }) => ({ law: Law.item, value: [id, position, value] })),
    ],
    items,
  }
}

// Where two items share a position, what is put between them is behind both.
const byPlace = (a: PlacedItem, b: PlacedItem): number =>
  a.position < b.position || (a.position === b.position && a.id < b.id) ? -1 : 1

/** `given`: one change of a list's items, or several in order. */
export const editList = (
  field: Field,
  before: readonly PlacedItem[],
  given: unknown,
  source: ItemSource,
): EditedList => {
  const changes = (Array.isArray(given) ? given : [given]) as readonly ItemChange[]
  const items = [...before]
  const edits: Edit[] = []
  const indexOf = (id: string): number => {
    const index = items.findIndex((item) => item.id === id)
    if (index < 0) throw refuse(field, `no item ${JSON.stringify(id)}`)
    return index
  }
  const place = (at: number): string => {
    if (!Number.isSafeInteger(at) || at < 0 || at > items.length) throw refuse(field, `no place ${at} in the list`)
    return positionsBetween(items[at - 1]?.position, items[at]?.position, 1, source)[0]
  }
  const valueOf = (value: unknown): Value => (encodeField(field, [value]) as readonly Value[])[0]
  for (const change of changes) {
    switch (change?.change) {
      case 'insertItem': {
        const at = change.at ?? items.length
        const item = { id: source.newId(), position: place(at), value: valueOf(change.value) }
        items.splice(at, 0, item)
        items.sort(byPlace)
        edits.push({ law: Law.item, value: [item.id, item.position, item.value] })
        break
      }
      case 'moveItem': {
        const [item] = items.splice(indexOf(change.id), 1)
        const moved = { ...item, position: place(change.at) }
        items.splice(change.at, 0, moved)
        items.sort(byPlace)
        edits.push({ law: Law.item, value: [moved.id, moved.position] })
        break
      }
      case 'setItem': {
        const index = indexOf(change.id)
        items[index] = { ...items[index], value: valueOf(change.value) }
        edits.push({ law: Law.item, value: [change.id, null, items[index].value] })
        break
      }
      case 'removeItem':
        items.splice(indexOf(change.id), 1)
        edits.push({ law: Law.drop, value: change.id })
        break
      default:
        throw refuse(field, 'a list changes by f.insertItem, f.moveItem, f.setItem and f.removeItem')
    }
  }
  return { edits, items }
}
