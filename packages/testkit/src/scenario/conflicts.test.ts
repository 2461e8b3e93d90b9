import { defineSchema, f, table } from '@driftlog/core'
import { expect, it } from 'vitest'
import { scenario } from './mod.ts'

const schema = defineSchema({
  version: 1,
  tables: {
    tasks: table({ title: f.string(), done: f.boolean().default(false), votes: f.counter() }),
    notes: table({ text: f.string() }, { onDelete: 'delete-wins' }),
  },
})

it('tells who wrote what and who won', async () => {
  const s = await scenario({ schema, devices: ['ana', 'ben'] })
  await s.ana.mutate((tx) => tx.tasks.insert({ id: 'milk', title: 'Milk', votes: 1 }))
  await s.sync()
  await s.ana.mutate((tx) => tx.tasks.update('milk', { title: 'Oat milk', votes: f.increment(2) }))
  await s.ben.mutate((tx) => tx.tasks.update('milk', { title: 'Soy milk', votes: f.increment(3) }))
  await s.sync()
  await s.expectSame()
  expect(await s.ana.row('tasks', 'milk')).toMatchObject({ title: 'Soy milk', votes: 6 })
  expect((await s.report()).text).toMatchInlineSnapshot(`
    "tasks/milk: lives
      title  'Soy milk'  <- ben, day 1 00:00:03
             'Oat milk'  <- ana, day 1 00:00:02 (concurrent, not shown)
      done   false  <- never written
      votes  6  <- ana +3, ben +3"
  `)
})

it('keeps a row that one device deletes while another one changes it, or not, as its table says', async () => {
  const s = await scenario({ schema, devices: ['ana', 'ben'] })
  await s.ana.mutate((tx) => [
    tx.tasks.insert({ id: 'milk', title: 'Milk' }),
    tx.notes.insert({ id: 'n', text: 'old' }),
  ])
  await s.sync()
  await s.ana.mutate((tx) => [tx.tasks.delete('milk'), tx.notes.delete('n')])
  await s.ben.mutate((tx) => [tx.tasks.update('milk', { done: true }), tx.notes.update('n', { text: 'new' })])
  await s.sync()
  await s.expectSame()
  expect(await s.ana.rows('tasks')).toHaveLength(1)
  expect(await s.ana.rows('notes')).toHaveLength(0)
  expect((await s.report()).text).toMatchInlineSnapshot(`
    "tasks/milk: lives (update-wins): deleted by ana, day 1 00:00:02, against: ben wrote done, day 1 00:00:03
      title  'Milk'  <- ana, day 1 00:00:01
      done   true  <- ben, day 1 00:00:03
      votes  0  <- never written

    notes/n: dead (delete-wins): deleted by ana, day 1 00:00:02, against: ben wrote text, day 1 00:00:03
      text  'new'  <- ben, day 1 00:00:03"
  `)
})

it('takes back, settles, opens again and saves forms, and tells who decided', async () => {
  const schema = defineSchema({
    version: 1,
    tables: {
      tasks: table({ title: f.string(), owner: f.string().optional().manual(), tags: f.set(f.string()) }),
    },
  })
  const s = await scenario({ schema, devices: ['ana', 'ben'] })
  await s.ana.mutate((tx) => tx.tasks.insert({ id: 'milk', title: 'Milk', tags: ['shop'] }))
  await s.sync()
  await s.ana.mutate((tx) => tx.tasks.update('milk', { owner: 'Ana' }))
  await s.ben.mutate((tx) => tx.tasks.update('milk', { owner: 'Ben' }))
  const form = await s.ana.draft('tasks', 'milk')
  await s.ben.mutate((tx) => tx.tasks.update('milk', { title: 'Soy milk' }))
  await s.sync()
  // The form was opened before the other title came in.
  await s.ana.save(form, { title: 'Oat milk' })
  s.ben.clock.jump({ seconds: 40 })
  await s.ben.resolve((await s.ben.conflicts()).find(({ field }) => field === 'owner')!, 'both', 'they go together')
  await s.sync()
  await s.expectSame()
  expect((await s.ana.candidates('tasks', 'milk', 'title')).map(({ value }) => value)).toEqual(['Oat milk', 'Soy milk'])
  expect((await s.report()).text).toMatchInlineSnapshot(`
    "tasks/milk: lives
      title  'Oat milk'  <- ana, day 1 00:00:05
             'Soy milk'  <- ben, day 1 00:00:04 (concurrent, not shown)
      owner  'both'  <- ben, day 1 00:00:06 (stamped day 1 00:00:46)
      tags   ["shop"]  <- ana
      ! owner: 'Ana' by ana or 'Ben' by ben: ben decided 'both', 'they go together'"
  `)

  const [settled] = await s.ana.conflicts('settled')
  await s.ana.reopen(settled)
  await s.sync()
  const stateOfOwner = async () => (await s.ben.conflicts()).find(({ field }) => field === 'owner')?.status
  expect(await stateOfOwner()).toBe('open')
  await s.ana.undo()
  expect((await s.ana.row('tasks', 'milk'))?.owner).toBe('both')
  await s.ana.redo()
  await s.sync()
  await s.expectSame()
  expect(await stateOfOwner()).toBe('open')
})

it('does not count a row as missing that is hidden with the one that it refers to', async () => {
  const schema = defineSchema({
    version: 1,
    tables: {
      lists: table({ name: f.string() }),
      tasks: table({ title: f.string(), list: f.ref('lists', { onDelete: 'cascade' }).optional() }),
    },
  })
  const s = await scenario({ schema, devices: ['ana', 'ben'] })
  await s.ana.mutate((tx) => [
    tx.lists.insert({ id: 'shop', name: 'Shop' }),
    tx.tasks.insert({ id: 'milk', title: 'Milk', list: 'shop' }),
  ])
  await s.ana.mutate((tx) => tx.lists.delete('shop'))
  await s.sync()
  await s.expectSame()
  expect(await s.ben.rows('tasks')).toEqual([])
})
