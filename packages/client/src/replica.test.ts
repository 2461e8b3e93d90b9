import { type BatchStore, DriftlogError, defineSchema, f, memoryMedium, memoryStore, table } from '@driftlog/core'
import { expect, expectTypeOf, it } from 'vitest'
import { openReplica } from './open-replica.ts'

const schema = defineSchema({
  version: 1,
  tables: {
    lists: table({ name: f.string() }),
    tasks: table(
      {
        title: f.string(),
        done: f.boolean().default(false),
        due: f.date().optional(),
        list: f.ref('lists').optional(),
        votes: f.counter(),
        meta: f.json<{ tags: string[] }>().optional(),
        notes: f.string().default('').search(),
      },
      { indexes: [['list', 'done']] },
    ),
  },
})

const open = (store: BatchStore = memoryStore()) => openReplica({ schema, space: 'home', key: 'unencrypted', store })

it('reads its own writes: mutate is synchronous, query typed, booleans and dates are real', async () => {
  const replica = await open()
  const due = new Date('2026-03-01T10:00:00Z')
  const receipt = replica.mutate((tx) => {
    const id = tx.tasks.insert({ title: 'Buy milk', due, votes: 2, meta: { tags: ['shop'] } })
    tx.tasks.update(id, { votes: f.increment(3), done: true })
    expect(tx.tasks.get(id)).toMatchObject({ title: 'Buy milk', votes: 5, done: true, createdBy: replica.device })
    return id
  })
  const rows = await replica.query((db) => db.selectFrom('tasks').where('done', '=', true).selectAll())
  expectTypeOf(rows[0].done).toEqualTypeOf<boolean>()
  expect(rows).toHaveLength(1)
  expect(rows[0]).toMatchObject({
    id: receipt.value,
    title: 'Buy milk',
    due,
    votes: 5,
    done: true,
    meta: { tags: ['shop'] },
    notes: '',
    list: null,
  })
  expect(rows[0].createdBy).toBe(replica.device)
  expect(rows[0].createdAt).toBeInstanceOf(Date)
  await receipt.stored
  await replica.close()
})

it('a mutation that throws leaves no trace', async () => {
  const replica = await open()
  const before = replica.digest()
  expect(() =>
    replica.mutate((tx) => {
      tx.lists.insert({ name: 'kept?' })
      tx.tasks.update('no such row', { title: 'x' })
    }),
  ).toThrow(DriftlogError)
  expect(() => replica.mutate((tx) => tx.tasks.insert({ title: 'a\ud800b' }))).toThrow(
    expect.objectContaining({ code: 'VALUE_INVALID' }),
  )
  expect(await replica.query((db) => db.selectFrom('lists').selectAll())).toEqual([])
  expect(replica.digest()).toBe(before)
  expect(replica.held().size).toBe(0)
  await replica.close()
})

it('deletes, upserts and finds rows again after a reopen', async () => {
  const medium = memoryMedium()
  const first = await open(memoryStore(medium))
  const id = first.mutate((tx) => tx.tasks.insert({ title: 'one', notes: 'fresh milk and bread' })).value
  const gone = first.mutate((tx) => tx.tasks.insert({ title: 'two' })).value
  first.mutate((tx) => tx.tasks.delete(gone))
  first.mutate((tx) => tx.tasks.insert({ id, title: 'one again' }))
  expect(() => first.mutate((tx) => tx.tasks.update(gone, { title: 'x' }))).toThrow(
    expect.objectContaining({ code: 'ROW_NOT_FOUND' }),
  )
  const digest = first.digest()
  await first.close()
  const second = await open(memoryStore(medium))
  expect(second.device).toBe(first.device)
  expect(second.digest()).toBe(digest)
  const rows = await second.query((db) => db.selectFrom('tasks').selectAll())
  expect(rows.map((row) => row.title)).toEqual(['one again'])
  const found = await second.query((db) => db.selectFrom('tasks').where(db.search('tasks', 'mil')).select('id'))
  expect(found).toEqual([{ id }])
  await second.close()
})

it('watch runs again only when a table that it reads changed, and keeps the identity of unchanged rows', async () => {
  const replica = await open()
  const ids = replica.mutate((tx) => ['a', 'b'].map((title) => tx.tasks.insert({ title }))).value
  const seen: { id: string; title: string }[][] = []
  const errors: unknown[] = []
  const watching = replica
    .watch((db) => db.selectFrom('tasks').select(['id', 'title']).orderBy('title'))
    .subscribe({ next: (rows) => seen.push(rows), error: (error) => errors.push(error) })
  await expect.poll(() => seen.length).toBe(1)
  replica.mutate((tx) => tx.lists.insert({ name: 'elsewhere' }))
  replica.mutate((tx) => tx.tasks.update(ids[0], { done: true }))
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(seen.length).toBe(1)
  replica.mutate((tx) => tx.tasks.update(ids[1], { title: 'bb' }))
  await expect.poll(() => seen.length).toBe(2)
  expect(seen[1][0]).toBe(seen[0][0])
  expect(seen[1][1].title).toBe('bb')
  expect(errors).toEqual([])
  watching.unsubscribe()
  await replica.close()
})

it('two tabs on one store are two devices and see each other’s stored work', async () => {
  const medium = memoryMedium()
  const store = memoryStore(medium)
  const [a, b] = [await open(store), await open(store)]
  expect(a.device).not.toBe(b.device)
  await a.mutate((tx) => tx.lists.insert({ id: 'x', name: 'from a' })).stored
  await expect.poll(async () => (await b.query((db) => db.selectFrom('lists').select('name'))).length).toBe(1)
  await b.mutate((tx) => tx.lists.update('x', { name: 'from b' })).stored
  await expect.poll(() => a.digest()).toBe(b.digest())
  expect(a.candidates('lists', 'x', 'name').map(({ value }) => value)).toEqual(['from b'])
  expect(() => a.candidates('lists', 'x', 'nothing' as 'name')).toThrow(
    expect.objectContaining({ code: 'OPTION_INVALID' }),
  )
  await a.close()
  await b.close()
})

it('turns read-only when the store fails, keeps what was written, and heals', async () => {
  const store = memoryStore()
  const replica = await open(store)
  await replica.mutate((tx) => tx.lists.insert({ name: 'safe' })).stored
  const append = store.append.bind(store)
  let failing = true
  store.append = (...args) => (failing ? Promise.reject(new DriftlogError('STORAGE_FULL')) : append(...args))
  const receipt = replica.mutate((tx) => tx.lists.insert({ name: 'kept in memory' }))
  await expect.poll(() => replica.status.readOnly).toBe(true)
  expect(replica.status).toMatchObject({ summary: 'error', unsaved: 1, error: { code: 'STORAGE_FULL' } })
  expect(() => replica.mutate((tx) => tx.lists.insert({ name: 'refused' }))).toThrow(
    expect.objectContaining({ code: 'READ_ONLY' }),
  )
  expect(await replica.query((db) => db.selectFrom('lists').selectAll())).toHaveLength(2)
  failing = false
  await receipt.stored
  await expect.poll(() => replica.status.readOnly).toBe(false)
  expect(replica.status.unsaved).toBe(0)
  await replica.close()
})
