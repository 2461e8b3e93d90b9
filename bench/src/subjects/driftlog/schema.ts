import { defineSchema, f, table } from '@driftlog/core'

export const SPACE = 'bench'

export const schema = defineSchema({
  version: 1,
  tables: {
    tasks: table({
      title: f.string(),
      done: f.boolean().default(false),
      priority: f.number().default(0),
      listId: f.string(),
      changedAt: f.number(),
    }),
  },
})
