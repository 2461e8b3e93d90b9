/**
 * Every strategy and law, as data: what devices do at the same time, and what everyone must show then. The expectations are
 * written by hand from the rules (SPEC CELL, STRAT, VIEW, REF, UNIQ), not taken from what the product does.
 */
import { f, type FieldBuilder, type Json, table } from '@driftlog/core'

/** A row, whatever its table. */
export type AnyRow = Readonly<Record<string, unknown>> & { readonly id: string }

interface TableTx {
  insert(values: object): string
  update(id: string, changes: object): void
  delete(id: string): void
  restore(id: string): void
  get(id: string): AnyRow | undefined
}

/** A mutation of an app that has all of the tables below. */
export type AnyTx = Readonly<Record<string, TableTx>>

/** What a device does, in words and in code. */
export interface Step {
  readonly says: string
  /** Each is a mutation. */
  readonly acts: readonly ((tx: AnyTx) => void)[]
}

/** What somebody does when all have synced, and what everyone shows then. */
export interface Sequel {
  readonly says: string
  readonly step: { readonly resolve: unknown; readonly reason: string } | ((tx: AnyTx) => void)
  readonly shows: unknown
  /** How the record of the conflict stands then. */
  readonly record: 'settled' | 'none' | 'kept'
  /** As in `Play`. */
  readonly keeps?: readonly unknown[]
}

/** What happens in one cell of the table. */
export interface Play {
  /** By device, at the same time. */
  readonly does: readonly Step[]
  readonly shows: unknown
  /** Values that must be shown or be candidates of a record. */
  readonly keeps: readonly unknown[]
  /** How each conflict stands, by its rule; none where everything counts. */
  readonly record: Readonly<Record<string, 'open' | 'by-rule'>>
  readonly sequel?: Sequel
}

export interface Strategy {
  readonly name: string
  /** Of packages/core/SPEC.md. */
  readonly rules: string
  readonly tables: Readonly<Record<string, ReturnType<typeof table>>>
  readonly begin: (tx: AnyTx) => void
  /** What of the rows is to be looked at. */
  readonly view: (rows: (table: string) => readonly AnyRow[]) => unknown
  /** Each second is written in the same millisecond by the clock of its author. */
  readonly isTied?: boolean
  /** A text says why there is nothing to see. */
  readonly same: Play | string
  readonly deleted: Play | string
  readonly many: Play | string
}

/** What is shown of a row that is not there. */
export const GONE = Symbol('no row')

interface Write {
  readonly says: string
  /** As `update` takes it, or what makes that of what is shown. */
  readonly change: unknown
  readonly next?: unknown
}

interface FieldLaw {
  readonly rules: string
  readonly field: FieldBuilder
  readonly first: unknown
  /** What six devices do; of two, the first two. */
  readonly writes: readonly Write[]
  /** What is shown after the first two, after the second alone, and after all six. */
  readonly shows: readonly [two: unknown, second: unknown, six: unknown]
  readonly record: Play['record']
  /** Where the six meet in more than the two do. */
  readonly recordOfSix?: Play['record']
  /** A register: all that was written is kept. */
  readonly isRegister?: boolean
  readonly isTied?: boolean
  readonly sequel?: (shown: unknown) => Sequel
}

/** The same field of the same row, written by two, by one against a deletion, and by six. */
const ofField = (key: string, name: string, law: FieldLaw): Strategy => {
  const {
    field,
    first,
    writes,
    shows,
    record,
    recordOfSix = record,
    isRegister = false,
    isTied = false,
    sequel,
    rules,
  } = law
  const act =
    (change: unknown) =>
    (tx: AnyTx): void =>
      tx[key].update('x', { value: typeof change === 'function' ? change(tx[key].get('x')!.value) : change })
  const steps = writes.map(
    ({ says, change, next }): Step => ({ says, acts: next === undefined ? [act(change)] : [act(change), act(next)] }),
  )
  const play = (count: number, shown: unknown, of: Play['record']): Play => ({
    does: steps.slice(0, count),
    shows: shown,
    keeps: isRegister ? writes.slice(0, count).map(({ change }) => change) : [],
    record: of,
    ...(sequel && { sequel: sequel(shown) }),
  })
  return {
    name,
    rules,
    tables: { [key]: table({ value: field }) },
    begin: (tx) => void tx[key].insert({ id: 'x', value: first }),
    view: (rows) => valueOf(rows(key)),
    isTied,
    same: play(2, shows[0], record),
    deleted: {
      does: [{ says: 'deletes the row', acts: [(tx) => tx[key].delete('x')] }, steps[1]],
      shows: shows[1],
      keeps: [],
      record: { 'update-wins': 'by-rule' },
    },
    many: play(6, shows[2], recordOfSix),
  }
}

const valueOf = ([row]: readonly AnyRow[]): unknown => {
  if (row === undefined) return GONE
  const { value } = row
  // Of a list's items, what people see: their ids are as random as any.
  return Array.isArray(value) ? value.map((item: unknown) => (isItem(item) ? item.value : item)) : value
}

const isItem = (item: unknown): item is { readonly value: unknown } =>
  typeof item === 'object' && item !== null && 'id' in item && 'value' in item

const writesOf = (...values: readonly unknown[]): FieldLaw['writes'] =>
  values.map((value) => ({ says: `writes ${JSON.stringify(value)}`, change: value }))

const NAMES = writesOf('oat', 'soy', 'rice', 'pea', 'nut', 'hemp')
const settles = (value: unknown, reason: string) => (): Sequel => ({
  says: `resolves it: ${JSON.stringify(value)}`,
  step: { resolve: value, reason },
  shows: value,
  record: 'settled',
})

type Items = readonly { readonly id: string; readonly value: string }[]
const idOf = (items: Items, value: string): string => items.find((item) => item.value === value)!.id
const inserts = (value: string, at: number) => ({
  says: `inserts ${value} at ${at}`,
  change: () => f.insertItem(value, { at }),
})
const moves = (value: string, at: number) => ({
  says: `moves ${value} to ${at}`,
  change: (items: Items) => f.moveItem(idOf(items, value), at),
})
const edits = (value: string, to: string) => ({
  says: `changes ${value} to ${to}`,
  change: (items: Items) => f.setItem(idOf(items, value), to),
})
const drops = (value: string) => ({
  says: `removes ${value}`,
  change: (items: Items) => f.removeItem(idOf(items, value)),
})
/** Only what differs from what is shown is written: so this is a removal that knows of no other addition. */
const addsAndRemoves = (element: string): Write => ({
  says: `adds ${element}, and takes it out again`,
  change: f.add(element),
  next: f.remove(element),
})
const adds = (element: string) => ({ says: `adds ${element}`, change: f.add(element) })
const removes = (element: string) => ({ says: `removes ${element}`, change: f.remove(element) })
const counts = (by: number) => ({ says: `${by < 0 ? '' : '+'}${by}`, change: f.increment(by) })
const becomes = (value: Json) => ({ says: `writes ${JSON.stringify(value)}`, change: value })

const TAGS = [
  adds('dairy'),
  addsAndRemoves('dairy'),
  adds('oat'),
  removes('milk'),
  adds('dairy'),
  addsAndRemoves('oat'),
]

const STATES = ['open', 'doing', 'blocked', 'done'] as const

const fields: readonly Strategy[] = [
  ofField('last', 'last writer wins', {
    rules: 'CELL2 STRAT2',
    field: f.string().lastWriterWins(),
    first: 'milk',
    writes: NAMES,
    shows: ['soy', 'soy', 'hemp'],
    record: { 'last-writer-wins': 'by-rule' },
    isRegister: true,
  }),
  ofField('stamp', 'timestamp', {
    rules: 'CELL2 STRAT2',
    field: f.string().timestamp(),
    first: 'milk',
    writes: NAMES,
    shows: ['soy', 'soy', 'hemp'],
    record: { timestamp: 'by-rule' },
    isRegister: true,
  }),
  ofField('tie', 'timestamp, all in one millisecond', {
    rules: 'CELL2 STRAT2',
    field: f.string().timestamp({ tie: 'greatest' }),
    first: 'milk',
    writes: writesOf('soy', 'oat', 'rice', 'pea', 'nut', 'hemp'),
    shows: ['soy', 'oat', 'soy'],
    record: { timestamp: 'by-rule' },
    isRegister: true,
    isTied: true,
  }),
  ofField('rank', 'priority (the further state)', {
    rules: 'CELL2 STRAT2',
    field: f.enum(...STATES).priority(({ value }) => STATES.indexOf(value)),
    first: 'open',
    writes: writesOf('done', 'doing', 'blocked', 'open', 'doing', 'blocked'),
    shows: ['done', 'doing', 'done'],
    record: { priority: 'by-rule' },
    isRegister: true,
  }),
  ofField('own', 'custom (the mean of all)', {
    rules: 'CELL2 STRAT2',
    field: f.number().custom({
      name: 'mean',
      version: 1,
      merge: (candidates) => candidates.reduce((sum, { value }) => sum + value, 0) / candidates.length,
    }),
    first: 1,
    writes: writesOf(2, 4, 6, 8, 10, 12),
    shows: [3, 4, 7],
    record: { 'custom:mean@1': 'by-rule' },
    isRegister: true,
  }),
  ofField('asked', 'manual', {
    rules: 'CELL2 STRAT5 CONF3',
    field: f.string().manual(),
    first: 'milk',
    writes: NAMES,
    shows: ['soy', 'soy', 'hemp'],
    record: { manual: 'open' },
    isRegister: true,
    sequel: settles('both', 'there is room for two'),
  }),
  ofField('deep', 'deep merge', {
    rules: 'CELL4',
    field: f.json<Json>().deepMerge(),
    first: { color: 'red', size: { width: 1, height: 1 } },
    writes: [
      becomes({ color: 'blue', size: { width: 2, height: 1 } }),
      becomes({ color: 'green', size: { width: 1, height: 3 } }),
      becomes({ color: 'red', size: { width: 1, height: 1 }, tags: ['a', 'b'] }),
      becomes({ color: 'red', size: { width: 1, height: 1 }, tags: ['c'] }),
      becomes({ color: 'red', size: { width: 1 } }),
      becomes({ color: 'red', size: { width: 1, height: 1 }, note: 'new' }),
    ],
    shows: [
      { color: 'green', size: { width: 2, height: 3 } },
      { color: 'green', size: { width: 1, height: 3 } },
      { color: 'green', size: { width: 2 }, tags: ['c'], note: 'new' },
    ],
    record: { 'deep-merge': 'by-rule' },
  }),
  ofField('votes', 'counter', {
    rules: 'CELL8',
    field: f.counter(),
    first: 10,
    writes: [counts(2), counts(-3), counts(5), counts(5), counts(-1), counts(7)],
    shows: [9, 7, 25],
    record: {},
  }),
  ofField('scans', 'counter that only grows', {
    rules: 'CELL8',
    field: f.counter().growOnly(),
    first: 10,
    writes: [counts(2), counts(3), counts(5), counts(5), counts(1), counts(7)],
    shows: [15, 13, 33],
    record: {},
  }),
  ofField('tags', 'set, the addition wins', {
    rules: 'CELL3',
    field: f.set(f.string()),
    first: ['milk'],
    writes: TAGS,
    shows: [['milk', 'dairy'], ['milk'], ['oat', 'dairy']],
    record: { 'set:add': 'by-rule' },
  }),
  ofField('marks', 'set, the last write counts', {
    rules: 'CELL3',
    field: f.set(f.string()).lastWrite(),
    first: ['milk'],
    writes: TAGS,
    shows: [['milk'], ['milk'], ['dairy']],
    record: { 'set:last-write': 'by-rule' },
  }),
  ofField('inserted', 'list, inserting', {
    rules: 'CELL11',
    field: f.list(f.string()),
    first: ['flour', 'eggs'],
    writes: [
      inserts('salt', 0),
      inserts('milk', 1),
      inserts('oil', 2),
      inserts('first', 0),
      inserts('tea', 1),
      inserts('last', 2),
    ],
    shows: [
      ['salt', 'flour', 'milk', 'eggs'],
      ['flour', 'milk', 'eggs'],
      // Those who insert at the same place: each is there once, in an order that all agree on.
      inOrder([['first', 'salt'], ['flour'], ['milk', 'tea'], ['eggs'], ['last', 'oil']]),
    ],
    record: {},
  }),
  ofField('moved', 'list, moving', {
    rules: 'CELL11',
    field: f.list(f.string()),
    first: ['flour', 'milk', 'eggs'],
    writes: [
      moves('eggs', 0),
      moves('eggs', 1),
      moves('eggs', 0),
      moves('flour', 2),
      moves('eggs', 0),
      moves('eggs', 1),
    ],
    // The last move counts. Of the six, flour went behind the others, eggs before milk.
    shows: [
      ['flour', 'eggs', 'milk'],
      ['flour', 'eggs', 'milk'],
      ['eggs', 'milk', 'flour'],
    ],
    record: { list: 'by-rule' },
  }),
  ofField('dropped', 'list, removing', {
    rules: 'CELL11',
    field: f.list(f.string()),
    first: ['flour', 'milk', 'eggs'],
    writes: [
      drops('eggs'),
      edits('eggs', 'two eggs'),
      drops('eggs'),
      drops('flour'),
      drops('flour'),
      inserts('salt', 3),
    ],
    shows: [
      ['flour', 'milk', 'two eggs'],
      ['flour', 'milk', 'two eggs'],
      ['milk', 'two eggs', 'salt'],
    ],
    record: { list: 'by-rule' },
  }),
]

/** Matches a list in which each group comes after the one before, in any order inside. */
function inOrder(groups: readonly (readonly string[])[]): InOrder {
  return { groups }
}

export interface InOrder {
  readonly groups: readonly (readonly string[])[]
}

const NO_DELETION = 'nobody deletes the row: each field as its own strategy says'

interface RowLaw {
  readonly onDelete: 'update-wins' | 'delete-wins' | 'manual'
  /** `last`: the last value written; `all`: what was written. */
  readonly sequel?: (last: string, all: readonly string[]) => Sequel
}

const ofRows = (key: string, { onDelete, sequel }: RowLaw): Strategy => {
  const deletes: Step = { says: 'deletes the row', acts: [(tx) => tx[key].delete('x')] }
  const writes = (value: string): Step => ({
    says: `writes "${value}"`,
    acts: [(tx) => tx[key].update('x', { value })],
  })
  const isGone = onDelete === 'delete-wins'
  const play = (values: readonly string[]): Play => {
    const last = values.at(-1)!
    return {
      does: values.flatMap((value) => [deletes, writes(value)]),
      shows: isGone ? GONE : last,
      keeps: ['changed', 'deleted', ...(isGone ? [] : values)],
      record: {
        [onDelete]: onDelete === 'manual' ? 'open' : 'by-rule',
        // Of a row that is not there nobody is asked; its field is a register all the same.
        ...(!isGone && values.length > 1 && { 'last-writer-wins': 'by-rule' }),
      },
      ...(sequel && { sequel: sequel(last, values) }),
    }
  }
  return {
    name: `row, ${onDelete}`,
    rules: 'CELL5 CONF2',
    tables: { [key]: table({ value: f.string() }, { onDelete }) },
    begin: (tx) => void tx[key].insert({ id: 'x', value: 'milk' }),
    view: (rows) => valueOf(rows(key)),
    same: NO_DELETION,
    deleted: play(['oat']),
    many: play(['oat', 'soy', 'rice']),
  }
}

const rows: readonly Strategy[] = [
  ofRows('updateWins', { onDelete: 'update-wins' }),
  ofRows('deleteWins', {
    onDelete: 'delete-wins',
    sequel: (last, all) => ({
      says: 'restores the row',
      step: (tx) => tx.deleteWins.restore('x'),
      shows: last,
      record: 'kept',
      keeps: all,
    }),
  }),
  ofRows('askedRows', {
    onDelete: 'manual',
    sequel: () => ({
      says: 'resolves it: deleted',
      step: { resolve: 'deleted', reason: 'nobody needs it' },
      shows: GONE,
      record: 'settled',
    }),
  }),
]

const HIDDEN = Symbol('the row is not shown')

const ofReference = (key: string, onDelete: 'keep' | 'set-null' | 'cascade', shown: unknown): Strategy => {
  const lists = `${key}Lists`
  const deletes: Step = { says: 'deletes the list', acts: [(tx) => tx[lists].delete('shop')] }
  const joins = (id: string): Step => ({
    says: `puts task ${id} into it`,
    acts: [(tx) => void tx[key].insert({ id, list: 'shop' })],
  })
  const tasks = (ids: readonly string[], list: unknown): unknown => Object.fromEntries(ids.map((id) => [id, list]))
  const play = (ids: readonly string[]): Play => ({
    does: [deletes, ...ids.map(joins)],
    shows: shown === HIDDEN ? {} : tasks(ids, shown),
    keeps: [],
    record: {},
    sequel: {
      says: 'restores the list',
      step: (tx) => tx[lists].restore('shop'),
      shows: tasks(ids, 'shop'),
      record: 'none',
    },
  })
  return {
    name: `reference, ${onDelete}`,
    rules: 'REF1',
    tables: { [lists]: table({ name: f.string() }), [key]: table({ list: f.ref(lists, { onDelete }).optional() }) },
    begin: (tx) => void tx[lists].insert({ id: 'shop', name: 'Shop' }),
    view: (all) => Object.fromEntries(all(key).map(({ id, list }) => [id, list])),
    same: 'a reference that two write is a register as any other; its policy is about a deletion',
    deleted: play(['a']),
    many: play(['a', 'b', 'c', 'd', 'e']),
  }
}

const references: readonly Strategy[] = [
  ofReference('keeps', 'keep', 'shop'),
  ofReference('nulls', 'set-null', null),
  ofReference('cascades', 'cascade', HIDDEN),
]

const SEATS = ['a', 'b', 'c', 'd', 'e', 'f']
const takes = (id: string): Step => ({
  says: `gives row ${id} the code "1"`,
  acts: [(tx) => tx.codes.update(id, { code: '1' })],
})
const unique: Strategy = {
  name: 'unique field',
  rules: 'UNIQ1',
  tables: { codes: table({ code: f.string().optional().unique(), name: f.string().optional() }) },
  begin: (tx) => {
    for (const id of SEATS) tx.codes.insert({ id, ...(id === 'f' && { code: '9' }) })
  },
  view: (all) => Object.fromEntries(all('codes').flatMap(({ id, code }) => (code === null ? [] : [[id, code]]))),
  same: {
    does: [takes('a'), takes('b')],
    shows: { a: '1', b: '1', f: '9' },
    keeps: ['a', 'b'],
    record: { unique: 'open' },
    sequel: {
      says: 'gives row b the code "2"',
      step: (tx) => tx.codes.update('b', { code: '2' }),
      shows: { a: '1', b: '2', f: '9' },
      record: 'none',
    },
  },
  deleted: {
    does: [
      {
        says: 'deletes row f, and gives row a its code "9"',
        acts: [
          (tx) => {
            tx.codes.delete('f')
            tx.codes.update('a', { code: '9' })
          },
        ],
      },
      { says: 'names row f', acts: [(tx) => tx.codes.update('f', { name: 'mine' })] },
    ],
    shows: { a: '9', f: '9' },
    keeps: ['a', 'f', 'changed', 'deleted'],
    record: { 'update-wins': 'by-rule', unique: 'open' },
    sequel: {
      says: 'gives row a the code "2"',
      step: (tx) => tx.codes.update('a', { code: '2' }),
      shows: { a: '2', f: '9' },
      record: 'kept',
    },
  },
  many: {
    does: SEATS.map(takes),
    shows: { a: '1', b: '1', c: '1', d: '1', e: '1', f: '1' },
    keeps: SEATS,
    record: { unique: 'open' },
    sequel: {
      says: 'gives rows b to f codes of their own',
      step: (tx) => {
        for (const id of SEATS.slice(1)) tx.codes.update(id, { code: id })
      },
      shows: { a: '1', b: 'b', c: 'c', d: 'd', e: 'e', f: 'f' },
      record: 'none',
    },
  },
}

export const strategies: readonly Strategy[] = [...fields, ...rows, ...references, unique]
