import { describe, expect, expectTypeOf, test } from 'vitest'
import { f } from './f.ts'
import type { Increment } from './field.ts'
import type { InferDatabase, InferInsert, InferRow, InferUpdate, SearchableTable } from './infer.ts'
import { defineSchema, table } from './schema.ts'

interface Settings {
  readonly theme: 'light' | 'dark'
}

const schema = defineSchema({
  version: 1,
  tables: {
    lists: table({ name: f.string() }),
    tasks: table(
      {
        title: f.string().search(),
        notes: f.string().default('').search(),
        done: f.boolean().default(false),
        due: f.date().optional(),
        priority: f.number(),
        rank: f.integer().optional().default(3),
        state: f.enum('open', 'doing', 'done'),
        list: f.ref('lists', { onDelete: 'keep' }).optional(),
        settings: f.json<Settings>().optional(),
        anything: f.json().optional(),
        votes: f.counter(),
      },
      { onDelete: 'update-wins', indexes: [['list', 'done'], ['updatedAt']] },
    ),
  },
})

type Task = InferRow<typeof schema.tables.tasks>
type NewTask = InferInsert<typeof schema.tables.tasks>
type TaskChange = InferUpdate<typeof schema.tables.tasks>

describe('what follows from a schema', () => {
  test('[SCH7] a row has its fields, optional ones as null, and id, createdAt, createdBy, updatedAt', () => {
    expectTypeOf<Omit<Task, 'anything'>>().toEqualTypeOf<{
      id: string
      createdAt: Date
      createdBy: string
      updatedAt: Date
      title: string
      notes: string
      done: boolean
      due: Date | null
      priority: number
      rank: number | null
      state: 'open' | 'doing' | 'done'
      list: string | null
      settings: Settings | null
      votes: number
    }>()
  })

  test('[SCH7] insert may leave out id, optional fields, fields with a default and counters', () => {
    const least: NewTask = { title: 'Buy milk', priority: 1, state: 'open' }
    expect(least.title).toBe('Buy milk')
    expectTypeOf<NewTask['id']>().toEqualTypeOf<string | undefined>()
    expectTypeOf<NewTask['due']>().toEqualTypeOf<Date | null | undefined>()
    expectTypeOf<NewTask['done']>().toEqualTypeOf<boolean | undefined>()
    expectTypeOf<NewTask['votes']>().toEqualTypeOf<number | Increment | undefined>()
    expectTypeOf<{ title: string; priority: number }>().not.toExtend<NewTask>()
    expectTypeOf<{ title: null; priority: number; state: 'open' }>().not.toExtend<NewTask>()
    expectTypeOf<{ title: string; priority: number; state: 'shut' }>().not.toExtend<NewTask>()
  })

  test('[SCH7] update takes any field; a counter takes an increment only', () => {
    expectTypeOf<TaskChange['votes']>().toEqualTypeOf<Increment | undefined>()
    expectTypeOf<TaskChange['title']>().toEqualTypeOf<string | undefined>()
    expectTypeOf<TaskChange['due']>().toEqualTypeOf<Date | null | undefined>()
    expectTypeOf<{ id: string }>().not.toExtend<Required<Pick<TaskChange, 'title'>>>()
    expectTypeOf<keyof TaskChange>().toEqualTypeOf<
      Exclude<keyof Task, 'id' | 'createdAt' | 'createdBy' | 'updatedAt'>
    >()
  })

  test('[SCH7] the database has the tables of the schema, and knows which can be searched', () => {
    type Database = InferDatabase<typeof schema>
    expectTypeOf<keyof Database>().toEqualTypeOf<'lists' | 'tasks'>()
    expectTypeOf<Database['tasks']>().toEqualTypeOf<Task>()
    expectTypeOf<SearchableTable<typeof schema>>().toEqualTypeOf<'tasks'>()
  })

  test('[SCH7] a builder offers what its kind can do', () => {
    expect(() => {
      // @ts-expect-error only text can be searched
      f.number().search()
    }).toThrow(TypeError)
    // @ts-expect-error a default has the field's type
    f.string().default(1)
    // @ts-expect-error a counter is never absent
    expect(f.counter().optional).toBeUndefined()
    // @ts-expect-error an index names fields of the table
    table({ name: f.string() }, { indexes: [['nam']] })
  })
})
