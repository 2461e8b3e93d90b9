import fc from 'fast-check'
import initSqlJs from 'sql.js'
import { afterEach, describe, expect, test } from 'vitest'
import { decodeField } from '../../schema/encode.ts'
import { f } from '../../schema/f.ts'
import type { Shown } from '../../schema/kinds/kind.ts'
import { defineSchema, table } from '../../schema/schema.ts'
import { createQueryBuilder } from './query-builder.ts'
import type { RowReader } from './row-reader.ts'
import { createTables, type Tables } from './tables.ts'

const SQL = await initSqlJs()

const schema = defineSchema({
  version: 1,
  tables: {
    lists: table({ name: f.string() }),
    tasks: table(
      {
        title: f.string().search(),
        notes: f.string().optional().search(),
        done: f.boolean().default(true),
        due: f.date().optional(),
        priority: f.number().default(1.5),
        rank: f.integer().optional(),
        state: f.enum('open', 'done'),
        settings: f.json().optional(),
        votes: f.counter(),
        rowid: f.string().optional(),
      },
      { indexes: [['done', 'due'], ['updatedAt']] },
    ),
  },
})

interface ModelRow {
  readonly number: number
  readonly id: string
  readonly isLive: boolean
  readonly values: Readonly<Record<string, Shown | undefined>>
  readonly updatedAtMs?: number
}

const readerOf = (name: keyof typeof schema.tables): RowReader<ModelRow> => {
  const names = Object.keys(schema.tables[name].fields)
  return {
    number: (row) => row.number,
    id: (row) => row.id,
    isLive: (row) => row.isLive,
    value: (row, field) => row.values[names[field]],
    createdAtMs: (row) => 1000 + row.number,
    createdBy: (row) => `device-${row.number % 3}`,
    updatedAtMs: (row) => row.updatedAtMs ?? 2000 + row.number,
  }
}

const db = createQueryBuilder<typeof schema>()
const opened: Tables[] = []
const open = (): Tables => {
  const tables = createTables(new SQL.Database(), schema)
  opened.push(tables)
  return tables
}
afterEach(() => {
  for (const tables of opened.splice(0)) tables.close()
})

const flush = (tables: Tables, ...rows: ModelRow[]): void =>
  tables.flush([{ table: 'tasks', rows, reader: readerOf('tasks') }])
const row = (number: number, values: ModelRow['values'] = {}, isLive = true): ModelRow => ({
  number,
  id: `id-${number}`,
  isLive,
  values,
})
const all = (tables: Tables) => tables.run(db.selectFrom('tasks').selectAll().orderBy('id').compile())
const found = (tables: Tables, text: string): string[] =>
  tables
    .run(db.selectFrom('tasks').where(db.search('tasks', text)).select('id').orderBy('id').compile())
    .map(({ id }) => id)

/** What a query must show, by the rules of the schema alone. */
const modelOf = (rows: Iterable<ModelRow>): unknown[] =>
  [...rows]
    .filter(({ isLive }) => isLive)
    .map((model) => ({
      id: model.id,
      ...Object.fromEntries(
        Object.values(schema.tables.tasks.fields).map((field) => [
          field.name,
          decodeField(field, model.values[field.name]),
        ]),
      ),
      createdAt: new Date(1000 + model.number),
      createdBy: `device-${model.number % 3}`,
      updatedAt: new Date(model.updatedAtMs ?? 2000 + model.number),
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1))

const anyShown: fc.Arbitrary<Shown | undefined> = fc.oneof(
  fc.constantFrom<Shown | undefined>(
    undefined,
    null,
    true,
    false,
    'open',
    'a\0b',
    'ä',
    0,
    7,
    1.5,
    86_400_000,
    9e15,
    2n ** 70n,
    new Uint8Array([1]),
  ),
  fc.string({ unit: 'grapheme' }),
  fc
    .jsonValue({ maxDepth: 2, noUnicodeString: true } as object)
    .map((json) => JSON.parse(JSON.stringify(json)) as Shown),
)
const anyRow = fc.record({
  number: fc.integer({ min: 1, max: 12 }),
  isLive: fc.boolean(),
  values: fc.dictionary(fc.constantFrom(...Object.keys(schema.tables.tasks.fields)), anyShown),
  updatedAtMs: fc.integer({ min: 0, max: 4e12 }),
})

describe('the tables projection', () => {
  test('[TAB1] shows live rows with their fields and stamps, typed', () => {
    const tables = open()
    const values = {
      title: 'Milk',
      done: false,
      due: 5,
      priority: 2,
      rank: -1,
      state: 'open',
      settings: { b: [1], a: null },
      votes: 3,
    }
    flush(tables, row(1, values), row(2, {}, false))
    expect(all(tables)).toEqual([
      {
        id: 'id-1',
        title: 'Milk',
        notes: null,
        done: false,
        due: new Date(5),
        priority: 2,
        rank: -1,
        state: 'open',
        settings: { a: null, b: [1] },
        votes: 3,
        rowid: null,
        createdAt: new Date(1001),
        createdBy: 'device-1',
        updatedAt: new Date(2001),
      },
    ])
  })

  test('[TAB2] random batches of changed rows end in what a naive model shows', () => {
    fc.assert(
      fc.property(fc.array(fc.array(anyRow, { maxLength: 40 }), { maxLength: 6 }), (batches) => {
        const tables = open()
        const model = new Map<number, ModelRow>()
        for (const batch of batches) {
          // A row is in a batch once, as in the cells' list of dirty rows.
          const rows = new Map(batch.map((drawn) => [drawn.number, { ...drawn, id: `id-${drawn.number}` }]))
          for (const [number, changed] of rows) model.set(number, changed)
          flush(tables, ...rows.values())
          expect(all(tables)).toEqual(modelOf(model.values()))
          const withWord = [...model.values()].filter(({ isLive, values }) => {
            const texts = ['title', 'notes'].map((name) => values[name])
            return isLive && texts.some((text) => typeof text === 'string' && /(^|[^\p{L}\p{N}\p{M}])open/iu.test(text))
          })
          expect(found(tables, 'open')).toEqual(withWord.map(({ id }) => id).sort())
        }
        tables.close()
        opened.pop()
      }),
      { numRuns: 60 },
    )
  })

  test('[TAB3] many new rows at once, then as many changes, dead and new rows', () => {
    const tables = open()
    const many = Array.from({ length: 5001 }, (_, index) => row(index + 1, { title: `t${index}` }))
    flush(tables, row(9000, { title: 'early' }))
    flush(tables, ...many)
    expect(all(tables)).toEqual(modelOf([...many, row(9000, { title: 'early' })]))
    const changed = many.map((old, index) => ({ ...old, isLive: index % 3 > 0, values: { title: 'x', votes: index } }))
    flush(tables, ...changed, row(9000, {}, false))
    expect(all(tables)).toEqual(modelOf(changed))
    const plan = tables.run(db.selectFrom('tasks').where('id', '=', 'id-7').select('title').compile())
    expect(plan).toEqual([])
  })

  test('[TAB4] a table that the schema does not know is passed over; all tables change at once', () => {
    const tables = open()
    const lists = readerOf('lists')
    tables.flush([
      { table: 'unknown', rows: [row(1)], reader: lists },
      { table: 'lists', rows: [row(2, { name: 'Home' })], reader: lists },
    ])
    const failing = {
      ...lists,
      id: () => {
        throw new Error('out of memory')
      },
    } // prettier-ignore
    expect(() =>
      tables.flush([
        { table: 'lists', rows: [row(3, { name: 'Work' })], reader: lists },
        { table: 'tasks', rows: [row(4)], reader: failing },
      ]),
    ).toThrow('out of memory')
    expect(tables.run(db.selectFrom('lists').select('name').compile())).toEqual([{ name: 'Home' }])
  })

  test('[TAB5] values of another app version show as the default, else null', () => {
    const tables = open()
    flush(
      tables,
      row(1, {
        title: 7,
        done: 'yes',
        due: 'soon',
        priority: true,
        state: 'shut',
        settings: new Uint8Array(1),
        votes: 2n ** 60n,
      }),
    )
    expect(all(tables)[0]).toMatchObject({
      title: null,
      done: true,
      due: null,
      priority: 1.5,
      state: null,
      settings: null,
      votes: 2 ** 60,
    })
  })

  test('[TAB6] [Q7] search finds words by their beginnings, whatever case, accents and signs', () => {
    const tables = open()
    flush(
      tables,
      row(1, { title: 'Buy MILK', notes: 'naïve café' }),
      row(2, { title: 'milkshake' }),
      row(3, { title: 'OR "quoted" col:on -x*' }),
    )
    expect(found(tables, 'milk')).toEqual(['id-1', 'id-2'])
    expect(found(tables, 'mil buy')).toEqual(['id-1'])
    expect(found(tables, 'CAFE')).toEqual(['id-1'])
    expect(found(tables, 'cafe\u0301 milk')).toEqual(['id-1'])
    expect(found(tables, 'milk OR shake')).toEqual([])
    expect(found(tables, 'or')).toEqual(['id-3'])
    expect(found(tables, '"quot')).toEqual(['id-3'])
    for (const text of ['', '"', '*', '-', ' ( ', 'NEAR/2', "'; --"]) expect(found(tables, text)).toEqual([])
    flush(tables, row(1, { title: 'Buy bread' }), row(2, {}, false))
    expect(found(tables, 'milk')).toEqual([])
    expect(found(tables, 'bread')).toEqual(['id-1'])
    flush(tables, row(2, { title: 'milkshake' }))
    const aliased = db
      .selectFrom('tasks as t')
      .where(db.search('tasks', 'milk', 't'))
      .select('t.title')
    expect(tables.run(aliased.compile())).toEqual([{ title: 'milkshake' }])
  })
})
