import { type Conflict, defineSchema, f, table } from '@driftlog/core'
import { afterEach, describe, expect, it } from 'vitest'
import { closeAll, device, exchange } from '../mutate/replicas.test-support.ts'

const schema = defineSchema({
  version: 1,
  tables: {
    tasks: table({
      title: f.string(),
      owner: f.string().optional().manual(),
      number: f.integer().optional().unique(),
      tags: f.set(f.string()),
    }),
  },
})

afterEach(closeAll)

const pause = (ms = 10) => new Promise((resolve) => setTimeout(resolve, ms))

const twoThatDisagree = async () => {
  const [a, b] = [await device(schema), await device(schema)]
  const id = a.mutate((tx) => tx.tasks.insert({ title: 'Milk' })).value
  await exchange(a, b)
  a.mutate((tx) => tx.tasks.update(id, { owner: 'Ann' }))
  b.mutate((tx) => tx.tasks.update(id, { owner: 'Bob' }))
  return { a, b, id }
}

describe('conflicts$', () => {
  it('[CONF2] tells at once what there is, what an import brings, and that it is settled', async () => {
    const { a, b, id } = await twoThatDisagree()
    const heard: (readonly Conflict[])[] = []
    const subscription = a.conflicts$.subscribe((conflicts) => heard.push(conflicts))
    expect(heard).toEqual([[]])
    await exchange(a, b)
    await pause()
    expect(heard).toHaveLength(2)
    expect(heard[1]).toMatchObject([
      { id: `tasks/${id}/owner`, kind: 'field', status: 'open', rule: 'manual', candidates: [{}, {}], outcome: 'Bob' },
    ])
    expect(a.status).toMatchObject({ conflicts: 1 })
    b.resolve(b.conflicts[0], 'Ann', 'she has the car')
    await exchange(a, b)
    await pause()
    expect(heard.slice(2)).toEqual([[]])
    expect(a.status).toMatchObject({ conflicts: 0 })
    subscription.unsubscribe()
    a.mutate((tx) => tx.tasks.insert({ title: 'nobody listens' }))
    await pause()
    expect(heard).toHaveLength(3)
  })

  it('keeps the object of a conflict that did not change, and tells nothing where none did', async () => {
    const { a, b, id } = await twoThatDisagree()
    const other = b.mutate((tx) => tx.tasks.insert({ title: 'Bread', number: 7 })).value
    a.mutate((tx) => tx.tasks.insert({ title: 'Rolls', number: 7 }))
    await exchange(a, b)
    const heard: (readonly Conflict[])[] = []
    a.conflicts$.subscribe((conflicts) => heard.push(conflicts))
    expect(heard[0].map(({ kind }) => kind).sort()).toEqual(['field', 'unique'])
    a.mutate((tx) => tx.tasks.update(id, { title: 'Oat milk' }))
    a.mutate((tx) => tx.tasks.update(other, { title: 'White bread' }))
    await pause()
    expect(heard).toHaveLength(1)
    expect(a.conflicts).toBe(heard[0])
    a.mutate((tx) => tx.tasks.update(other, { number: 8 }))
    await pause()
    expect(heard[1]).toEqual([heard[0].find(({ kind }) => kind === 'field')])
    expect(heard[0]).toContain(heard[1][0])
  })

  it('a subscriber may settle what it is told of; closing completes it', async () => {
    const { a, b } = await twoThatDisagree()
    let isComplete = false
    a.conflicts$.subscribe({
      next: ([conflict]) => {
        if (conflict !== undefined) a.resolve(conflict, 'Eve')
      },
      complete: () => {
        isComplete = true
      },
    })
    await exchange(a, b)
    await expect.poll(() => a.conflicts).toEqual([])
    expect(await a.query((db) => db.selectFrom('tasks').select('owner'))).toEqual([{ owner: 'Eve' }])
    await a.close()
    expect(isComplete).toBe(true)
    expect(() => a.conflicts$).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })

  it('[CONF2] of a row that is deleted nothing is asked any more; it is when the row returns', async () => {
    const { a, b, id } = await twoThatDisagree()
    await exchange(a, b)
    a.mutate((tx) => tx.tasks.delete(id))
    expect(a.conflicts).toEqual([])
    await pause()
    expect(a.status.conflicts).toBe(0)
    a.mutate((tx) => tx.tasks.restore(id))
    expect(a.conflicts).toMatchObject([{ field: 'owner', status: 'open' }])
    await exchange(a, b)
    expect(b.conflicts).toMatchObject([{ field: 'owner', status: 'open' }])
  })
})

it('[CONF5] _conflicts can be queried and watched, with those that a law decided', async () => {
  const { a, b, id } = await twoThatDisagree()
  a.mutate((tx) => tx.tasks.update(id, { title: 'from a', tags: f.add('x') }))
  await exchange(a, b)
  const seen: unknown[][] = []
  const watching = b
    .watch((db) => db.selectFrom('_conflicts').select(['field', 'status', 'settledBy', 'reason']).orderBy('field'))
    .subscribe((rows) => seen.push(rows))
  await expect.poll(() => seen.at(-1)).toEqual([{ field: 'owner', status: 'open', settledBy: null, reason: null }])
  a.resolve(a.conflicts[0], 'Ann', 'because')
  await exchange(a, b)
  await expect
    .poll(() => seen.at(-1))
    .toEqual([{ field: 'owner', status: 'settled', settledBy: a.device, reason: 'because' }])
  watching.unsubscribe()
  const joined = await b.query((db) =>
    db
      .selectFrom('_conflicts')
      .innerJoin('tasks', 'tasks.id', '_conflicts.rowId')
      .where('_conflicts.status', '=', 'settled')
      .select(['tasks.title', '_conflicts.outcome', '_conflicts.candidates']),
  )
  expect(joined).toMatchObject([
    {
      title: 'from a',
      outcome: 'Ann',
      candidates: [
        { value: 'Ann', author: a.device },
        { value: 'Bob', author: b.device },
      ],
    },
  ])
})

it('[CONF5] one value, however large, keeps nothing else out of a query that reads the conflicts', async () => {
  const notes = defineSchema({
    version: 1,
    tables: { notes: table({ j: f.json().optional(), n: f.string().optional() }) },
  })
  const [a, b] = [await device(notes), await device(notes)]
  a.mutate((tx) => {
    tx.notes.insert({ id: 'x' })
    tx.notes.insert({ id: 'y', n: 'old' })
  })
  await exchange(a, b)
  const all = () => b.query((db) => db.selectFrom('notes').select(['id', 'n']).orderBy('id'))
  const conflicts = () => b.query((db) => db.selectFrom('_conflicts').select('id'))
  expect(await conflicts()).toEqual([])
  expect(await all()).toHaveLength(2)
  for (const [replica, n] of [
    [a, 1],
    [b, 2],
  ] as const)
    replica.mutate((tx) => tx.notes.update('x', { j: Array<number>(200_000).fill(n) }))
  a.mutate((tx) => {
    tx.notes.update('y', { n: 'new' })
    tx.notes.insert({ id: 'z', n: 'new too' })
  })
  await exchange(a, b)
  expect(await conflicts()).toEqual([{ id: 'notes/x/j' }])
  expect((await all()).map(({ n }) => n)).toEqual([null, 'new', 'new too'])
})

it('[CONF5] a conflict is another one where all that differs is what its authors had seen', async () => {
  const { a, b } = await twoThatDisagree()
  await exchange(a, b)
  const reopenedByB = async () => {
    b.resolve(b.conflicts[0], 'Bob')
    b.reopen(b.settledConflicts().at(-1)!)
    await exchange(a, b)
    return a.conflicts[0]
  }
  const before = await reopenedByB()
  const after = await reopenedByB()
  expect({ ...after, candidates: [] }).toEqual({ ...before, candidates: [] })
  const seen = after.candidates.map((candidate) => candidate.seen.get(b.device)!)
  expect(seen).toEqual(before.candidates.map((candidate) => candidate.seen.get(b.device)! + 2))
})
