import { openReplica } from '@driftlog/client'
import { defineSchema, f, memoryStore, table } from '@driftlog/core'
import { expect, test } from 'vitest'
import { schema } from './schema.ts'

/** As devices out there have it. */
const first = defineSchema({
  version: 1,
  tables: {
    lists: table({ name: f.string() }),
    tasks: table({
      title: f.string(),
      done: f.boolean().default(false),
      state: f.enum('open', 'doing', 'waiting').default('open'),
      due: f.date().optional(),
      priority: f.integer().default(0),
      list: f.ref('lists', { onDelete: 'keep' }).optional(),
      notes: f.string().default(''),
    }),
  },
})

test('what the first version of the app stored is there, can be changed, and the older app goes on', async () => {
  const store = memoryStore()
  let older = await openReplica({ schema: first, space: 'home', key: 'unencrypted', store })
  const list = older.mutate((tx) => tx.lists.insert({ name: 'Home' })).value
  const id = older.mutate((tx) => tx.tasks.insert({ title: 'Milk', priority: 2, list, notes: 'two litres' })).value
  await older.close()

  const newer = await openReplica({ schema, space: 'home', key: 'unencrypted', store })
  const [task] = await newer.query((db) => db.selectFrom('tasks').selectAll())
  expect(task).toMatchObject({
    id,
    title: 'Milk',
    priority: 2,
    list,
    notes: 'two litres',
    who: '',
    tags: [],
    steps: [],
  })
  await newer.mutate((tx) => {
    tx.tasks.update(id, { title: 'Oat milk', who: 'Ada', tags: f.add('shop'), steps: f.insertItem('Find the bag') })
  }).stored
  await newer.close()

  older = await openReplica({ schema: first, space: 'home', key: 'unencrypted', store })
  expect(await older.query((db) => db.selectFrom('tasks').select(['title', 'notes']))).toEqual([
    { title: 'Oat milk', notes: 'two litres' },
  ])
  expect(older.status.newerSchema).toBe(2)
  await older.close()
})
