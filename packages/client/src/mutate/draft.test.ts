import { defineSchema, f, table } from '@driftlog/core'
import { afterEach, expect, it } from 'vitest'
import type { Replica } from '../replica.ts'
import { closeAll, device, exchange } from './replicas.test-support.ts'

const schema = defineSchema({
  version: 1,
  tables: {
    tasks: table({ title: f.string().manual(), note: f.string().optional() }, { onDelete: 'manual' }),
  },
})
type Device = Replica<typeof schema>

afterEach(closeAll)

const two = async () => {
  const [a, b] = [await device(schema), await device(schema)]
  a.mutate((tx) => tx.tasks.insert({ id: 'x', title: 'Milk', note: 'two' }))
  await exchange(a, b)
  return { a, b }
}
const valuesOf = (replica: Device) => new Set(replica.conflicts[0]?.candidates.map(({ value }) => value))

it('[STRAT5] what came in while a person typed is a conflict, on every replica, and fields that they left alone are not touched', async () => {
  const { a, b } = await two()
  const draft = a.draft('tasks', 'x')
  b.mutate((tx) => tx.tasks.update('x', { title: 'theirs', note: 'three' }))
  await exchange(a, b)
  draft.save({ title: 'mine' })
  await exchange(a, b)
  for (const replica of [a, b]) {
    expect(valuesOf(replica)).toEqual(new Set(['theirs', 'mine']))
    expect(replica.candidates('tasks', 'x', 'note').map(({ value }) => value)).toEqual(['three'])
  }
  draft.save({ title: 'mine, once more' })
  await exchange(a, b)
  for (const replica of [a, b]) expect(valuesOf(replica)).toEqual(new Set(['theirs', 'mine, once more']))
})

it('[STRAT5] a draft in a mutation with more to it is saved again as well', async () => {
  const { a } = await two()
  const draft = a.draft('tasks', 'x')
  for (const title of ['one', 'two']) {
    a.mutate((tx) => {
      tx.tasks.update('x', { title }, { draft: draft.memory })
      tx.tasks.insert({ title: 'beside it' })
    })
  }
  expect(a.conflicts).toEqual([])
  expect(a.candidates('tasks', 'x', 'title').map(({ value }) => value)).toEqual(['two'])
})

it('[STRAT5] a drafted deletion of a row that was changed meanwhile is an open conflict, and can be settled', async () => {
  for (const verdict of ['changed', 'deleted'] as const) {
    const { a, b } = await two()
    const draft = a.draft('tasks', 'x')
    b.mutate((tx) => tx.tasks.update('x', { note: 'three' }))
    await exchange(a, b)
    draft.delete()
    await exchange(a, b)
    for (const replica of [a, b]) {
      expect(replica.conflicts).toMatchObject([{ kind: 'row', status: 'open', outcome: 'changed' }])
      expect(replica.conflicts[0].candidates.map(({ value }) => value)).toEqual(['changed', 'deleted'])
    }
    b.resolve(b.conflicts[0], verdict, 'so be it')
    await exchange(a, b)
    expect(a.conflicts).toEqual([])
    const rows = await a.query((db) => db.selectFrom('tasks').select('note'))
    expect(rows).toEqual(verdict === 'changed' ? [{ note: 'three' }] : [])
    const settled = await a.query((db) => db.selectFrom('_conflicts').select(['reason', 'outcome', 'settledBy']))
    expect(settled).toEqual([{ reason: 'so be it', outcome: verdict, settledBy: b.device }])
  }
})

it('[STRAT5] after a save, what had come in before it still stands against a deletion', async () => {
  const { a, b } = await two()
  const draft = a.draft('tasks', 'x')
  b.mutate((tx) => tx.tasks.update('x', { note: 'three' }))
  await exchange(a, b)
  draft.save({ title: 'mine' })
  draft.delete()
  expect(a.conflicts).toMatchObject([{ kind: 'row', status: 'open' }])
  const quiet = a.draft('tasks', 'x')
  quiet.save({ title: 'seen it all' })
  quiet.delete()
  expect(await a.query((db) => db.selectFrom('tasks').selectAll())).toEqual([])
})

it('a draft of a row that is not there throws', async () => {
  const { a } = await two()
  const draft = a.draft('tasks', 'x')
  a.mutate((tx) => tx.tasks.delete('x'))
  expect(() => a.draft('tasks', 'x')).toThrow(expect.objectContaining({ code: 'ROW_NOT_FOUND' }))
  expect(() => draft.save({ title: 'late' })).toThrow(expect.objectContaining({ code: 'ROW_NOT_FOUND' }))
})
