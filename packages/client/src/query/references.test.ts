import { defineSchema, f, table } from '@driftlog/core'
import { afterEach, expect, it } from 'vitest'
import { closeAll, device, exchange } from '../mutate/replicas.test-support.ts'

const schema = defineSchema({
  version: 1,
  tables: {
    lists: table({ name: f.string() }),
    tasks: table({
      title: f.string().search(),
      list: f.ref('lists', { onDelete: 'cascade' }),
      label: f.ref('lists', { onDelete: 'set-null' }).optional(),
      owner: f.string().optional().manual(),
    }),
    notes: table({ text: f.string(), task: f.ref('tasks', { onDelete: 'cascade' }) }),
  },
})

afterEach(closeAll)

it('[REF1] a row that is deleted hides what refers to it in queries, search, watches and conflicts, and nulls what names it; all is back with it', async () => {
  const [a, b] = [await device(schema), await device(schema)]
  a.mutate((tx) => {
    tx.lists.insert({ id: 'l', name: 'Home' })
    tx.lists.insert({ id: 'other', name: 'Work' })
    tx.tasks.insert({ id: 't', title: 'Milk', list: 'l' })
    tx.tasks.insert({ id: 'named', title: 'Bread', list: 'other', label: 'l' })
    tx.notes.insert({ id: 'n', text: 'oat', task: 't' })
  })
  await exchange(a, b)
  a.mutate((tx) => tx.tasks.update('t', { owner: 'Ann' }))
  b.mutate((tx) => tx.tasks.update('t', { owner: 'Bob' }))
  await exchange(a, b)
  const notes: unknown[][] = []
  const watching = b.watch((db) => db.selectFrom('notes').select('text')).subscribe((rows) => notes.push(rows))
  await expect.poll(() => notes.at(-1)).toEqual([{ text: 'oat' }])
  // Beside the deletion: a new row in it, and a change to one that goes with it.
  a.mutate((tx) => tx.lists.delete('l'))
  b.mutate((tx) => {
    tx.tasks.insert({ id: 'late', title: 'Milk too', list: 'l' })
    tx.notes.update('n', { text: 'oat, not soy' })
  })
  await exchange(a, b)
  await expect.poll(() => notes.at(-1)).toEqual([])
  for (const replica of [a, b]) {
    const tasks = await replica.query((db) => db.selectFrom('tasks').select(['id', 'label']))
    expect(tasks).toEqual([{ id: 'named', label: null }])
    const found = await replica.query((db) => db.selectFrom('tasks').where(db.search('tasks', 'milk')).select('id'))
    expect([found, replica.conflicts, replica.status.conflicts]).toEqual([[], [], 0])
    expect(() => replica.draft('tasks', 't')).toThrow(expect.objectContaining({ code: 'ROW_NOT_FOUND' }))
  }
  b.mutate((tx) => tx.lists.restore('l'))
  await exchange(a, b)
  await expect.poll(() => notes.at(-1)).toEqual([{ text: 'oat, not soy' }])
  for (const replica of [a, b]) {
    const tasks = await replica.query((db) => db.selectFrom('tasks').select(['id', 'label']).orderBy('id'))
    expect(tasks).toEqual([
      { id: 'late', label: null },
      { id: 'named', label: 'l' },
      { id: 't', label: null },
    ])
    const found = await replica.query((db) => db.selectFrom('tasks').where(db.search('tasks', 'milk')).select('id'))
    expect(found).toHaveLength(2)
    expect(replica.conflicts).toMatchObject([{ rowId: 't', field: 'owner', status: 'open' }])
  }
  b.undo()
  expect(b.conflicts).toEqual([])
  watching.unsubscribe()
})

it('[REF1] a row comes before the one that it refers to: it is there, and is hidden once that one is erased', async () => {
  const [a, b] = [await device(schema), await device(schema)]
  b.mutate((tx) => tx.tasks.insert({ id: 't', title: 'Milk', list: 'l', label: 'l' }))
  a.mutate((tx) => tx.lists.insert({ id: 'l', name: 'Home' }))
  const labels = () => b.query((db) => db.selectFrom('tasks').select('label'))
  expect(await labels()).toEqual([{ label: 'l' }])
  await exchange(a, b)
  a.mutate((tx) => tx.lists.erase('l'))
  await exchange(a, b)
  expect(await labels()).toEqual([])
  b.mutate((tx) => tx.lists.insert({ id: 'm', name: 'Work' }))
  b.mutate((tx) => tx.tasks.insert({ id: 't', title: 'Milk', list: 'm' }))
  expect(await labels()).toEqual([{ label: null }])
})
