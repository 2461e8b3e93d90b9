import { sql } from 'kysely'
import initSqlJs from 'sql.js'
import { expect, it } from 'vitest'
import { f } from '../../schema/f.ts'
import { defineSchema, table } from '../../schema/schema.ts'
import { createQueryBuilder } from './query-builder.ts'
import { rowGuard } from './row-guard.ts'
import type { RowReader } from './row-reader.ts'
import { createTables } from './tables.ts'

const schema = defineSchema({
  version: 1,
  tables: {
    tasks: table({
      title: f.string().search(),
      done: f.boolean(),
      n: f.number().optional(),
      settings: f.json().optional(),
    }),
    lists: table({ name: f.string() }),
  },
})
const db = createQueryBuilder<typeof schema>()

const tasks = db.selectFrom('tasks')
const guarded = {
  equality: tasks.where('n', '=', 3).selectAll(),
  'two conditions': tasks.where('n', '>', 1).where('done', '=', false).select('title'),
  or: tasks.where((eb) => eb.or([eb('n', '=', 1), eb('done', '=', true)])).selectAll(),
  'null and in': tasks.where((eb) => eb.or([eb('n', 'is', null), eb('title', 'in', ['a', 'b'])])).select(['id', 'n']),
  'an alias, sorted and cut': db
    .selectFrom('tasks as t')
    .where('t.n', '<', 3)
    .orderBy('t.n', 'desc')
    .limit(2)
    .select('t.id'),
  'a count a group': tasks
    .where('n', '>=', 2)
    .groupBy('done')
    .select(({ fn }) => ['done', fn.countAll<number>().as('count')]),
  json: tasks.where('settings', '=', { a: 1 }).selectAll(),
  like: tasks.where('title', 'like', 'a%').distinct().select('title'),
}

const reader: RowReader<Task> = {
  number: ({ number }) => number,
  id: ({ number }) => `row ${number}`,
  isLive: ({ isLive }) => isLive,
  value: ({ title, done, n, settings }, field) => [title, done, n, settings][field],
  createdAtMs: () => 0,
  createdBy: () => 'a',
  updatedAtMs: () => 0,
}

interface Task {
  readonly number: number
  readonly isLive: boolean
  readonly title: string
  readonly done: boolean
  readonly n: number | null
  readonly settings: { a: number } | null
}

const ROWS = 8
const CHANGES = 400

it.each(Object.entries(guarded))('[Q9] %s: what is not touched has not changed', async (_, query) => {
  const tables = createTables(new (await initSqlJs()).Database(), schema)
  const compiled = query.compile()
  const guard = rowGuard(compiled)!
  let seed = 1
  const any = (count: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648
    return Math.floor(seed / 65536) % count
  }
  let untouched = 0
  let before: unknown[] = []
  for (let change = 0; change < CHANGES; change++) {
    const n = any(6)
    const task: Task = {
      number: 1 + any(ROWS),
      isLive: any(5) > 0,
      title: 'abc'[any(3)],
      done: any(2) === 1,
      n: n === 5 ? null : n,
      settings: any(2) === 0 ? null : { a: any(3) },
    }
    const isRead = (): boolean => tables.run(guard(task.number)).length > 0
    const wasRead = isRead()
    tables.flush([{ table: 'tasks', rows: [task], reader: reader as RowReader<unknown> }])
    const after = tables.run(compiled)
    if (!wasRead && !isRead()) {
      untouched++
      expect(after).toEqual(before)
    }
    before = after
  }
  expect(untouched).toBeGreaterThan(CHANGES / 20)
  tables.close()
})

it.each([
  ['without a condition', tasks.selectAll()],
  ['a join', tasks.innerJoin('lists', 'lists.id', 'tasks.title').where('n', '=', 1).select('name')],
  ['two tables', db.selectFrom(['tasks', 'lists']).where('n', '=', 1).select('name')],
  ['a subquery', tasks.where('title', 'in', (eb) => eb.selectFrom('lists').select('name')).selectAll()],
  [
    'a subquery among what is selected',
    tasks.where('n', '=', 1).select((eb) => eb.selectFrom('lists').select('name').as('x')),
  ],
  ['a search', tasks.where(db.search('tasks', 'a')).selectAll()],
  ['raw SQL', tasks.where(sql<boolean>`n = (SELECT count(*) FROM lists)`).selectAll()],
  ['a function', tasks.where((eb) => eb('n', '<', eb.fn<number>('random', []))).selectAll()],
  ['a union', tasks.where('n', '=', 1).select('id').union(db.selectFrom('lists').select('id'))],
  [
    'with',
    db
      .with('x', (inner) => inner.selectFrom('lists').selectAll())
      .selectFrom('tasks')
      .where('n', '=', 1)
      .selectAll(),
  ],
])('[Q9] %s: no guard', (_, query) => {
  expect(rowGuard(query.compile())).toBeUndefined()
})
