import { defineSchema, f, table } from '@driftlog/core'
import { afterEach, describe, expect, it } from 'vitest'
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

describe('of a set and of JSON under deep merge', () => {
  const rich = defineSchema({
    version: 1,
    tables: {
      tasks: table({
        tags: f.set(f.string()),
        settings: f.json<Record<string, unknown>>().deepMerge().default({ theme: 'light' }),
      }),
    },
  })
  const twoRich = async () => {
    const [a, b] = [await device(rich), await device(rich)]
    a.mutate((tx) => tx.tasks.insert({ id: 'x', tags: ['a', 'b'], settings: { deep: { a: 1, b: 1 }, list: [1] } }))
    a.mutate((tx) => tx.tasks.insert({ id: 'bare' }))
    await exchange(a, b)
    return { a, b }
  }
  const rowOf = async (replica: Replica<typeof rich>, id = 'x') => {
    const [row] = await replica.query((db) => db.selectFrom('tasks').select(['tags', 'settings']).where('id', '=', id))
    return row
  }

  it('[STRAT5] a save changes what was changed in the form, and what came in meanwhile stays', async () => {
    const { a, b } = await twoRich()
    const draft = a.draft('tasks', 'x')
    b.mutate((tx) =>
      tx.tasks.update('x', {
        tags: ['a', 'theirs'],
        settings: { deep: { a: 1, b: 2, theirs: true }, list: [1], more: {} },
      }),
    )
    await exchange(a, b)
    const said = a.mutate((tx) => {
      tx.tasks.update(
        'x',
        { tags: ['b', 'mine'], settings: { deep: { a: 2, b: 1 }, list: [1, 2] } },
        { draft: draft.memory },
      )
      return tx.tasks.get('x')
    }).value
    await exchange(a, b)
    for (const replica of [a, b]) {
      expect(await rowOf(replica)).toEqual({
        tags: ['mine', 'theirs'],
        settings: { deep: { a: 2, b: 2, theirs: true }, list: [1, 2], more: {} },
      })
      expect(await rowOf(replica)).toEqual({ tags: said?.tags, settings: said?.settings })
    }
    // The form shows what it saved, not what came in.
    draft.save({ tags: ['mine'], settings: { deep: { a: 2 }, list: [1, 2] } })
    expect(await rowOf(a)).toEqual({
      tags: ['mine', 'theirs'],
      settings: { deep: { a: 2, theirs: true }, list: [1, 2], more: {} },
    })
    const held = [...a.held().values()]
    draft.save({ tags: ['mine'], settings: { deep: { a: 2 }, list: [1, 2] } })
    expect([...a.held().values()]).toEqual(held)
  })

  it('[STRAT5] twice in one mutation it is compared with what was saved first; f.add and f.remove say themselves what they change', async () => {
    const { a, b } = await twoRich()
    const draft = a.draft('tasks', 'x')
    b.mutate((tx) => tx.tasks.update('x', { tags: f.add('theirs'), settings: {} }))
    await exchange(a, b)
    a.mutate((tx) => {
      tx.tasks.update('x', { tags: ['a', 'b', 'c'] }, { draft: draft.memory })
      tx.tasks.update('x', { tags: ['a'], settings: { deep: { b: 1 }, list: [1] } }, { draft: draft.memory })
    })
    expect(await rowOf(a)).toEqual({ tags: ['a', 'theirs'], settings: {} })
    draft.save({ tags: f.remove('theirs', 'a') })
    draft.save({ tags: f.add('d') })
    expect((await rowOf(a)).tags).toEqual(['d'])
    draft.save({ tags: ['e'] })
    expect((await rowOf(a)).tags).toEqual(['e'])
  })

  it('[STRAT5] what was there by default alone is not a change, and what came in is left beside a first value', async () => {
    const { a, b } = await twoRich()
    const draft = a.draft('tasks', 'bare')
    b.mutate((tx) => tx.tasks.update('bare', { tags: ['theirs'], settings: { theirs: 1 } }))
    await exchange(a, b)
    draft.save({ tags: [], settings: { mine: 1 } })
    expect(await rowOf(a, 'bare')).toEqual({ tags: ['theirs'], settings: { theirs: 1, mine: 1 } })
  })
})

it('[STRAT5] a draft of another row, or another table, is refused', async () => {
  const { a } = await two()
  a.mutate((tx) => tx.tasks.insert({ id: 'y', title: 'Bread' }))
  const draft = a.draft('tasks', 'x').memory
  const refused = expect.objectContaining({ code: 'OPTION_INVALID' })
  expect(() => a.mutate((tx) => tx.tasks.update('y', { title: 'x' }, { draft }))).toThrow(refused)
  expect(() => a.mutate((tx) => tx.tasks.delete('y', { draft }))).toThrow(refused)
})

describe('[STRAT5] of a list', () => {
  const lists = defineSchema({
    version: 1,
    tables: { tasks: table({ title: f.string().optional(), steps: f.list(f.string()) }) },
  })
  const twoLists = async () => {
    const [a, b] = [await device(lists), await device(lists)]
    a.mutate((tx) => tx.tasks.insert({ id: 'x', steps: ['1', '2', '3'] }))
    await exchange(a, b)
    const ids = a.mutate((tx) => tx.tasks.get('x')!.steps.map(({ id }) => id)).value
    return { a, b, ids, draft: a.draft('tasks', 'x') }
  }
  const stepsOf = async (replica: Replica<typeof lists>) => {
    const [{ steps }] = await replica.query((db) => db.selectFrom('tasks').select('steps'))
    return steps.map(({ value }) => value)
  }

  it('places are those that the form showed, and shows after each save', async () => {
    const { a, b, ids, draft } = await twoLists()
    b.mutate((tx) => tx.tasks.update('x', { steps: [f.insertItem('0', { at: 0 }), f.insertItem('00', { at: 0 })] }))
    await exchange(a, b)
    const said = a.mutate((tx) => {
      tx.tasks.update('x', { steps: f.insertItem('after 3', { at: 3 }) }, { draft: draft.memory })
      tx.tasks.update('x', { steps: f.moveItem(ids[0], 1) }, { draft: draft.memory })
      return tx.tasks.get('x')!.steps.map(({ value }) => value)
    }).value
    expect(said).toEqual(['00', '0', '2', '1', '3', 'after 3'])
    draft.save({ steps: f.insertItem('last', { at: 4 }) })
    await exchange(a, b)
    for (const replica of [a, b]) expect(await stepsOf(replica)).toEqual([...said, 'last'])
  })

  it('an item that somebody removed meanwhile is there again where the form changed it; the rest of the form is saved', async () => {
    const { a, b, ids, draft } = await twoLists()
    b.mutate((tx) => tx.tasks.update('x', { steps: [f.setItem(ids[1], 'two'), f.removeItem(ids[0])] }))
    b.mutate((tx) => tx.tasks.update('x', { steps: [f.removeItem(ids[1]), f.removeItem(ids[2])] }))
    await exchange(a, b)
    const said = a.mutate((tx) => {
      const steps = [f.setItem(ids[0], 'one'), f.moveItem(ids[1], 2), f.removeItem(ids[2])]
      tx.tasks.update('x', { steps, title: 'typed a lot' }, { draft: draft.memory })
      return tx.tasks.get('x')!
    }).value
    expect([said.title, said.steps.map(({ value }) => value)]).toEqual(['typed a lot', ['one', 'two']])
    await exchange(a, b)
    for (const replica of [a, b]) expect(await stepsOf(replica)).toEqual(['one', 'two'])
    expect(() => draft.save({ steps: f.setItem(ids[2], 'three') })).toThrow(
      expect.objectContaining({ code: 'ITEM_NOT_FOUND' }),
    )
  })

  it('an item that somebody changed meanwhile is not removed by the form', async () => {
    const { a, b, ids, draft } = await twoLists()
    b.mutate((tx) => tx.tasks.update('x', { steps: f.setItem(ids[0], 'one') }))
    await exchange(a, b)
    draft.save({ steps: [f.removeItem(ids[0]), f.removeItem(ids[1])] })
    await exchange(a, b)
    for (const replica of [a, b]) expect(await stepsOf(replica)).toEqual(['one', '3'])
  })
})

it('[STRAT5] a save that was taken back is none of others’: the next one is no conflict with it', async () => {
  const mixed = defineSchema({
    version: 1,
    tables: { tasks: table({ title: f.string(), owner: f.string().optional().manual(), tags: f.set(f.string()) }) },
  })
  const [a, b] = [await device(mixed), await device(mixed)]
  a.mutate((tx) => tx.tasks.insert({ id: 'x', title: 'Milk', tags: ['shop'] }))
  await exchange(a, b)
  const draft = a.draft('tasks', 'x')
  const saved = { title: 'one', owner: 'Ana', tags: ['new', 'shop'] }
  draft.save(saved)
  a.undo()
  draft.save(saved)
  const rows = () => a.query((db) => db.selectFrom('tasks').select(['title', 'owner', 'tags']))
  expect([a.conflicts, await rows()]).toEqual([[], [saved]])
  a.undo()
  a.redo()
  draft.save({ ...saved, title: 'two', owner: 'Anna' })
  expect([a.conflicts, (await rows())[0].title]).toEqual([[], 'two'])
  // What came in between is a conflict, still.
  b.mutate((tx) => tx.tasks.update('x', { owner: 'Ben' }))
  await exchange(a, b)
  a.undo()
  draft.save({ owner: 'Ann' })
  expect(a.conflicts).toMatchObject([{ field: 'owner', candidates: [{ value: 'Ben' }, { value: 'Ann' }] }])
  a.resolve(a.conflicts[0], 'Ann')
  const last = a.draft('tasks', 'x')
  last.save({ title: 'three' })
  a.undo()
  last.delete()
  expect([a.conflicts, await rows()]).toEqual([[], []])
})
