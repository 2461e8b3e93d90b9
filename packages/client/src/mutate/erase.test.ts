import { defineSchema, f, table } from '@driftlog/core'
import { afterEach, expect, it } from 'vitest'
import type { Replica } from '../replica.ts'
import { closeAll, device, exchange } from './replicas.test-support.ts'

const schema = defineSchema({
  version: 1,
  tables: {
    people: table({
      name: f.string().search(),
      email: f.string().optional().unique(),
      town: f.string().optional().manual(),
      tags: f.set(f.string()),
    }),
  },
})
type Device = Replica<typeof schema>

afterEach(closeAll)

const erased = expect.objectContaining({ code: 'ROW_ERASED' }) as Error
const found = (replica: Device) =>
  replica.query((db) => db.selectFrom('people').where(db.search('people', 'Ada')).select('id'))
const all = (replica: Device) => replica.query((db) => db.selectFrom('people').select('id'))
const recorded = (replica: Device) => replica.query((db) => db.selectFrom('_conflicts').select(['id', 'status']))

/** A row with an open conflict and a settled one, which two devices know. */
const two = async () => {
  const [a, b] = [await device(schema), await device(schema)]
  a.mutate((tx) => tx.people.insert({ id: 'x', name: 'Ada', email: 'ada@x', tags: ['t'] }))
  await exchange(a, b)
  for (const round of ['first', 'second']) {
    a.mutate((tx) => tx.people.update('x', { town: `a ${round}` }))
    b.mutate((tx) => tx.people.update('x', { town: `b ${round}` }))
    await exchange(a, b)
    if (round === 'first') a.resolve(a.conflicts[0], 'London')
    await exchange(a, b)
  }
  expect((await recorded(b)).map(({ status }) => status).sort((x, y) => (x < y ? -1 : 1))).toEqual(['open', 'settled'])
  return { a, b }
}

it('[CELL6] an erased row is gone from queries, search, watches and records, on both devices, and no id of it is taken again', async () => {
  const { a, b } = await two()
  const rows: unknown[][] = []
  const watching = b.watch((db) => db.selectFrom('people').select('name')).subscribe((now) => rows.push(now))
  await expect.poll(() => rows.at(-1)).toEqual([{ name: 'Ada' }])
  const heard: number[] = []
  const listening = b.conflicts$.subscribe((conflicts) => heard.push(conflicts.length))
  expect([await found(b), heard]).toEqual([[{ id: 'x' }], [1]])
  a.mutate((tx) => tx.people.erase('x'))
  await exchange(a, b)
  await expect.poll(() => rows.at(-1)).toEqual([])
  await expect.poll(() => heard.at(-1)).toBe(0)
  for (const replica of [a, b]) {
    expect([await all(replica), await found(replica), await recorded(replica)]).toEqual([[], [], []])
    expect([replica.conflicts, replica.settledConflicts(), replica.candidates('people', 'x', 'town')]).toEqual([
      [],
      [],
      [],
    ])
    for (const act of ['restore', 'erase'] as const)
      expect(() => replica.mutate((tx) => tx.people[act]('x'))).toThrow(erased)
    expect(() => replica.mutate((tx) => tx.people.insert({ id: 'x', name: 'Ada' }))).toThrow(erased)
  }
  // Its values are free again.
  b.mutate((tx) => tx.people.insert({ id: 'y', name: 'Ada', email: 'ada@x' }))
  await exchange(a, b)
  expect(await found(a)).toEqual([{ id: 'y' }])
  watching.unsubscribe()
  listening.unsubscribe()
})

it('[CELL6] what another device writes to it meanwhile is absorbed, and so is what it decides', async () => {
  const { a, b } = await two()
  a.mutate((tx) => tx.people.erase('x'))
  b.mutate((tx) => tx.people.update('x', { name: 'Ada Lovelace', tags: f.add('late') }))
  b.resolve(b.conflicts[0], 'Paris', 'she moved')
  const [settled] = b.settledConflicts()
  b.reopen(settled.reason === 'she moved' ? settled : b.settledConflicts()[1])
  await exchange(a, b)
  for (const replica of [a, b])
    expect([await all(replica), await recorded(replica), replica.conflicts]).toEqual([[], [], []])
  expect(a.status.conflicts).toBe(0)
})

it('[UNDO1] an erasure is not taken back, and nothing that was done to the row before can be, here and elsewhere', async () => {
  const [a, b] = [await device(schema), await device(schema)]
  a.mutate((tx) => tx.people.insert({ id: 'x', name: 'Ada' }))
  await exchange(a, b)
  b.mutate((tx) => tx.people.update('x', { name: 'Ada L.' }))
  b.mutate((tx) => tx.people.update('x', { name: 'Ada Lovelace' }))
  b.undo()
  b.mutate((tx) => {
    tx.people.update('x', { tags: f.add('t') })
    tx.people.insert({ id: 'y', name: 'Bob' })
  })
  expect([a.canUndo, b.canUndo, b.canRedo]).toEqual([true, true, false])
  a.mutate((tx) => tx.people.erase('x'))
  expect([a.canUndo, a.undo()]).toEqual([false, undefined])
  await exchange(a, b)
  // Of the mutation with two rows, the other is left.
  expect(b.undo()).toBeDefined()
  expect([await all(b), b.canUndo]).toEqual([[], false])
  b.redo()
  expect(await all(b)).toEqual([{ id: 'y' }])
})
