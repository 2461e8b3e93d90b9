/** One edit of a row of the tables with laws, drawn at random; it looks at what it has done, inside of its mutation. */
import type { Tx } from '@driftlog/client'
import { DriftlogError, f, type ListItem, type Schema } from '@driftlog/core'
import type { Random } from '../random.ts'
import { CODES, ELEMENTS, FOLDERS } from './schema.ts'
import { textOf } from './texts.ts'

export interface EditContext {
  readonly random: Random
  readonly rows: number
  /** No other mutation has it. */
  readonly unique: string
  readonly tell: (what: string, expected: unknown, shown: unknown) => void
}

type Shown = Readonly<Record<string, unknown>>

const wordOf = ({ random }: EditContext): string => random.pick(ELEMENTS)

/** Each gives what of the row changes, and what the field is to show then, where that is known. */
const fieldEdits: Readonly<
  Record<string, (shown: Shown, context: EditContext) => { change: unknown; after?: unknown }>
> = {
  tags: (shown, context) => editSet(shown.tags as string[], context),
  marks: (shown, context) => editSet(shown.marks as string[], context),
  steps: (shown, context) => editList(shown.steps as ListItem<string>[], context),
  body: (shown, context) => {
    const after = editJson(shown.body, context)
    return { change: after, after }
  },
  seen: (shown, { random }) => {
    const by = random.below(4)
    return { change: f.increment(by), after: (shown.seen as number) + by }
  },
  state: (_, { unique }) => ({ change: `state ${unique}`, after: `state ${unique}` }),
  price: (_, { random }) => plain(random.below(20)),
  level: (_, { random }) => plain(random.below(20)),
  due: (_, { random }) => plain(random.below(20)),
  code: (_, { random }) => plain(random.chance(0.3) ? null : random.pick(CODES)),
  folder: (_, { random }) => ({ change: random.chance(0.3) ? null : random.pick(FOLDERS) }),
  friend: (_, { random, rows }) => ({ change: random.chance(0.2) ? null : `thing-${random.below(rows)}` }),
}

const plain = (value: unknown): { change: unknown; after: unknown } => ({ change: value, after: value })

const editSet = (elements: readonly string[], context: EditContext): { change: unknown; after: unknown } => {
  const element = wordOf(context)
  const rest = elements.filter((other) => other !== element)
  if (context.random.chance(0.1)) return { change: [element], after: [element] }
  const isAdded = context.random.chance(0.5)
  return {
    change: isAdded ? f.add(element) : f.remove(element),
    // Elements show in the order of their bytes: the shorter first.
    after: isAdded ? [...rest, element].sort((a, b) => a.length - b.length || (a < b ? -1 : 1)) : rest,
  }
}

/** An item that is new has an id that is not known before: it is told by its value. */
const editList = (items: readonly ListItem<string>[], context: EditContext): { change: unknown; after: unknown } => {
  const { random, unique } = context
  const act = items.length === 0 ? 0 : random.weighted(items.length > 8 ? [1, 2, 2, 4] : [4, 3, 2, 2])
  if (act === 0) {
    const at = random.below(items.length + 1)
    return { change: f.insertItem(unique, { at }), after: items.toSpliced(at, 0, { id: '', value: unique }) }
  }
  const index = random.below(items.length)
  const { id, value } = items[index]
  const rest = items.toSpliced(index, 1)
  if (act === 1) {
    const at = random.below(items.length)
    return { change: f.moveItem(id, at), after: rest.toSpliced(at, 0, { id, value }) }
  }
  if (act === 2) return { change: f.setItem(id, unique), after: items.with(index, { id, value: unique }) }
  return { change: f.removeItem(id), after: rest }
}

type Json = Readonly<Record<string, unknown>>

const editJson = (body: unknown, { random, unique }: EditContext): unknown => {
  const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
  const before = isJson(body) ? body : {}
  const [key, below] = [random.pick(['a', 'b', 'c']), random.pick(['x', 'y'])]
  switch (random.weighted([4, 5, 3, 1, 1, 1])) {
    case 0:
      return { ...before, [key]: unique }
    case 1:
      return { ...before, [key]: { ...(isJson(before[key]) ? before[key] : {}), [below]: unique } }
    case 2: {
      const { [key]: _, ...rest } = before
      return rest
    }
    case 3:
      return { ...before, [key]: {} }
    case 4:
      return { [key]: [unique], b: { x: { deep: unique } } }
    default:
      return unique
  }
}

const withoutNewId = (value: unknown, known: unknown): unknown => {
  if (!Array.isArray(value) || !Array.isArray(known)) return value
  const ids = new Set((known as { id?: string }[]).map(({ id }) => id))
  return value.map((item: { id?: string; value?: unknown }) =>
    item?.id === undefined || ids.has(item.id) ? item : { id: '', value: item.value },
  )
}

/** Returns the row that it is about. `isHarmless`: nothing that cannot be taken back. */
export const editAtRandom = (
  tx: Tx<Schema>,
  context: EditContext,
  isHarmless: boolean,
): { table: string; id: string } => {
  const { random, rows, tell } = context
  if (random.chance(0.12)) return editFolder(tx, random)
  const id = `thing-${random.below(rows)}`
  const shown = tx.things.get(id) as Shown | undefined
  try {
    if (shown === undefined) {
      if (random.chance(0.4)) tx.things.restore(id)
      else tx.things.insert({ id, ...insertAtRandom(context) } as never)
    } else if (random.chance(0.1)) tx.things.delete(id)
    else if (!isHarmless && random.chance(0.015)) tx.things.erase(id)
    else {
      // What only grows cannot be taken back.
      const names = Object.keys(fieldEdits).filter((name) => !isHarmless || name !== 'seen')
      const fields = new Set([random.pick(names), ...(random.chance(0.3) ? [random.pick(names)] : [])])
      for (const field of fields) {
        const { change, after } = fieldEdits[field](shown, context)
        tx.things.update(id, { [field]: change } as never)
        if (after === undefined) continue
        const now = (tx.things.get(id) as Shown | undefined)?.[field]
        tell(`things/${id}.${field}`, after, withoutNewId(now, shown[field]))
      }
    }
  } catch (error) {
    // A row that never was cannot be restored, nor one that was erased be written.
    if (!(error instanceof DriftlogError && ['ROW_NOT_FOUND', 'ROW_ERASED'].includes(error.code))) throw error
  }
  return { table: 'things', id }
}

const insertAtRandom = (context: EditContext): Shown => {
  const { random, unique } = context
  return {
    ...(random.chance(0.5) ? { tags: [wordOf(context), wordOf(context)], steps: [`${unique}a`, `${unique}b`] } : {}),
    ...(random.chance(0.5) ? { body: editJson({}, context), seen: 1 } : {}),
    ...(random.chance(0.5) ? { code: random.pick(CODES), price: random.below(20), state: `state ${unique}` } : {}),
    ...(random.chance(0.3) ? { folder: random.pick(FOLDERS), friend: 'thing-0' } : {}),
  }
}

const editFolder = (tx: Tx<Schema>, random: Random): { table: string; id: string } => {
  const id = random.pick(FOLDERS)
  const inside = random.chance(0.5) ? null : random.pick(FOLDERS)
  if (tx.folders.get(id) === undefined) tx.folders.insert({ id, inside } as never)
  else if (random.chance(0.4)) tx.folders.delete(id)
  else tx.folders.update(id, (random.chance(0.5) ? { inside } : { name: `name ${random.below(100)}` }) as never)
  return { table: 'folders', id }
}

/** A row but for what no undo brings back, and what goes by other rows. */
export const comparable = (row: Shown | undefined): string => {
  if (row === undefined) return 'nothing'
  const { createdAt: _a, createdBy: _b, updatedAt: _c, seen: _d, folder: _e, friend: _f, inside: _g, ...rest } = row
  return textOf(rest)
}
