import { openReplica, type Replica } from '@driftlog/client'
import { memoryStore } from '@driftlog/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decisionsOn } from '../data/queries.ts'
import { type AppSchema, schema } from '../data/schema.ts'
import { conflictHead, conflictsOf, decisionsFrom, undecidedTasks } from './conflict-words.ts'

let replica: Replica<AppSchema>
let id: string

beforeEach(async () => {
  replica = await openReplica({ schema, space: 'home', key: 'unencrypted', store: memoryStore() })
  id = replica.mutate((tx) => tx.tasks.insert({ title: 'Cook' })).value
})
afterEach(() => replica.close())

/** Two forms that were opened on the same task, and saved one after the other. */
const disagree = (first: object, second: object): void => {
  const forms = [replica.draft('tasks', id), replica.draft('tasks', id)]
  forms[0].save(first)
  forms[1].save(second)
}

const decisions = async () => {
  const [rows, [task]] = await Promise.all([
    replica.query(decisionsOn(id)),
    replica.query((db) => db.selectFrom('tasks').selectAll().where('id', '=', id)),
  ])
  return decisionsFrom(rows, { shown: task, open: conflictsOf(id, replica.conflicts).open })
}

describe('conflicts of a task', () => {
  test('people decide about words, and rules about the rest', () => {
    disagree({ title: 'Cook soup', priority: 3, done: true }, { title: 'Cook rice', priority: 1, done: false })
    const { open, byRule, life } = conflictsOf(id, replica.conflicts)
    expect(open.map(conflictHead)).toEqual(['Title: two versions'])
    expect(byRule.map(({ field, outcome }) => [field, outcome])).toEqual([
      ['done', false],
      ['priority', 3],
    ])
    expect(life).toBeUndefined()
    expect([...undecidedTasks(replica.conflicts)]).toEqual([id])
    expect(conflictsOf('another', replica.conflicts).open).toEqual([])
  })

  test('a deletion against a change is one, and the task stays', () => {
    const form = replica.draft('tasks', id)
    replica.mutate((tx) => tx.tasks.update(id, { due: new Date(0) }))
    form.delete()
    expect(conflictsOf(id, replica.conflicts).life?.outcome).toBe('changed')
    expect(undecidedTasks(replica.conflicts).size).toBe(0)
  })
})

describe('decisions', () => {
  test('say who decided what and why, instead of what; the last one can be taken back', async () => {
    disagree({ who: 'Ada' }, { who: 'Ben' })
    const [conflict] = conflictsOf(id, replica.conflicts).open
    replica.resolve(conflict, 'Ada & Ben', 'both have time')
    const [decision, ...others] = await decisions()
    expect(others).toEqual([])
    expect(decision).toMatchObject({ field: 'who', value: 'Ada & Ben', by: replica.device, reason: 'both have time' })
    expect(decision.others.map(({ value }) => value)).toEqual(['Ada', 'Ben'])
    expect(decision.isInForce).toBe(true)
  })

  test('are not in force where the conflict is open again, or somebody wrote something else since', async () => {
    disagree({ who: 'Ada' }, { who: 'Ben' })
    replica.resolve(conflictsOf(id, replica.conflicts).open[0], 'Ada', '')
    replica.undo()
    expect((await decisions()).some(({ isInForce }) => isInForce)).toBe(false)
    replica.resolve(conflictsOf(id, replica.conflicts).open[0], 'Ben', '')
    expect((await decisions()).map(({ value, isInForce }) => [value, isInForce])).toContainEqual(['Ben', true])
    replica.mutate((tx) => tx.tasks.update(id, { who: 'Cleo' }))
    expect((await decisions()).some(({ isInForce }) => isInForce)).toBe(false)
  })

  test('of a rule that somebody wrote over are none', async () => {
    disagree({ state: 'doing' }, { state: 'waiting' })
    expect(conflictsOf(id, replica.conflicts).byRule).toHaveLength(1)
    replica.mutate((tx) => tx.tasks.update(id, { state: 'open' }))
    expect(conflictsOf(id, replica.conflicts).byRule).toEqual([])
    expect(await decisions()).toEqual([])
  })
})
