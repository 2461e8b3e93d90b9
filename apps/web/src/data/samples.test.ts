import { newSpaceKey, openReplica } from '@driftlog/client'
import { memoryStore } from '@driftlog/core'
import { expect, test } from 'vitest'
import { addSamples } from './samples.ts'
import { schema } from './schema.ts'

test('the samples are there, due around today, and Undo leaves them', async () => {
  const replica = await openReplica({ schema, space: 'home', key: newSpaceKey(), store: memoryStore() })
  addSamples(replica, '2026-02-28')
  const tasks = await replica.query((db) => db.selectFrom('tasks').select(['title', 'due', 'list']))
  expect(tasks.every(({ list }) => list !== null)).toBe(true)
  expect(tasks.find(({ title }) => title === 'Call the dentist')?.due).toEqual(new Date('2026-03-02T00:00:00Z'))
  expect(tasks.find(({ title }) => title === 'Tick this task')?.due).toBeNull()
  expect(replica.canUndo).toBe(false)
  await replica.close()
})
