import { defineSchema, DriftlogError, f, memoryStore, table } from '@driftlog/core'
import { afterEach, describe, expect, it } from 'vitest'
import type { Replica } from '../replica.ts'
import { closeAll, device, exchange } from './replicas.test-support.ts'

const schema = defineSchema({
  version: 1,
  tables: {
    tasks: table({
      title: f.string().manual(),
      due: f.date().optional().manual(),
      code: f.string().optional().unique(),
      rank: f
        .integer()
        .custom({ name: 'odd', version: 2, merge: () => 'no number' as unknown as number })
        .default(0),
      first: f
        .integer()
        .custom({ name: 'first', version: 1, merge: ([{ value }]) => value })
        .default(0),
      boom: f
        .integer()
        .custom({
          name: 'boom',
          version: 1,
          merge: () => {
            throw new Error('out of order')
          },
        })
        .default(0),
    }),
  },
})

afterEach(closeAll)

const two = async (options = {}) => {
  const [a, b] = [await device(schema, options), await device(schema, options)]
  a.mutate((tx) => tx.tasks.insert({ id: 'x', title: 'Milk' }))
  await exchange(a, b)
  return { a, b }
}
const code = (error: string) => expect.objectContaining({ code: error }) as Error

it('[CONF4] a resolution closes the conflict everywhere and says who and why; another device opens it again', async () => {
  const { a, b } = await two()
  const [early, late] = [new Date('2026-01-01T00:00:00Z'), new Date('2026-02-01T00:00:00Z')]
  a.mutate((tx) => tx.tasks.update('x', { due: early }))
  b.mutate((tx) => tx.tasks.update('x', { due: late }))
  await exchange(a, b)
  const [conflict] = a.conflicts
  a.resolve(conflict, early, 'it is urgent')
  expect(() => a.resolve(conflict, late)).toThrow(code('CONFLICT_GONE'))
  await exchange(a, b)
  for (const replica of [a, b]) {
    expect(replica.conflicts).toEqual([])
    expect(replica.settledConflicts()).toMatchObject([
      { status: 'settled', outcome: early, settledBy: a.device, reason: 'it is urgent' },
    ])
    expect(await replica.query((db) => db.selectFrom('tasks').select('due'))).toEqual([{ due: early }])
  }
  const [settled] = b.settledConflicts()
  expect(() => b.resolve(settled, late)).toThrow(code('OPTION_INVALID'))
  expect(() => b.reopen(conflict)).toThrow(code('OPTION_INVALID'))
  b.reopen(settled)
  expect(() => b.reopen(settled)).toThrow(code('CONFLICT_GONE'))
  await exchange(a, b)
  expect(a.conflicts).toMatchObject([{ status: 'open', candidates: [{}, {}] }])
  expect(a.conflicts[0].candidates.map(({ author }) => author)).toEqual(conflict.candidates.map(({ author }) => author))
  a.resolve(a.conflicts[0], null)
  await exchange(a, b)
  expect([b.conflicts, b.settledConflicts().length]).toEqual([[], 2])
})

it('[CONF4] two devices reopen one conflict at once: each candidate is there once, and so it is once settled', async () => {
  const { a, b } = await two()
  const sum = defineSchema({
    version: 1,
    tables: {
      tasks: table({
        title: f.string().manual(),
        rank: f.integer().custom({
          name: 'sum',
          version: 1,
          merge: (all) => all.reduce((total, { value }) => total + value, 0),
        }),
      }),
    },
  })
  const c = await device(sum)
  a.mutate((tx) => tx.tasks.update('x', { title: 'A', rank: 1 }))
  b.mutate((tx) => tx.tasks.update('x', { title: 'B', rank: 2 }))
  await exchange(a, b)
  for (const conflict of a.conflicts) a.resolve(conflict, conflict.field === 'rank' ? 10 : 'both')
  await exchange(a, b)
  for (const replica of [a, b]) for (const settled of replica.settledConflicts()) replica.reopen(settled)
  await exchange(a, b, c)
  for (const replica of [a, b, c]) {
    const titles = replica.candidates('tasks', 'x', 'title').map(({ value }) => value)
    expect(new Set(titles)).toEqual(new Set(['A', 'B']))
    expect(titles).toHaveLength(2)
    expect(replica.conflicts.map(({ candidates }) => candidates.length)).toEqual([2, 2])
  }
  expect(await c.query((db) => db.selectFrom('tasks').select('rank'))).toEqual([{ rank: 3 }])
  b.resolve(b.conflicts.find(({ field }) => field === 'title')!, 'settled')
  await exchange(a, b)
  for (const replica of [a, b]) {
    expect(replica.candidates('tasks', 'x', 'title').map(({ value }) => value)).toEqual(['settled'])
    expect(replica.settledConflicts().at(-1)?.candidates).toHaveLength(2)
  }
})

it('refuses what it cannot take, and nothing has happened', async () => {
  const { a, b } = await two()
  a.mutate((tx) => tx.tasks.update('x', { title: 'a' }))
  b.mutate((tx) => tx.tasks.update('x', { title: 'b' }))
  await exchange(a, b)
  const digest = a.digest()
  const [conflict] = a.conflicts
  expect(() => a.resolve(conflict, 7)).toThrow(code('VALUE_INVALID'))
  expect(() => a.resolve(conflict, 'a', 'x'.repeat(3000))).toThrow(code('VALUE_INVALID'))
  a.mutate(() => expect(() => a.resolve(conflict, 'a')).toThrow(code('OPTION_INVALID')))
  expect([a.digest(), a.conflicts.length]).toEqual([digest, 1])
})

describe('unique fields', () => {
  it('[UNIQ1] a value that another row shows is refused; two rows may exchange theirs, and a restored row counts', async () => {
    const a = await device(schema)
    a.mutate((tx) => {
      tx.tasks.insert({ id: 'p', title: 'p', code: '1' })
      tx.tasks.insert({ id: 'q', title: 'q', code: '2' })
    })
    expect(() => a.mutate((tx) => tx.tasks.update('q', { code: '1' }))).toThrow(code('VALUE_TAKEN'))
    expect(() =>
      a.mutate((tx) => {
        tx.tasks.insert({ title: 'r', code: '3' })
        tx.tasks.insert({ title: 's', code: '3' })
      }),
    ).toThrow(code('VALUE_TAKEN'))
    a.mutate((tx) => {
      tx.tasks.update('p', { code: '2' })
      tx.tasks.update('q', { code: '1' })
    })
    expect(a.conflicts).toEqual([])
    a.mutate((tx) => tx.tasks.delete('p'))
    a.mutate((tx) => tx.tasks.update('q', { code: '2' }))
    expect(() => a.mutate((tx) => tx.tasks.restore('p'))).toThrow(code('VALUE_TAKEN'))
    a.mutate((tx) => {
      tx.tasks.restore('p')
      tx.tasks.update('p', { code: null })
    })
    expect(await a.query((db) => db.selectFrom('tasks').select(['id', 'code']).orderBy('id'))).toEqual([
      { id: 'p', code: null },
      { id: 'q', code: '2' },
    ])
  })

  it('[UNIQ1] two devices take one value: both rows stay, one holds it, and it is open until one of them changes', async () => {
    const { a, b } = await two()
    a.mutate((tx) => tx.tasks.insert({ id: 'p', title: 'p', code: '1' }))
    b.mutate((tx) => tx.tasks.insert({ id: 'q', title: 'q', code: '1' }))
    await exchange(a, b)
    const [conflict] = a.conflicts
    expect(conflict).toMatchObject({ kind: 'unique', status: 'open', rowId: conflict.outcome })
    expect(b.conflicts).toEqual(a.conflicts)
    expect(() => a.resolve(conflict, 'p')).toThrow(code('OPTION_INVALID'))
    // What a form writes of it anew makes it no worse.
    a.mutate((tx) => tx.tasks.update('p', { title: 'pp', code: '1' }))
    a.mutate((tx) => tx.tasks.update('q', { code: '2' }))
    await exchange(a, b)
    expect([a.conflicts, b.conflicts]).toEqual([[], []])
  })
})

it('[STRAT4] functions that throw, return what does not fit, or are not pure: told in the record, the latest shown, and syncing goes on', async () => {
  const { a, b } = await two({ development: true })
  for (const [index, replica] of [a, b].entries())
    replica.mutate((tx) => tx.tasks.update('x', { rank: index + 1, first: index + 1, boom: index + 1 }))
  await exchange(a, b)
  const failed = Object.fromEntries(a.conflicts.map(({ field, rule, error }) => [field, [rule, error?.message]]))
  expect(failed).toMatchObject({
    rank: ['custom:odd@2', expect.stringContaining('a string')],
    first: ['custom:first@1', expect.stringContaining('another order')],
    boom: ['custom:boom@1', expect.stringContaining('out of order')],
  })
  expect(a.conflicts.every(({ status, error }) => status === 'open' && error?.code === 'STRATEGY_FAILED')).toBe(true)
  const [row] = await a.query((db) => db.selectFrom('tasks').select(['rank', 'first', 'boom']))
  for (const value of Object.values(row)) expect(value).toBe(a.conflicts[0].candidates.at(-1)?.value)
  b.mutate((tx) => tx.tasks.update('x', { rank: 9, first: 9, boom: 9 }))
  await exchange(a, b)
  expect(a.conflicts).toEqual([])
})

it('[STRAT4] a function that answers differently when it is asked twice is told while an app is developed, and not after', async () => {
  let asked = 0
  const counting = defineSchema({
    version: 1,
    tables: {
      tasks: table({ rank: f.integer().custom({ name: 'counting', version: 1, merge: () => 1000 + asked++ }) }),
    },
  })
  const [a, b] = [await device(counting, { development: true }), await device(counting)]
  a.mutate((tx) => tx.tasks.insert({ id: 'x', rank: 0 }))
  await exchange(a, b)
  a.mutate((tx) => tx.tasks.update('x', { rank: 1 }))
  b.mutate((tx) => tx.tasks.update('x', { rank: 2 }))
  await exchange(a, b)
  expect(a.conflicts).toMatchObject([
    { status: 'open', rule: 'custom:counting@1', error: { message: expect.stringContaining('asked twice') as string } },
  ])
  const latest = a.conflicts[0].candidates.at(-1)?.value
  expect(await a.query((db) => db.selectFrom('tasks').select('rank'))).toEqual([{ rank: latest }])
  const [told] = await a.query((db) => db.selectFrom('_conflicts').select('error'))
  expect([a.conflicts[0].error?.code, told.error]).toEqual(['STRATEGY_FAILED', a.conflicts[0].error?.message])
  expect(b.conflicts).toMatchObject([{ status: 'by-rule', error: undefined }])
  expect(a.digest()).toBe(b.digest())
})

it('while the storage fails, nothing is settled, reopened, taken back or saved; it is once it works', async () => {
  const store = memoryStore()
  const append = store.append.bind(store)
  let isFailing = false
  store.append = (...args) => (isFailing ? Promise.reject(new DriftlogError('STORAGE_FULL')) : append(...args))
  const [a, b] = [await device(schema, { store }), await device(schema)]
  a.mutate((tx) => tx.tasks.insert({ id: 'x', title: 'Milk' }))
  await exchange(a, b)
  for (const name of ['first', 'second']) {
    a.mutate((tx) => tx.tasks.update('x', { title: `a ${name}` }))
    b.mutate((tx) => tx.tasks.update('x', { title: `b ${name}` }))
    await exchange(a, b)
    if (name === 'first') b.resolve(b.conflicts[0], 'b')
    await exchange(a, b)
  }
  const draft = a.draft('tasks', 'x')
  isFailing = true
  a.mutate((tx) => tx.tasks.insert({ id: 'unsaved', title: 'Bread' }))
  await expect.poll(() => a.status.readOnly).toBe(true)
  const before = [a.digest(), a.conflicts, a.settledConflicts(), a.canUndo, a.canRedo]
  const [conflict] = a.conflicts
  const [settled] = a.settledConflicts()
  expect(conflict.status).toBe('open')
  for (const act of [
    () => a.resolve(conflict, 'no'),
    () => a.reopen(settled),
    () => a.undo(),
    () => a.redo(),
    () => draft.save({ title: 'no' }),
    () => draft.delete(),
    () => a.mutate((tx) => tx.tasks.erase('x')),
  ]) {
    expect(act).toThrow(code('READ_ONLY'))
  }
  expect([a.digest(), a.conflicts, a.settledConflicts(), a.canUndo, a.canRedo]).toEqual(before)
  isFailing = false
  await expect.poll(() => a.status.readOnly, { timeout: 10_000 }).toBe(false)
  a.resolve(conflict, 'yes')
  await exchange(a, b)
  expect(b.conflicts).toEqual([])
  a.undo()
  a.undo()
  expect(await a.query((db) => db.selectFrom('tasks').select('id'))).toEqual([{ id: 'x' }])
})

describe('[CONF4] what came in after the conflict was read', () => {
  const rows = defineSchema({
    version: 1,
    tables: {
      tasks: table({ title: f.string().optional(), note: f.string().optional() }, { onDelete: 'manual' }),
    },
  })

  /** One deletes a row, one changes it, and `c` has not heard of that yet. */
  const three = async () => {
    const [a, b, c] = [await device(rows), await device(rows), await device(rows)]
    a.mutate((tx) => tx.tasks.insert({ id: 'x' }))
    await exchange(a, b, c)
    a.mutate((tx) => tx.tasks.delete('x'))
    b.mutate((tx) => tx.tasks.update('x', { title: 'changed' }))
    const hand = async (from: typeof a, to: typeof a) => to.import(await from.export(to.tips()))
    await hand(b, a)
    return { a, b, c, hand, conflict: a.conflicts[0] }
  }
  const all = (replica: Replica<typeof rows>) => replica.query((db) => db.selectFrom('tasks').select(['title', 'note']))

  it('a change stands against the resolution that the row is deleted', async () => {
    const { a, b, c, hand, conflict } = await three()
    c.mutate((tx) => tx.tasks.update('x', { note: 'very important' }))
    await hand(c, a)
    a.resolve(conflict, 'deleted', 'what b wrote is not needed')
    await exchange(a, b, c)
    for (const replica of [a, b, c]) {
      expect(await all(replica)).toEqual([{ title: 'changed', note: 'very important' }])
      expect(replica.conflicts).toMatchObject([
        { status: 'open', candidates: [{ author: c.device }, { value: 'deleted' }] },
      ])
      const [settled] = replica.settledConflicts()
      expect(settled.candidates).toEqual(conflict.candidates)
    }
    b.resolve(b.conflicts[0], 'deleted')
    await exchange(a, b, c)
    expect([await all(a), a.conflicts, c.conflicts]).toEqual([[], [], []])
  })

  it('a deletion is not taken back by the resolution that the row stays', async () => {
    const { a, c, hand, conflict } = await three()
    c.mutate((tx) => tx.tasks.delete('x'))
    await hand(c, a)
    const digest = a.digest()
    expect(() => a.resolve(conflict, 'changed')).toThrow(code('CONFLICT_GONE'))
    expect(a.digest()).toBe(digest)
    a.resolve(a.conflicts[0], 'changed')
    expect([a.conflicts.length, (await all(a)).length]).toEqual([0, 1])
  })

  it('all that keeps the row is told, and goes with it: a change by somebody who knew of the deletion, beside another', async () => {
    const { a, b, c, hand } = await three()
    a.mutate((tx) => tx.tasks.update('x', { note: 'and yet' }))
    c.mutate((tx) => tx.tasks.update('x', { note: 'c' }))
    await hand(c, a)
    const row = a.conflicts.find(({ kind }) => kind === 'row')!
    expect(row.candidates.map(({ value }) => value)).toEqual(['deleted', 'changed', 'changed'])
    a.resolve(row, 'deleted')
    await exchange(a, b, c)
    expect([await all(b), b.conflicts]).toEqual([[], []])
  })
})

it('[CONF4] of a row that is gone no field is resolved or reopened: nobody brings it back by the way', async () => {
  const { a, b } = await two()
  for (const round of ['first', 'second']) {
    a.mutate((tx) => tx.tasks.update('x', { title: `a ${round}` }))
    b.mutate((tx) => tx.tasks.update('x', { title: `b ${round}` }))
    await exchange(a, b)
    if (round === 'first') a.resolve(a.conflicts[0], 'settled')
    await exchange(a, b)
  }
  const [conflict] = a.conflicts
  b.mutate((tx) => tx.tasks.delete('x'))
  await exchange(a, b)
  expect(() => a.resolve(conflict, 'again')).toThrow(code('CONFLICT_GONE'))
  b.mutate((tx) => tx.tasks.restore('x'))
  await exchange(a, b)
  a.resolve(conflict, 'done')
  const settled = a.settledConflicts().at(-1)!
  a.mutate((tx) => tx.tasks.delete('x'))
  expect(() => a.reopen(settled)).toThrow(code('CONFLICT_GONE'))
  expect(await a.query((db) => db.selectFrom('tasks').selectAll())).toEqual([])
})

it('[CONF4] candidates are opened again as they were written: not as this schema reads them, nor as the caller says', async () => {
  const stateOf = <const T extends string>(version: number, ...states: T[]) =>
    defineSchema({
      version,
      tables: {
        tasks: table({
          state: f
            .enum('open', ...states)
            .default('open')
            .manual(),
        }),
      },
    })
  const [a, b] = [await device(stateOf(1, 'done')), await device(stateOf(2, 'done', 'blocked'))]
  a.mutate((tx) => tx.tasks.insert({ id: 'x' }))
  await exchange(a, b)
  a.mutate((tx) => tx.tasks.update('x', { state: 'done' }))
  b.mutate((tx) => tx.tasks.update('x', { state: 'blocked' }))
  await exchange(a, b)
  const before = b.conflicts[0].candidates.map(({ value, author, stamp }) => ({ value, author, stamp }))
  b.resolve(b.conflicts[0], 'open')
  await exchange(a, b)
  const [settled] = a.settledConflicts()
  const forged = settled.candidates.map((one) => ({
    ...one,
    author: a.device,
    stamp: one.stamp + 2 ** 50,
    value: 'open',
  }))
  a.reopen({ ...settled, candidates: forged, settledBy: a.device })
  await exchange(a, b)
  expect(b.conflicts[0].candidates).toMatchObject(before)
})

it('tells from a row of _conflicts that it is no conflict, and a row’s from a field’s that it is not opened again', async () => {
  const { a, b } = await two()
  a.mutate((tx) => tx.tasks.update('x', { title: 'a' }))
  b.mutate((tx) => tx.tasks.delete('x'))
  await exchange(a, b)
  const [told] = await a.query((db) => db.selectFrom('_conflicts').selectAll())
  expect(() => a.resolve(told as never, 'changed')).toThrow(code('OPTION_INVALID'))
  a.resolve(a.conflicts[0], 'changed')
  const [settledRow] = await a.query((db) => db.selectFrom('_conflicts').selectAll())
  expect(() => a.reopen(settledRow as never)).toThrow(code('OPTION_INVALID'))
  expect(() => a.reopen(a.settledConflicts()[0])).toThrow(code('OPTION_INVALID'))
})

it('[CONF3] what says that it settles is in one op with what does, however large the mutation is', async () => {
  const { a, b } = await two()
  for (const rest of [110, 140, 170]) {
    a.mutate((tx) => tx.tasks.update('x', { code: 'a' }))
    b.mutate((tx) => tx.tasks.update('x', { code: 'b' }))
    await exchange(a, b)
    // The first op ends between the two, or close by.
    a.mutate((tx) => {
      tx.tasks.insert({ id: 'large', title: 'x'.repeat(2 ** 18 - rest) })
      tx.tasks.update('x', { code: 'y'.repeat(300) })
    })
    expect(a.conflicts).toEqual([])
    await exchange(a, b)
  }
  expect([a.settledConflicts().length, b.settledConflicts().length]).toEqual([3, 3])
})
