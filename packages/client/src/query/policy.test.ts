import {
  defineSchema,
  type DeleteLaw,
  f,
  memoryStore,
  type SetBuilder,
  type StringBuilder,
  table,
} from '@driftlog/core'
import { afterEach, expect, it } from 'vitest'
import { closeAll, device, exchange } from '../mutate/replicas.test-support.ts'

interface Policy {
  readonly version?: number
  readonly title?: (field: StringBuilder) => StringBuilder
  readonly tags?: (field: SetBuilder<string>) => SetBuilder<string>
  readonly onDelete?: DeleteLaw
}

const schemaOf = ({ version = 1, title = (field) => field, tags = (field) => field, onDelete }: Policy = {}) =>
  defineSchema({
    version,
    tables: {
      tasks: table({ title: title(f.string()), tags: tags(f.set(f.string())) }, onDelete && { onDelete }),
    },
  })

afterEach(closeAll)

/** x: written by both. y: deleted here and changed there. Both have had an element added on one side and removed on the other. */
const inConflict = async () => {
  const [a, b] = [await device(schemaOf()), await device(schemaOf({ version: 2, onDelete: 'delete-wins' }))]
  a.mutate((tx) => {
    for (const id of ['x', 'y']) tx.tasks.insert({ id, title: 'Milk', tags: ['old'] })
  })
  await exchange(a, b)
  a.mutate((tx) => {
    tx.tasks.update('x', { title: 'A', tags: f.remove('old') })
    tx.tasks.update('x', { tags: f.add('old') })
    tx.tasks.delete('y')
  })
  a.mutate((tx) => tx.tasks.update('x', { tags: f.remove('old') }))
  a.mutate((tx) => tx.tasks.update('x', { tags: f.add('old') }))
  await new Promise((resolve) => setTimeout(resolve, 5))
  b.mutate((tx) => {
    tx.tasks.update('x', { title: 'B', tags: f.remove('old') })
    tx.tasks.update('y', { title: 'changed' })
  })
  await exchange(a, b)
  return { a, b }
}

it('[VIEW3] whatIf tells what another strategy, law of deletion or law of a set would show, and changes nothing', async () => {
  const { a } = await inConflict()
  const digest = a.digest()
  const shown = await a.query((db) => db.selectFrom('tasks').selectAll().orderBy('id'))
  const at = (rowId: string, field?: string) => ({ table: 'tasks', rowId, field })
  expect(a.whatIf(schemaOf())).toEqual([])
  const first = schemaOf({ title: (field) => field.priority(({ value }) => (value === 'A' ? 1 : 0)) })
  expect(a.whatIf(first)).toEqual([{ ...at('x', 'title'), now: 'B', would: 'A' }])
  const joined = schemaOf({
    title: (field) =>
      field.custom({ name: 'joined', version: 1, merge: (all) => all.map(({ value }) => value).join('+') }),
  })
  expect(a.whatIf(joined)).toEqual([{ ...at('x', 'title'), now: 'B', would: 'A+B' }])
  expect(a.whatIf(schemaOf({ onDelete: 'delete-wins' }))).toEqual([{ ...at('y'), now: true, would: false }])
  expect(a.whatIf(schemaOf({ tags: (field) => field.lastWrite() }))).toEqual([
    { ...at('x', 'tags'), now: ['old'], would: [] },
  ])
  expect(a.whatIf(schemaOf({ version: 7 }))).toEqual([])
  expect(a.whatIf(defineSchema({ version: 1, tables: { others: table({ title: f.string() }) } }))).toEqual([])
  expect(a.digest()).toBe(digest)
  expect(await a.query((db) => db.selectFrom('tasks').selectAll().orderBy('id'))).toEqual(shown)
})

it('[VIEW1][VIEW2] an older app has the same digest, may show something else, and knows that there is a newer one', async () => {
  const { a, b } = await inConflict()
  expect(a.digest()).toBe(b.digest())
  const ids = async (replica: typeof a) =>
    (await replica.query((db) => db.selectFrom('tasks').select('id').orderBy('id'))).map(({ id }) => id)
  expect([await ids(a), await ids(b)]).toEqual([['x', 'y'], ['x']])
  expect([a.status.newerSchema, b.status.newerSchema]).toEqual([2, undefined])
  expect(a.whatIf(b.schema)).toHaveLength(1)
})

it('[VIEW2] which version was seen is known after a reopen, until the app is as new', async () => {
  const store = memoryStore()
  const [a, b] = [await device(schemaOf(), { store }), await device(schemaOf({ version: 3 }))]
  const heard: (number | undefined)[] = []
  const listening = a.status$.subscribe(({ newerSchema }) => heard.push(newerSchema))
  b.mutate((tx) => tx.tasks.insert({ title: 'from a newer app' }))
  await exchange(a, b)
  await expect.poll(() => heard.at(-1)).toBe(3)
  listening.unsubscribe()
  await a.close()
  const again = await device(schemaOf({ version: 2 }), { store })
  expect(again.status.newerSchema).toBe(3)
  await again.close()
  expect((await device(schemaOf({ version: 3 }), { store })).status.newerSchema).toBeUndefined()
})
