import { defineSchema, f, type ListItem, table } from '@driftlog/core'
import { afterEach, describe, expect, it } from 'vitest'
import type { Replica } from '../replica.ts'
import { closeAll, device, exchange } from './replicas.test-support.ts'

const schema = defineSchema({
  version: 1,
  tables: {
    tasks: table({
      views: f.counter().growOnly(),
      tags: f.set(f.string()),
      marks: f.set(f.string()).lastWrite(),
      steps: f.list(f.string()),
    }),
  },
})
type Device = Replica<typeof schema>

afterEach(closeAll)

const refused = expect.objectContaining({ code: 'VALUE_INVALID' }) as Error
const notFound = expect.objectContaining({ code: 'ITEM_NOT_FOUND' }) as Error
const words = (steps: readonly ListItem<string>[]) => steps.map(({ value }) => value)
const pause = () => new Promise((resolve) => setTimeout(resolve, 5))
const rowOf = async (replica: Device) => {
  const [row] = await replica.query((db) => db.selectFrom('tasks').selectAll())
  return row
}

const two = async () => {
  const [a, b] = [await device(schema), await device(schema)]
  a.mutate((tx) =>
    tx.tasks.insert({ id: 'x', tags: ['red', 'blue'], marks: ['red', 'blue'], steps: ['1', '2', '3', '4'] }),
  )
  await exchange(a, b)
  const ids = (await rowOf(a)).steps.map(({ id }) => id)
  return { a, b, ids }
}

describe('a list on two devices', () => {
  it('[CELL11] one item that both move is there once, at the place that the later gave it', async () => {
    const { a, b, ids } = await two()
    a.mutate((tx) => tx.tasks.update('x', { steps: f.moveItem(ids[0], 3) }))
    await pause()
    b.mutate((tx) => tx.tasks.update('x', { steps: f.moveItem(ids[0], 1) }))
    await exchange(a, b)
    for (const replica of [a, b]) expect(words((await rowOf(replica)).steps)).toEqual(['2', '1', '3', '4'])
    expect(a.conflicts).toMatchObject([{ kind: 'field', field: 'steps', status: 'by-rule' }])
  })

  it('[CELL11] a move beside a new text and beside an insert keeps all of them; one removed and changed stays', async () => {
    const { a, b, ids } = await two()
    a.mutate((tx) =>
      tx.tasks.update('x', { steps: [f.moveItem(ids[3], 0), f.insertItem('a', { at: 1 }), f.removeItem(ids[1])] }),
    )
    b.mutate((tx) =>
      tx.tasks.update('x', {
        steps: [f.setItem(ids[3], 'four'), f.insertItem('b', { at: 4 }), f.setItem(ids[1], 'two')],
      }),
    )
    await exchange(a, b)
    for (const replica of [a, b])
      expect(words((await rowOf(replica)).steps)).toEqual(['four', 'a', '1', 'two', '3', 'b'])
  })

  it('[CELL11] what both insert at one place stands together, in the order in which each meant it', async () => {
    const { a, b } = await two()
    for (const [name, replica] of Object.entries({ a, b })) {
      replica.mutate((tx) =>
        tx.tasks.update('x', { steps: [1, 2, 3].map((n) => f.insertItem(`${name}${n}`, { at: n + 1 })) }),
      )
    }
    await exchange(a, b)
    const shown = words((await rowOf(a)).steps)
    expect(words((await rowOf(b)).steps)).toEqual(shown)
    const [left, right] = [
      ['a1', 'a2', 'a3'],
      ['b1', 'b2', 'b3'],
    ]
    expect([
      [...left, ...right],
      [...right, ...left],
    ]).toContainEqual(shown.slice(2, -2))
    expect([shown.slice(0, 2), shown.slice(-2)]).toEqual([
      ['1', '2'],
      ['3', '4'],
    ])
  })

  it('several edits of one mutation build on each other, and one that cannot be leaves all of them out', async () => {
    const { a, ids } = await two()
    const said = a.mutate((tx) => {
      tx.tasks.update('x', { steps: [f.insertItem('new', { at: 0 }), f.moveItem(ids[0], 4), f.removeItem(ids[2])] })
      const [{ id }] = tx.tasks.get('x')!.steps
      tx.tasks.update('x', { steps: [f.setItem(id, 'newer'), f.moveItem(id, 1)] })
      for (const wrong of [f.moveItem(id, 9), f.insertItem('', { at: -1 })])
        expect(() => tx.tasks.update('x', { steps: [f.insertItem('x'), wrong] })).toThrow(refused)
      for (const missing of [f.setItem('nobody', ''), f.removeItem(ids[2]), f.moveItem(ids[2], 0)])
        expect(() => tx.tasks.update('x', { steps: [f.removeItem(id), missing] })).toThrow(notFound)
      return tx.tasks.get('x')!.steps
    }).value
    expect(words(said)).toEqual(['2', 'newer', '4', '1'])
    expect((await rowOf(a)).steps).toEqual(said)
  })
})

it('[CELL11] places in a list are those of the items that the field shows; what another version put in stays where it is', async () => {
  const withOptions = (version: number, options: [string, ...string[]]) =>
    defineSchema({ version, tables: { tasks: table({ steps: f.list(f.enum(...options)) }) } })
  const [old, a] = [await device(withOptions(1, ['a', 'b', 'c'])), await device(withOptions(2, ['a', 'b']))]
  old.mutate((tx) => tx.tasks.insert({ id: 'x', steps: ['c', 'a', 'c', 'b', 'c'] }))
  await exchange(old, a)
  const shown = async (replica: typeof old) =>
    words((await replica.query((db) => db.selectFrom('tasks').select('steps')))[0].steps).join('')
  const edit = async (...changes: ReturnType<typeof f.insertItem<string>>[]) => {
    a.mutate((tx) => tx.tasks.update('x', { steps: changes }))
    await exchange(old, a)
    return [await shown(a), await shown(old)]
  }
  expect(await edit(f.insertItem('b', { at: 1 }))).toEqual(['abb', 'cacbbc'])
  expect(await edit(f.insertItem('a', { at: 3 }))).toEqual(['abba', 'cacbbca'])
  expect(await edit(f.insertItem('b'), f.insertItem('a', { at: 0 }))).toEqual(['aabbab', 'caacbbcab'])
  const [{ steps }] = await a.query((db) => db.selectFrom('tasks').select('steps'))
  expect(await edit(f.moveItem(steps[0].id, 5))).toEqual(['abbaba', 'cacbbcaba'])
  for (const at of [7, -1, 0.5])
    expect(() => a.mutate((tx) => tx.tasks.update('x', { steps: f.insertItem('a', { at }) }))).toThrow(refused)
})

describe('sets on two devices', () => {
  it('[CELL3] what is added by name is added though it is there, so it stays where it is taken out at the same time', async () => {
    const { a, b } = await two()
    a.mutate((tx) => tx.tasks.update('x', { tags: f.add('red') }))
    // An array says what there is to be, and names nothing.
    a.mutate((tx) => tx.tasks.update('x', { tags: ['red', 'blue'] }))
    b.mutate((tx) => tx.tasks.update('x', { tags: f.remove('red', 'blue') }))
    await exchange(a, b)
    for (const replica of [a, b]) expect((await rowOf(replica)).tags).toEqual(['red'])
  })

  it('[CELL3] an addition stays beside a removal that had not seen it; under last-write the later of the two decides', async () => {
    const { a, b } = await two()
    a.mutate((tx) => tx.tasks.update('x', { tags: f.remove('red', 'blue'), marks: f.remove('red', 'blue') }))
    a.mutate((tx) => tx.tasks.update('x', { tags: f.add('red'), marks: f.add('red') }))
    b.mutate((tx) => tx.tasks.update('x', { tags: ['red', 'green'], marks: ['red', 'green'] }))
    await pause()
    b.mutate((tx) => tx.tasks.update('x', { tags: f.remove('red'), marks: f.remove('red') }))
    await exchange(a, b)
    for (const replica of [a, b]) {
      expect(await rowOf(replica)).toMatchObject({ tags: ['red', 'green'].sort(byBytes), marks: ['green'] })
    }
    expect(a.conflicts.map(({ field, status }) => [field, status])).toContainEqual(['tags', 'by-rule'])
    b.mutate((tx) => tx.tasks.update('x', { tags: [], marks: [] }))
    await exchange(a, b)
    expect(await rowOf(a)).toMatchObject({ tags: [], marks: [] })
    // What is not shown is not taken out anew: between those two it is the order that decides, still.
    expect(a.conflicts.map(({ field, part }) => [field, part])).toEqual([['marks', 'red']])
  })
})

// Elements show in the order of their canonical bytes: the shorter text first.
const byBytes = (x: string, y: string) => x.length - y.length || (x < y ? -1 : 1)

it('[CELL8] a counter that only grows adds up, and refuses to be set or to shrink', async () => {
  const { a, b } = await two()
  a.mutate((tx) => tx.tasks.update('x', { views: f.increment(2) }))
  b.mutate((tx) => tx.tasks.update('x', { views: f.increment(3) }))
  await exchange(a, b)
  const digest = a.digest()
  expect(() => a.mutate((tx) => tx.tasks.update('x', { views: f.increment(-1) }))).toThrow(refused)
  expect(() => a.mutate((tx) => tx.tasks.update('x', { views: 7 as never }))).toThrow(refused)
  expect(() => a.mutate((tx) => tx.tasks.insert({ views: -1 }))).toThrow(refused)
  a.mutate((tx) => {
    tx.tasks.update('x', { views: f.increment(Number.MAX_SAFE_INTEGER) })
    expect(() => tx.tasks.update('x', { views: f.increment(1) })).toThrow(refused)
    tx.tasks.delete('x')
    tx.tasks.restore('x')
  })
  expect([digest === a.digest(), (await rowOf(a)).views]).toEqual([false, 5])
})
