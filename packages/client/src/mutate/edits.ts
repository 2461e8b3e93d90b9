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
  equalValues,
  type Field,
  type ItemChange,
  Law,
  type ListItem,
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

/** An item of a list with the place where it stands: what a form shows of it is remembered as a value. */
export type PlacedItem = {
  readonly id: string
  readonly position: string
  readonly value: Value
}

const refuse = (field: Field, why: string): DriftlogError =>
  new DriftlogError('VALUE_INVALID', `${field.table}.${field.name}: ${why}`, { table: field.table, field: field.name })

/** What an edit starts from. `now`: with what the mutation has asked for so far. */
interface Before<T, F> {
  readonly stored: T
  readonly now: T
  /** What the form shows that is saved; undefined: it is no form, and what is there now is meant. */
  readonly form: F | undefined
}

/** `onForm`: what the form shows from then on. */
type SavedEdit = Edited & { readonly onForm: Value }

/** A field under deep merge takes another value; from a form, the paths that were changed there. */
export const editJson = (
  { stored, now, form }: Before<Value | undefined, { readonly shown: Value | undefined }>,
  given: Value,
): SavedEdit => {
  let after: Value | undefined = form === undefined ? given : now
  if (form !== undefined) for (const { keys, value } of diff(form.shown, given)) after = placed(after, keys, value, 0)
  // Nothing was ever written, and the form leaves it at that.
  if (after === undefined) return { edits: [], shown: given, onForm: given }
  const edits = diff(stored, after).map(({ keys, value }) => ({ law: Law.put, keys, value }))
  return { edits, shown: after, onForm: given }
}

type JsonObject = Readonly<Record<string, Value>>

const isObject = (value: Value | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

/** JSON with a value at a path, or without what is there: `[]` where there is nothing changes nothing. */
const placed = (
  value: Value | undefined,
  keys: readonly string[],
  put: readonly Value[],
  at: number,
): Value | undefined => {
  if (at === keys.length) return put[0]
  const key = keys[at]
  const isThere = isObject(value) && Object.hasOwn(value, key)
  if (put.length === 0 && !isThere) return value
  const below = placed(isThere ? value[key] : undefined, keys, put, at + 1)
  const entries = new Map(isObject(value) ? Object.entries(value) : [])
  if (below === undefined) entries.delete(key)
  else entries.set(key, below)
  // fromEntries defines its properties: a key such as __proto__ becomes an ordinary one.
  return Object.fromEntries(entries)
}

const isElementChange = (given: unknown): given is ElementChange =>
  typeof given === 'object' && given !== null && 'change' in given && 'elements' in given

/**
 * A set is to have other elements: those of an array, or some more or fewer. An array from a form is compared with what that showed:
 * what came in since stays, what is gone stays gone. What does not fit the field is not shown, so nobody means to take it out.
 */
export const editSet = (
  field: Field,
  { stored, now, form }: Before<readonly Value[], Value>,
  given: unknown,
  earlier: readonly Edit[],
): SavedEdit => {
  const known = byKey(stored)
  // What somebody adds by name is added, though it is there: so that it stays where it is removed at the same time.
  const named = new Set(earlier.flatMap(({ law, value }) => (law === Law.add ? valueKey(value) : [])))
  const after = byKey(now)
  const onForm = form === undefined ? byKey(now) : byKey(form as readonly Value[])
  const add = (element: Value): void => {
    after.set(valueKey(element), element)
    onForm.set(valueKey(element), element)
  }
  const remove = (element: Value): void => {
    after.delete(valueKey(element))
    onForm.delete(valueKey(element))
    named.delete(valueKey(element))
  }
  if (isElementChange(given)) {
    for (const element of encodeField(field, given.elements) as readonly Value[]) {
      if (given.change === 'remove') {
        remove(element)
        continue
      }
      add(element)
      named.add(valueKey(element))
    }
  } else {
    const elements = byKey(encodeField(field, given) as readonly Value[])
    const before = new Map(onForm)
    for (const [key, element] of before) if (!elements.has(key) && isShown(field, element)) remove(element)
    for (const [key, element] of elements) if (!before.has(key)) add(element)
  }
  const edits: Edit[] = []
  for (const [key, value] of known) if (!after.has(key)) edits.push({ law: Law.remove, value })
  for (const [key, value] of after) if (!known.has(key) || named.has(key)) edits.push({ law: Law.add, value })
  return { edits, shown: elementsOf(after), onForm: elementsOf(onForm) }
}

const elementsOf = (elements: ReadonlyMap<string, Value>): Value[] =>
  [...elements].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value)

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

/** What edits of a list start from. */
export interface ListBefore {
  /** What is there, with what the mutation has asked for so far. */
  readonly now: readonly PlacedItem[]
  /** What the form shows that is saved; undefined: it is no form, and what is there now is meant. */
  readonly form: readonly PlacedItem[] | undefined
  /** An item that is gone by now, as it was. */
  gone(id: string): PlacedItem | undefined
}

/** What the field cannot show of a list: another version of the app put it in. Nobody counts the places of these. */
const hiddenIn = (field: Field, items: readonly PlacedItem[]): Set<string> => {
  const hidden = new Set(items.map(({ id }) => id))
  const shown = items.map(({ id, value }) => ({ id, value }))
  for (const { id } of decodeField(field, shown) as readonly ListItem[]) hidden.delete(id)
  return hidden
}

/**
 * `given`: one change of a list's items, or several in order. From a form, places are those that it showed; what was moved or set
 * there comes back where somebody has removed it meanwhile, and what somebody has changed meanwhile is not removed.
 */
export const editList = (
  field: Field,
  { now, form, gone }: ListBefore,
  given: unknown,
  source: ItemSource,
): EditedList & { readonly onForm: readonly PlacedItem[] } => {
  const changes = (Array.isArray(given) ? given : [given]) as readonly ItemChange[]
  const items = [...now]
  // Without a form they are one list, and what is done to one is done.
  const shown = form === undefined ? items : [...form]
  const edits: Edit[] = []
  const indexOf = (id: string): number => {
    const index = shown.findIndex((item) => item.id === id)
    if (index >= 0) return index
    throw new DriftlogError('ITEM_NOT_FOUND', `${field.table}.${field.name}, ${JSON.stringify(id)}`, {
      table: field.table,
      field: field.name,
      item: id,
    })
  }
  const hidden = hiddenIn(field, shown)
  /** The index among all, told by that among those that the field shows. */
  const indexAt = (at: number): number => {
    const counted = hidden.size === 0 ? shown : shown.filter(({ id }) => !hidden.has(id))
    if (!Number.isSafeInteger(at) || at < 0 || at > counted.length) throw refuse(field, `no place ${at} in the list`)
    return at === counted.length ? shown.length : hidden.size === 0 ? at : shown.indexOf(counted[at])
  }
  const positionAt = (index: number): string =>
    positionsBetween(shown[index - 1]?.position, shown[index]?.position, 1, source)[0]
  const valueOf = (value: unknown): Value => (encodeField(field, [value]) as readonly Value[])[0]
  /** The item is there with what was changed of it. */
  const put = (item: PlacedItem, changed: Partial<PlacedItem>): void => {
    if (shown === items) return
    const index = items.findIndex(({ id }) => id === item.id)
    const [before] = index < 0 ? [gone(item.id)] : items.splice(index, 1)
    const after = { ...(before ?? item), ...changed }
    const at = items.findIndex((other) => byPlace(after, other) < 0)
    items.splice(at < 0 ? items.length : at, 0, after)
  }
  for (const change of changes) {
    switch (change?.change) {
      case 'insertItem': {
        const index = change.at === undefined ? shown.length : indexAt(change.at)
        const item = { id: source.newId(), position: positionAt(index), value: valueOf(change.value) }
        insertAt(shown, index, item)
        put(item, item)
        edits.push({ law: Law.item, value: [item.id, item.position, item.value] })
        break
      }
      case 'moveItem': {
        const [item] = shown.splice(indexOf(change.id), 1)
        const to = indexAt(change.at)
        const position = positionAt(to)
        insertAt(shown, to, { ...item, position })
        put(item, { position })
        edits.push({ law: Law.item, value: [item.id, position] })
        break
      }
      case 'setItem': {
        const index = indexOf(change.id)
        const value = valueOf(change.value)
        shown[index] = { ...shown[index], value }
        hidden.delete(change.id)
        put(shown[index], { value })
        edits.push({ law: Law.item, value: [change.id, null, value] })
        break
      }
      case 'removeItem': {
        const [item] = shown.splice(indexOf(change.id), 1)
        if (shown !== items) {
          const index = items.findIndex(({ id }) => id === item.id)
          // Who changes an item beats who removes it.
          if (index < 0 || !isAsPlaced(items[index], item)) break
          items.splice(index, 1)
        }
        edits.push({ law: Law.drop, value: change.id })
        break
      }
      default:
        throw refuse(field, 'a list changes by f.insertItem, f.moveItem, f.setItem and f.removeItem')
    }
  }
  return { edits, items, onForm: shown }
}

const isAsPlaced = (a: PlacedItem, b: PlacedItem): boolean => a.position === b.position && equalValues(a.value, b.value)

/** At `at`, or behind what shares its neighbour's place there. */
const insertAt = (items: PlacedItem[], at: number, item: PlacedItem): void => {
  let index = at
  while (index < items.length && byPlace(items[index], item) < 0) index++
  items.splice(index, 0, item)
}
