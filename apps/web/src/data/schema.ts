import { defineSchema, f, type InferRow, table } from '@driftlog/core'

export const states = ['open', 'doing', 'waiting'] as const
export type TaskState = (typeof states)[number]

/** Which fields of a task can hold concurrent values, in the order in which they are shown. */
export const taskFields = ['title', 'done', 'state', 'due', 'priority', 'list', 'notes'] as const
export type TaskField = (typeof taskFields)[number]

export const schema = defineSchema({
  version: 1,
  tables: {
    lists: table({ name: f.string() }),
    tasks: table(
      {
        title: f.string().search(),
        done: f.boolean().default(false),
        /** How far an open task is; a tick leaves it alone, so that the two can be changed on two devices at once. */
        state: f.enum(...states).default('open'),
        /** The start of a day in UTC: the same day on every device, whatever its time zone. */
        due: f.date().optional(),
        /** 0 none, 1 low, 2 medium, 3 high. */
        priority: f.integer().default(0),
        /** Without one, and with one that was deleted, a task is in the inbox. */
        list: f.ref('lists', { onDelete: 'keep' }).optional(),
        notes: f.string().default('').search(),
      },
      { onDelete: 'update-wins', indexes: [['list', 'done'], ['due']] },
    ),
  },
})

export type AppSchema = typeof schema
export type List = InferRow<AppSchema['tables']['lists']>
export type Task = InferRow<AppSchema['tables']['tasks']>
