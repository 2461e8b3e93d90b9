import { type BatchStore, defineSchema, f, memoryMedium, memoryStore, table } from '@driftlog/core'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { openReplica } from '../open-replica.ts'

const schema = defineSchema({
  version: 1,
  tables: { notes: table({ text: f.string(), votes: f.counter() }), lists: table({ name: f.string() }) },
})

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup().catch(() => undefined)
})

const open = async (store: BatchStore = memoryStore()) => {
  const replica = await openReplica({ schema, space: 'home', key: 'unencrypted', store })
  cleanups.push(() => replica.close())
  return replica
}

const thrownBy = (act: () => unknown): unknown => {
  try {
    return act()
  } catch (error) {
    return error
  }
}

describe('what mutate refuses, before anything happened', () => {
  it('an async function; also one that goes on with its transaction', async () => {
    const replica = await open()
    const refused = thrownBy(() =>
      replica.mutate(async (tx) => {
        tx.notes.insert({ text: 'before the await' })
        await Promise.resolve()
        tx.notes.insert({ text: 'after it' })
      }),
    )
    expect(refused).toMatchObject({ code: 'OPTION_INVALID' })
    expect(thrownBy(() => replica.mutate(() => Promise.resolve(1)))).toMatchObject({ code: 'OPTION_INVALID' })
    // An unhandled rejection of the function's promise would fail this run.
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(replica.held().size).toBe(0)
    expect(await replica.query((db) => db.selectFrom('notes').selectAll())).toEqual([])
  })

  it('[OP5] mutate inside mutate: the outer op would have the stamp of the inner one, and be void everywhere', async () => {
    const replica = await open()
    expect(
      thrownBy(() =>
        replica.mutate((tx) => {
          tx.notes.insert({ text: 'outer' })
          replica.mutate((inner) => inner.notes.insert({ text: 'inner' }))
        }),
      ),
    ).toMatchObject({ code: 'OPTION_INVALID' })
    expect(replica.held().size).toBe(0)
    // An outer function that catches it goes on.
    replica.mutate((tx) => {
      thrownBy(() => replica.mutate((inner) => inner.notes.insert({ text: 'inner' })))
      tx.notes.insert({ text: 'outer' })
    })
    const rows = await replica.query((db) => db.selectFrom('notes').select('text'))
    expect(rows).toEqual([{ text: 'outer' }])
  })

  it('one that closes the replica', async () => {
    const replica = await open()
    const mutate = () =>
      replica.mutate((tx) => {
        tx.notes.insert({ text: 'too late' })
        void replica.close()
      })
    expect(thrownBy(mutate)).toMatchObject({ code: 'CLOSED' })
    await replica.close()
    expect(replica.held().size).toBe(0)
  })

  it('a value above 256 KiB, and the small ones beside it', async () => {
    const replica = await open()
    const digest = replica.digest()
    const insert = () =>
      replica.mutate((tx) => {
        tx.lists.insert({ name: 'small' })
        tx.notes.insert({ text: 'x'.repeat(256 * 1024) })
      })
    expect(thrownBy(insert)).toMatchObject({ code: 'TOO_LARGE' })
    expect(replica.digest()).toBe(digest)
    expect(replica.held().size).toBe(0)
    expect(replica.status).toMatchObject({ pending: 0, unsaved: 0 })
    await replica.mutate((tx) => tx.notes.insert({ text: 'x'.repeat(250 * 1024) })).stored
  })
})

it('[OP6] 20,000 rows in one mutation are durable together, and read back as they were', async () => {
  const medium = memoryMedium()
  const store = memoryStore(medium)
  const appends: number[] = []
  const append = store.append.bind(store)
  store.append = (space, batches, options) => {
    if (batches.length > 0) appends.push(batches.length)
    return append(space, batches, options)
  }
  const replica = await open(store)
  const receipt = replica.mutate((tx) => {
    for (let row = 0; row < 20_000; row++) tx.notes.insert({ id: `n${row}`, text: `note number ${row}`, votes: 1 })
    tx.notes.update('n7', { votes: f.increment(2) })
  })
  const ops = receipt.dot!.seq
  expect(ops).toBeGreaterThan(2)
  await Promise.resolve()
  expect(replica.status).toMatchObject({ pending: ops, unsaved: ops })
  await receipt.stored
  expect(appends).toHaveLength(1)
  expect(appends[0]).toBeGreaterThan(1)
  const digest = replica.digest()
  await replica.close()
  const again = await open(memoryStore(medium))
  expect(again.digest()).toBe(digest)
  const totals = (db: Parameters<Parameters<typeof again.query>[0]>[0]) =>
    db.selectFrom('notes').select(({ fn }) => [fn.countAll<number>().as('rows'), fn.sum<number>('votes').as('votes')])
  expect(await again.query(totals)).toEqual([{ rows: 20_000, votes: 20_002 }])
})

describe('receipts', () => {
  it('settle however late they are asked for, after close too', async () => {
    const store = memoryStore()
    const replica = await open(store)
    const saved = replica.mutate((tx) => tx.notes.insert({ text: 'saved' }))
    await saved.stored
    store.append = () => Promise.reject(new Error('the disk is gone'))
    const lost = replica.mutate((tx) => tx.notes.insert({ text: 'lost' }))
    const asked = lost.stored
    asked.catch(() => undefined)
    await expect(replica.close()).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    await saved.stored
    await expect(asked).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(lost.stored).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(saved.acknowledged).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('of a mutation that wrote nothing: durable already', async () => {
    const replica = await open()
    const receipt = replica.mutate(() => 'nothing')
    expect(receipt).toMatchObject({ value: 'nothing', dot: undefined })
    await receipt.stored
    await receipt.acknowledged
  })
})

it('a mutation says by get what the tables say after it', async () => {
  const replica = await open()
  const step = fc.record({
    act: fc.constantFrom('insert', 'update', 'delete'),
    id: fc.constantFrom('a', 'b', 'c'),
    text: fc.string(),
    votes: fc.integer({ min: -5, max: 5 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { maxLength: 6 }), async (mutations) => {
      for (const steps of mutations) {
        const { value: seen } = replica.mutate((tx) => {
          for (const { act, id, text, votes } of steps) {
            if (act === 'insert') tx.notes.insert({ id, text: text.toWellFormed(), votes })
            else if (tx.notes.get(id) === undefined) continue
            else if (act === 'delete') tx.notes.delete(id)
            else tx.notes.update(id, { text: text.toWellFormed(), votes: f.increment(votes) })
          }
          return ['a', 'b', 'c'].map((id) => tx.notes.get(id)).filter((row) => row !== undefined)
        })
        const rows = await replica.query((db) => db.selectFrom('notes').selectAll().orderBy('id'))
        expect(rows).toEqual(seen)
      }
    }),
    { numRuns: 40 },
  )
})
