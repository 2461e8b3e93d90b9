import { defineSchema, f, type InferRow, table } from '@driftlog/core'

export const states = ['open', 'doing', 'waiting'] as const
export type TaskState = (typeof states)[number]

/** Fields of a task that have one value, in the order in which they are shown. */
export const taskFields = ['title', 'done', 'who', 'due', 'state', 'priority', 'list', 'notes'] as const
export type TaskField = (typeof taskFields)[number]
/** Those that hold words of people: what two of them wrote at once is for a person to decide, and can be combined. */
export const textFields = ['title', 'who', 'notes'] as const satisfies readonly TaskField[]
export type TextField = (typeof textFields)[number]

export const schema = defineSchema({
  version: 2,
  tables: {
    lists: table({ name: f.string() }),
    /** Who writes in a window: the row of a device has its id. */
    people: table({ name: f.string() }),
    tasks: table(
      {
        title: f.string().manual().search(),
        done: f.boolean().default(false),
        /** How far an open task is; a tick leaves it alone, so that the two can be changed on two devices at once. */
        state: f.enum(...states).default('open'),
        /** The start of a day in UTC: the same day on every device, whatever its time zone. */
        due: f.date().optional(),
        /** 0 none, 1 low, 2 medium, 3 high. Of two that were set at once the higher one counts. */
        priority: f
          .integer()
          .default(0)
          .priority(({ value }) => value),
        /** Without one, and with one that was deleted, a task is in the inbox. */
        list: f.ref('lists', { onDelete: 'keep' }).optional(),
        /** Who does it. Two people who both took it have to talk. */
        who: f.string().default('').manual(),
        tags: f.set(f.string()),
        /** The ticks are beside the steps, so that one may tick what another one rewords or moves. */
        steps: f.list(f.string()),
        stepsDone: f.set(f.string()),
        notes: f.string().default('').manual().search(),
      },
      { onDelete: 'update-wins', indexes: [['list', 'done'], ['due']] },
    ),
  },
})

export type AppSchema = typeof schema
export type List = InferRow<AppSchema['tables']['lists']>
export type Task = InferRow<AppSchema['tables']['tasks']>
