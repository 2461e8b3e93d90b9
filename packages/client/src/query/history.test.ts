import { defineSchema, f, table } from '@driftlog/core'
import { afterEach, expect, it } from 'vitest'
import { closeAll, device, exchange } from '../mutate/replicas.test-support.ts'

const schema = defineSchema({
  version: 1,
  tables: {
    tasks: table({
      title: f.string(),
      due: f.date().optional(),
      owner: f.string().optional().manual(),
      votes: f.counter(),
      tags: f.set(f.string()),
      steps: f.list(f.string()),
      settings: f.json().deepMerge(),
    }),
  },
})

afterEach(closeAll)

const told = (entries: readonly { readonly author: string; readonly changes: readonly object[] }[]): unknown[] =>
  entries.map(({ author, changes }) => [author, ...changes])

const of = (kind: string, field?: string, value?: unknown, path: string[] = []) => ({ kind, field, path, value })

it('[HIST1] tells everything that was done to a row, in order, by whom, deleted or not', async () => {
  const [a, b] = [await device(schema), await device(schema)]
  const due = new Date('2026-01-02T03:04:05Z')
  a.mutate((tx) => {
    tx.tasks.insert({ id: 'x', title: 'Milk', due, settings: { a: 1 } })
    tx.tasks.insert({ id: 'other', title: 'Bread', settings: {} })
  })
  await exchange(a, b)
  b.mutate((tx) =>
    tx.tasks.update('x', { votes: f.increment(2), tags: f.add('shop'), settings: { a: 1, b: { c: 2 } } }),
  )
  const steps = () => b.mutate((tx) => tx.tasks.get('x')!.steps).value
  b.mutate((tx) => tx.tasks.update('x', { steps: f.insertItem('open the door') }))
  const [{ id }] = steps()
  b.mutate((tx) => tx.tasks.update('x', { steps: f.setItem(id, 'close it') }))
  b.mutate((tx) => tx.tasks.update('x', { steps: f.removeItem(id), tags: f.remove('shop') }))
  b.mutate((tx) => tx.tasks.delete('x'))
  await exchange(a, b)

  const history = await a.history('tasks', 'x')
  expect(told(history)).toEqual([
    [a.device, of('insert'), of('set', 'title', 'Milk'), of('set', 'due', due), of('put', 'settings', 1, ['a'])],
    [b.device, of('increment', 'votes', 2), of('add', 'tags', 'shop'), of('put', 'settings', 2, ['b', 'c'])],
    [b.device, of('item', 'steps', { id, position: expect.any(String), value: 'open the door' })],
    [b.device, of('item', 'steps', { id, position: undefined, value: 'close it' })],
    [b.device, of('drop', 'steps', id), of('remove', 'tags', 'shop')],
    [b.device, of('delete')],
  ])
  expect(history.map(({ at }) => at.getTime())).toEqual(history.map(({ at }) => at.getTime()).toSorted((x, y) => x - y))
  expect(await b.history('tasks', 'x')).toEqual(history)
  expect(await b.history('tasks', 'nobody')).toEqual([])
})

it('[HIST1] [CONF3] a resolution, and that it was taken back, is part of it', async () => {
  const [a, b] = [await device(schema), await device(schema)]
  a.mutate((tx) => tx.tasks.insert({ id: 'x', title: 'Milk', settings: {} }))
  await exchange(a, b)
  a.mutate((tx) => tx.tasks.update('x', { owner: 'Ann' }))
  b.mutate((tx) => tx.tasks.update('x', { owner: 'Bob' }))
  await exchange(a, b)
  a.resolve(a.conflicts[0], 'Ann', 'she has the car')
  a.undo()
  const history = await a.history('tasks', 'x')
  expect(history.slice(-2)).toMatchObject([
    { changes: [of('resolve', 'owner', 'she has the car'), of('set', 'owner', 'Ann')] },
    {
      changes: [
        {
          kind: 'reopen',
          value: expect.arrayContaining([
            { author: a.device, at: expect.any(Date), value: 'Ann' },
            { author: b.device, at: expect.any(Date), value: 'Bob' },
          ]),
        },
      ],
    },
  ])
})

it('[HIST1] [CELL6] of a row that was erased only that is told; what another version wrote is told as it is', async () => {
  const [a, b] = [await device(schema), await device(schema)]
  a.mutate((tx) => tx.tasks.insert({ id: 'x', title: 'a secret', settings: {} }))
  a.mutate((tx) => tx.tasks.erase('x'))
  await exchange(a, b)
  expect(told(await b.history('tasks', 'x'))).toEqual([[a.device, of('erase')]])
  await expect(b.history('lists' as 'tasks', 'x')).rejects.toMatchObject({ code: 'OPTION_INVALID' })

  const newer = defineSchema({ version: 2, tables: { tasks: table({ title: f.integer(), settings: f.string() }) } })
  const c = await device(newer)
  c.mutate((tx) => tx.tasks.insert({ id: 'y', title: 7, settings: 'plain' }))
  await exchange(a, c)
  expect(told(await a.history('tasks', 'y'))).toEqual([
    [c.device, of('insert'), of('set', 'title', 7), of('set', 'settings', 'plain')],
  ])
})
