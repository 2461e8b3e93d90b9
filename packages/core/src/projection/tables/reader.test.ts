import fc from 'fast-check'
import { type CompiledQuery, type Kysely, sql } from 'kysely'
import { jsonArrayFrom } from 'kysely/helpers/sqlite'
import initSqlJs from 'sql.js'
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest'
import type { DriftlogError } from '../../errors.ts'
import { f } from '../../schema/f.ts'
import { defineSchema, table } from '../../schema/schema.ts'
import { createQueryBuilder } from './query-builder.ts'
import type { RowReader } from './row-reader.ts'
import { createTables, type Tables } from './tables.ts'
import { tablesRead } from './tables-read.ts'

const schema = defineSchema({
  version: 1,
  tables: {
    lists: table({ name: f.string().search(), archived: f.boolean() }),
    tasks: table({
      title: f.string(),
      done: f.boolean(),
      due: f.date().optional(),
      priority: f.number(),
      settings: f.json<{ color: string }>(),
      list: f.ref('lists'),
    }),
  },
})

const db = createQueryBuilder<typeof schema>()
let tables: Tables

const task = (number: number, values: object) => ({ number, values: values as Record<string, never> })
const reader = (names: string[]): RowReader<ReturnType<typeof task>> => ({
  number: (row) => row.number,
  id: (row) => `id-${row.number}`,
  isLive: () => true,
  value: (row, field) => row.values[names[field]],
  createdAtMs: (row) => row.number,
  createdBy: () => 'device',
  updatedAtMs: (row) => 10 * row.number,
})

beforeAll(async () => {
  const SQL = await initSqlJs()
  tables = createTables(new SQL.Database(), schema)
  const lists = [task(1, { name: 'Home', archived: false }), task(2, { name: 'Work', archived: true })]
  const tasks = [
    task(3, { title: 'Milk', done: false, due: 1000, priority: 1, settings: { color: 'red' }, list: 'id-1' }),
    task(4, { title: 'Report', done: true, due: null, priority: 2.5, settings: { color: 'blue' }, list: 'id-2' }),
    task(5, { title: 'Lost', done: false, due: 2000, priority: 3, settings: { color: 'red' }, list: 'nowhere' }),
  ]
  tables.flush([
    { table: 'lists', rows: lists, reader: reader(Object.keys(schema.tables.lists.fields)) },
    { table: 'tasks', rows: tasks, reader: reader(Object.keys(schema.tables.tasks.fields)) },
  ])
})
afterAll(() => tables.close())

const run = <O>(query: { compile(): CompiledQuery<O> }): O[] => tables.run(query.compile())
const refusal = (query: { compile(): CompiledQuery<unknown> }): DriftlogError => {
  try {
    run(query)
  } catch (error) {
    return error as DriftlogError
  }
  throw new Error('was not refused')
}

describe('reading', () => {
  test('[Q1] booleans, dates and JSON are themselves, in conditions too', () => {
    const rows = run(db.selectFrom('tasks').where('done', '=', false).where('due', '<', new Date(1500)).selectAll())
    expectTypeOf(rows[0].done).toEqualTypeOf<boolean>()
    expectTypeOf(rows[0].due).toEqualTypeOf<Date | null>()
    expectTypeOf(rows[0].settings).toEqualTypeOf<{ color: string }>()
    expect(rows).toEqual([
      {
        id: 'id-3',
        title: 'Milk',
        done: false,
        due: new Date(1000),
        priority: 1,
        settings: { color: 'red' },
        list: 'id-1',
        createdAt: new Date(3),
        createdBy: 'device',
        updatedAt: new Date(30),
      },
    ])
    expect(Object.getPrototypeOf(rows[0])).toBe(Object.prototype)
  })

  test('[Q2] aliases, joins, subqueries, CTEs and unions keep the types of their columns', () => {
    const joined = db
      .selectFrom('tasks as t')
      .leftJoin('lists as l', 'l.id', 't.list')
      .select(['t.title as name', 'l.archived', 't.due as day', 'l.createdAt as since'])
      .orderBy('t.id')
    expect(run(joined)).toEqual([
      { name: 'Milk', archived: false, day: new Date(1000), since: new Date(1) },
      { name: 'Report', archived: true, day: null, since: new Date(2) },
      { name: 'Lost', archived: null, day: new Date(2000), since: null },
    ])
    const star = db
      .selectFrom('lists')
      .innerJoin('tasks', 'tasks.list', 'lists.id')
      .selectAll('tasks')
      .select('archived')
    expect(run(star.orderBy('tasks.id'))[1]).toMatchObject({
      id: 'id-4',
      done: true,
      archived: true,
      settings: { color: 'blue' },
    })
    const nested = db
      .selectFrom(db.selectFrom('tasks').select(['done as flag', 'due']).as('inner'))
      .selectAll()
      .where('flag', '=', true)
    expect(run(nested)).toEqual([{ flag: true, due: null }])
    const cte = db
      .with('late(what, moment)', (qc) =>
        qc.selectFrom('tasks').select(['done', 'due']).where('due', '>', new Date(1000)),
      )
      .selectFrom('late')
      .selectAll()
    expect(run(cte)).toEqual([{ what: false, moment: new Date(2000) }])
    const recursive = db
      .withRecursive('chain(flag, depth)', (qc) =>
        qc
          .selectFrom('tasks')
          .select(['done as flag', sql<number>`1`.as('depth')])
          .where('id', '=', 'id-4')
          .unionAll(
            qc
              .selectFrom('chain')
              .select(['flag', sql<number>`depth + 1`.as('depth')])
              .where('depth', '<', 2),
          ),
      )
      .selectFrom('chain')
      .select(['flag', 'depth'])
    expect(run(recursive)).toEqual([
      { flag: true, depth: 1 },
      { flag: true, depth: 2 },
    ])
    const union = db
      .selectFrom('tasks')
      .select('done as flag')
      .union(db.selectFrom('lists').select('archived as flag'))
      .orderBy('flag')
    expect(run(union)).toEqual([{ flag: false }, { flag: true }])
    const scalar = db
      .selectFrom('lists')
      .select((eb) => [
        'name',
        eb.selectFrom('tasks').whereRef('tasks.list', '=', 'lists.id').select('due').limit(1).as('due'),
      ])
    expect(run(scalar.where('name', '=', 'Home'))).toEqual([{ name: 'Home', due: new Date(1000) }])
  })

  test('[Q2] min, max, coalesce and case return what they are given; other expressions are as SQL returns them', () => {
    const rows = run(
      db
        .selectFrom('tasks')
        .select((eb) => [
          eb.fn.max('due').as('latest'),
          eb.fn.countAll<number>().as('count'),
          eb.fn.coalesce('due', 'createdAt').as('moment'),
          eb.case().when('title', '=', 'Milk').then(eb.ref('done')).else(eb.ref('done')).end().as('flag'),
          sql<Date>`${eb.ref('due')}`.as('same'),
          sql<number>`${eb.ref('due')} + 1`.as('more'),
          eb('priority', '>', 0).as('isUrgent'),
        ]),
    )
    expect(rows).toEqual([
      {
        latest: new Date(2000),
        count: 3,
        moment: new Date(2000),
        flag: false,
        same: new Date(2000),
        more: 2001,
        isUrgent: 1,
      },
    ])
  })

  test('[Q2] columns that raw SQL decides are as SQL returns them', () => {
    const rows = run(db.selectFrom(sql<{ a: number }>`(select 1 as a, 2 as b)`.as('raw')).selectAll())
    expect(rows).toEqual([{ a: 1, b: 2 }])
  })

  test('[Q2] random selections are typed like the rows they come from', () => {
    const whole = new Map(run(db.selectFrom('tasks').selectAll()).map((row) => [row.id, row]))
    const names = [
      'title',
      'done',
      'due',
      'priority',
      'settings',
      'list',
      'createdAt',
      'updatedAt',
      'createdBy',
    ] as const
    const selection = fc.array(fc.tuple(fc.constantFrom(...names), fc.constantFrom('', 'a', 'b')), {
      minLength: 1,
      maxLength: 6,
    })
    fc.assert(
      fc.property(selection, fc.nat({ max: 4 }), fc.boolean(), (columns, shape, hasAll) => {
        const picked = columns.map(([name, suffix]) => `t.${name} as ${name}${suffix}` as 't.done as done')
        const base = db.selectFrom('tasks as t').select(['t.id', ...picked])
        const selected = hasAll ? base.selectAll('t') : base
        const query = [
          selected,
          selected.innerJoin('tasks as other', 'other.id', 't.id'),
          selected.union(selected),
          db.selectFrom(selected.as('s')).selectAll(),
          db
            .with('c', () => selected)
            .selectFrom('c')
            .selectAll(),
        ][shape] as typeof selected
        for (const row of run(query)) {
          const source = whole.get(row.id)!
          for (const [name, suffix] of columns) {
            expect(row[`${name}${suffix}` as keyof typeof row]).toEqual(source[name])
          }
        }
      }),
    )
  })

  test('[Q3] only selects run; execute() says where a query belongs', async () => {
    const others = db as unknown as Kysely<Record<string, Record<string, string>>>
    for (const query of [
      others.deleteFrom('tasks'),
      others.updateTable('tasks').set({ title: 'x' }),
      others.insertInto('tasks').values({ id: 'x' }),
      others.schema.dropTable('tasks'),
    ]) {
      expect(refusal(query as never)).toMatchObject({ code: 'QUERY_INVALID' })
    }
    expect(refusal({ compile: () => sql`delete from tasks`.compile(others) as never }).code).toBe('QUERY_INVALID')
    await expect(db.selectFrom('tasks').selectAll().execute()).rejects.toMatchObject({ code: 'QUERY_INVALID' })
    // Whatever raw SQL gets past the check meets a database that takes no writes.
    const compiled = db.selectFrom('tasks').selectAll().compile()
    for (const text of ['delete from tasks', 'commit', 'with a as (select 1) delete from tasks returning id']) {
      expect(refusal({ compile: () => ({ ...compiled, sql: text }) }).message).toMatch(/readonly/)
    }
    expect(run(db.selectFrom('tasks').select('id'))).toHaveLength(3)
  })

  test('[Q3] an error of SQL is QUERY_INVALID with its cause, and the next query runs', () => {
    const error = refusal(db.selectFrom('tasks').select(sql`nope(1)`.as('x')))
    expect(error).toMatchObject({ code: 'QUERY_INVALID', details: { sql: expect.stringContaining('nope') as string } })
    expect(error.cause).toBeInstanceOf(Error)
    expect(refusal(db.selectFrom('gone' as 'tasks').selectAll()).message).toMatch(/no such table/)
    expect(run(db.selectFrom('tasks').select('id'))).toHaveLength(3)
  })

  test('[Q4] refuses parameters with which nothing can be compared', () => {
    const where = (value: unknown) =>
      db
        .selectFrom('tasks')
        .where('title', '=', value as string)
        .select('id')
    for (const value of [undefined, Number.NaN, new Date(Number.NaN), { a: 1 }, new Map(), 1n]) {
      expect(refusal(where(value))).toMatchObject({ code: 'QUERY_INVALID' })
    }
    expect(refusal(where({ a: 1 })).message).toMatch(/parameter 1 is an object/)
  })

  test('[Q4] a JSON column can be compared with JSON', () => {
    const query = db.selectFrom('tasks').where('settings', '=', { color: 'red' }).select('id')
    expect(run(query)).toEqual([{ id: 'id-3' }, { id: 'id-5' }])
    expect(
      run(
        db
          .selectFrom('tasks')
          .where('settings', 'in', [{ color: 'blue' }])
          .select('id'),
      ),
    ).toEqual([{ id: 'id-4' }])
    const bad = db.selectFrom('tasks').where('settings', '=', { color: new Date(0) as never })
    expect(refusal(bad.select('id')).message).toMatch(/a Date inside JSON/)
  })

  test('[Q2] raw SQL beside a query of the same text changes nothing of what that shows', () => {
    const plain = db.selectFrom('tasks').select('done').where('id', '=', 'id-3')
    const raw = db
      .selectFrom('tasks')
      .select(sql.raw<unknown>('"done"') as never)
      .where('id', '=', 'id-3') as typeof plain
    expect(raw.compile().sql).toBe(plain.compile().sql)
    const shown = [plain, raw, plain, raw].map((query) => typeof run(query)[0].done)
    expect(shown).toEqual(['boolean', 'number', 'boolean', 'number'])
  })

  test('[Q5] more queries than are kept prepared', () => {
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 300; n++) {
        expect(
          run(
            db
              .selectFrom('tasks')
              .select(sql<number>`${sql.lit(n)}`.as(`n${n}`))
              .limit(1),
          ),
        ).toEqual([{ [`n${n}`]: n }])
      }
    }
  })

  test('[Q1] the builder offers what reads, typed by the schema', () => {
    expectTypeOf(db).not.toHaveProperty('insertInto')
    expectTypeOf(db).not.toHaveProperty('transaction')
    // @ts-expect-error a boolean column is compared with booleans
    db.selectFrom('tasks').where('done', '=', 'no')
    // @ts-expect-error tasks has no searchable field
    db.search('tasks', 'milk')
  })
})

describe('tablesRead', () => {
  const read = (query: { compile(): CompiledQuery<unknown> }): string[] =>
    [...tablesRead(schema, query.compile())].sort()

  test('[Q6] finds the tables of joins, subqueries, CTEs, unions and searches', () => {
    expect(read(db.selectFrom('tasks').selectAll())).toEqual(['tasks'])
    expect(read(db.selectFrom('tasks as t').innerJoin('lists as l', 'l.id', 't.list').select('t.id'))).toEqual([
      'lists',
      'tasks',
    ])
    const inList = db.selectFrom('tasks').where('list', 'in', (eb) => eb.selectFrom('lists').select('id'))
    expect(read(inList.select('id'))).toEqual(['lists', 'tasks'])
    expect(
      read(
        db
          .with('c', (qc) => qc.selectFrom('lists').selectAll())
          .selectFrom('c')
          .selectAll(),
      ),
    ).toEqual(['lists'])
    expect(read(db.selectFrom('lists').where(db.search('lists', 'tasks')).select('id'))).toEqual(['lists'])
    expect(read(db.selectFrom('tasks').select('id').union(db.selectFrom('lists').select('id')))).toEqual([
      'lists',
      'tasks',
    ])
  })

  test('[Q6] finds the tables of raw SQL, and takes no value for one', () => {
    expect(read(db.selectFrom('tasks').where('title', '=', 'lists').select('id'))).toEqual(['tasks'])
    expect(read(db.selectFrom('tasks').select(sql`(select count(*) from Lists)`.as('n')))).toEqual(['lists', 'tasks'])
    expect(read(db.selectFrom('tasks').select(sql`(select count(*) from ${sql.id('lists')})`.as('n')))).toEqual([
      'lists',
      'tasks',
    ])
    expect(read(db.selectFrom('tasks').select(sql`upper(title)`.as('t')))).toEqual(['tasks'])
    const nested = db
      .selectFrom('tasks')
      .select((eb) => jsonArrayFrom(eb.selectFrom('lists').select('name')).as('lists'))
    expect(read(nested)).toEqual(['lists', 'tasks'])
  })
})
