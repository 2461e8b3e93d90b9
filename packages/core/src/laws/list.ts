/**
 * Lists (SPEC CELL11): items with ids, after Kleppmann 2020, 'Moving Elements in List CRDTs'. An item has
 * - a life, as a row has under update-wins: it stays while a change to it has not been seen by a drop;
 * - a register of its position and one of its value, each with the writes that no other has seen.
 *
 * A move is a write of the position: of concurrent ones the last in total order shows, and the item shows once. Items
 * show by position, then id, by UTF-16 code units. An item keeps its registers when it is dropped: a change that the
 * drop has not seen brings it back, and may carry one of the two alone.
 */
import type { DotRef } from '../op/dot-ref.ts'
import { Law } from '../op/law.ts'
import { equalValues, type Value, writeValue } from '../op/value.ts'
import type { Compare, ComposedLaw } from './composed.ts'
import { insert, isTombstone, type Life, remove } from './life.ts'
import { isPosition } from './positions.ts'

export interface ListWrite<Content extends Value> {
  readonly ref: DotRef
  readonly value: Content
}

interface Item extends Life {
  /** Writes that have not seen each other, in no order. */
  positions: readonly ListWrite<string>[]
  values: readonly ListWrite<Value>[]
}

export interface List {
  readonly byId: Map<string, Item>
  /** The ids of the items that `contestedItems` lists. */
  readonly contested: Set<string>
}

export interface ShownItem {
  readonly id: string
  readonly value: Value
}

/** A live item whose concurrent writes differ, or with a drop beside a change. All lists by rising total order. */
export interface ContestedItem {
  readonly id: string
  /** Empty unless they differ. */
  readonly positions: readonly ListWrite<string>[]
  /** Empty unless they differ. */
  readonly values: readonly ListWrite<Value>[]
  /** Changes, and the drops that they have not seen and that have not seen them. Both empty unless there are both. */
  readonly touches: readonly DotRef[]
  readonly drops: readonly DotRef[]
}

const isId = (value: Value): boolean => typeof value === 'string' && value !== ''

/** `[id, position]`, `[id, position, value]` or `[id, null, value]`. */
const isItem = (value: Value): boolean => {
  if (!Array.isArray(value) || value.length < 2 || value.length > 3) return false
  const [id, position] = value as readonly Value[]
  return isId(id) && (position === null ? value.length === 3 : typeof position === 'string' && isPosition(position))
}

const differ = (writes: readonly ListWrite<Value>[]): boolean =>
  writes.length > 1 && writes.some(({ value }) => !equalValues(value, writes[0].value))

const isDropContested = ({ touches, deletes }: Item): boolean => touches.length > 0 && deletes.length > 0

export const isContestedItem = (item: Item): boolean =>
  !isTombstone(item) && (differ(item.positions) || differ(item.values) || isDropContested(item))

const written = <Content extends Value>(
  writes: readonly ListWrite<Content>[],
  write: ListWrite<Content>,
  sees: (ref: DotRef) => boolean,
): readonly ListWrite<Content>[] => [...writes.filter(({ ref }) => !sees(ref)), write]

const inOrder = <Content extends Value>(
  writes: readonly ListWrite<Content>[],
  compare: Compare,
): readonly ListWrite<Content>[] => (writes.length < 2 ? writes : writes.toSorted((a, b) => compare(a.ref, b.ref)))

const last = <Content extends Value>(writes: readonly ListWrite<Content>[], compare: Compare): Content | undefined => {
  let latest = writes.at(0)
  for (const write of writes) if (latest !== undefined && compare(write.ref, latest.ref) > 0) latest = write
  return latest?.value
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

export const list: ComposedLaw<List> = {
  fits: ({ law, keys, value }) =>
    keys.length === 0 && ((law === Law.item && isItem(value)) || (law === Law.drop && isId(value))),

  create: () => ({ byId: new Map(), contested: new Set() }),

  enter: (state, { law, value: content }, op) => {
    const { ref } = op
    const sees = (other: DotRef): boolean => op.sees(other)
    const [id, position, value] = law === Law.drop ? [content as string] : (content as [string, string | null, Value?])
    let item = state.byId.get(id)
    if (item === undefined) {
      item = { touches: [], deletes: [], positions: [], values: [] }
      state.byId.set(id, item)
    }
    if (law === Law.drop) {
      remove(item, ref, sees)
    } else {
      insert(item, ref, sees)
      if (typeof position === 'string') item.positions = written(item.positions, { ref, value: position }, sees)
      if (value !== undefined) item.values = written(item.values, { ref, value }, sees)
    }
    if (isContestedItem(item)) state.contested.add(id)
    else state.contested.delete(id)
  },

  // A dropped item counts with its life alone, as a row does (CELL7).
  write: ({ byId }, writer, writeRef, compare) => {
    writer.varint(byId.size)
    for (const id of [...byId.keys()].sort()) {
      const item = byId.get(id)!
      writer.string(id)
      for (const refs of [item.touches, item.deletes]) {
        writer.varint(refs.length)
        for (const ref of refs.toSorted(compare)) writeRef(ref)
      }
      if (isTombstone(item)) continue
      for (const writes of [item.positions, item.values]) {
        writer.varint(writes.length)
        for (const write of inOrder<Value>(writes, compare)) {
          writeRef(write.ref)
          writeValue(writer, write.value)
        }
      }
    }
  },
}

/** The live items with their positions, in order: what a new item's neighbours are taken from. */
export const placedItems = ({ byId }: List, compare: Compare): (ShownItem & { readonly position: string })[] => {
  const placed: (ShownItem & { readonly position: string })[] = []
  for (const [id, item] of byId) {
    if (isTombstone(item)) continue
    const position = last(item.positions, compare)
    const value = last(item.values, compare)
    // No honest device changes an item that it has not seen with both.
    if (position !== undefined && value !== undefined) placed.push({ id, position, value })
  }
  return placed.sort((a, b) => compareText(a.position, b.position) || compareText(a.id, b.id))
}

export const items = (state: List, compare: Compare): ShownItem[] =>
  placedItems(state, compare).map(({ id, value }) => ({ id, value }))

export const isContested = (state: List): boolean => state.contested.size > 0

export const contestedItems = ({ byId, contested }: List, compare: Compare): ContestedItem[] =>
  [...contested].sort().map((id) => {
    const item = byId.get(id)!
    const isDropped = isDropContested(item)
    return {
      id,
      positions: differ(item.positions) ? inOrder(item.positions, compare) : [],
      values: differ(item.values) ? inOrder(item.values, compare) : [],
      touches: isDropped ? item.touches.toSorted(compare) : [],
      drops: isDropped ? item.deletes.toSorted(compare) : [],
    }
  })

/** An item as it is, dropped or not. */
export interface ListItemState {
  readonly isLive: boolean
  readonly touches: readonly DotRef[]
  readonly position: string
  readonly value: Value
}

/** undefined where nobody has placed and filled an item of this id. */
export const listItem = ({ byId }: List, id: string, compare: Compare): ListItemState | undefined => {
  const item = byId.get(id)
  const position = item && last(item.positions, compare)
  const value = item && last(item.values, compare)
  if (item === undefined || position === undefined || value === undefined) return undefined
  return { isLive: !isTombstone(item), touches: item.touches, position, value }
}
