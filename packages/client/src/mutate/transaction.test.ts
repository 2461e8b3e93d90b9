import { defineSchema, f, table } from '@driftlog/core'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { Replica } from '../replica.ts'
import type { DraftMemory } from './draft.ts'
import { closeAll, device, exchange } from './replicas.test-support.ts'
import type { Tx } from './tx.ts'

const schema = defineSchema({
  version: 1,
  tables: {
    lists: table({ name: f.string(), above: f.ref('lists', { onDelete: 'cascade' }).optional() }),
    tasks: table(
      {
        title: f
          .string()
          .priority(({ value }) => ['low', 'middle', 'high'].indexOf(value))
          .default('low'),
        owner: f.string().optional().manual(),
        code: f.string().optional().unique(),
        list: f.ref('lists', { onDelete: 'cascade' }).optional(),
        label: f.ref('lists', { onDelete: 'set-null' }).optional(),
        tags: f.set(f.string()),
        settings: f.json<Record<string, unknown>>().deepMerge().default({}),
      },
      { onDelete: 'manual' },
    ),
    notes: table({ text: f.string(), list: f.ref('lists', { onDelete: 'cascade' }) }, { onDelete: 'delete-wins' }),
  },
})
type Device = Replica<typeof schema>

afterEach(closeAll)

const code = (error: string) => expect.objectContaining({ code: error }) as Error

const withTree = async (): Promise<Device> => {
  const a = await device(schema)
  a.mutate((tx) => {
    tx.lists.insert({ id: 'p', name: 'above' })
    tx.lists.insert({ id: 'q', name: 'below', above: 'p' })
    tx.tasks.insert({ id: 't', list: 'q', code: '1' })
    tx.tasks.insert({ id: 'u', label: 'q' })
    tx.notes.insert({ id: 'n', text: 'n', list: 'q' })
  })
  return a
}

describe('references inside a mutation', () => {
  it('[REF1] what it deletes hides what refers to it, at any distance, and is no longer referred to', async () => {
    const a = await withTree()
    a.mutate((tx) => {
      tx.lists.delete('p')
      expect([tx.lists.get('q'), tx.tasks.get('t'), tx.notes.get('n')]).toEqual([undefined, undefined, undefined])
      expect(tx.tasks.get('u')?.label).toBeNull()
      expect(() => tx.tasks.update('t', { title: 'high' })).toThrow(code('ROW_NOT_FOUND'))
      expect(() => tx.tasks.delete('t')).toThrow(code('ROW_NOT_FOUND'))
      tx.lists.restore('p')
      expect(tx.tasks.get('t')?.list).toBe('q')
      expect(tx.tasks.get('u')?.label).toBe('q')
      tx.lists.delete('p')
      // Its value is free while it is hidden.
      tx.tasks.update('u', { code: '1' })
    })
    expect(await a.query((db) => db.selectFrom('tasks').select(['id', 'label', 'code']))).toEqual([
      { id: 'u', label: null, code: '1' },
    ])
    expect(a.conflicts).toEqual([])
  })

  it('[REF1] what it restores brings back what refers to it, which can be changed and deleted at once', async () => {
    const a = await withTree()
    a.mutate((tx) => tx.lists.delete('p'))
    a.mutate((tx) => {
      expect(tx.tasks.get('t')).toBeUndefined()
      tx.lists.restore('p')
      tx.tasks.update('t', { title: 'high' })
      tx.notes.delete('n')
      expect(tx.notes.get('n')).toBeUndefined()
    })
    expect(await a.query((db) => db.selectFrom('tasks').select('title').where('id', '=', 't'))).toEqual([
      { title: 'high' },
    ])
    expect(await a.query((db) => db.selectFrom('notes').select('id'))).toEqual([])
  })

  it('[REF1] a row that is given another parent leaves the one that goes; one put under it goes too', async () => {
    const a = await withTree()
    a.mutate((tx) => {
      tx.tasks.update('t', { list: null })
      tx.lists.delete('q')
      expect(tx.tasks.get('t')).toMatchObject({ list: null })
      tx.tasks.insert({ id: 'late', list: 'q' })
      expect(tx.tasks.get('late')).toBeUndefined()
      tx.tasks.insert({ id: 'later', label: 'q', list: 'nobody knows it' })
      expect(tx.tasks.get('later')).toMatchObject({ label: null, list: 'nobody knows it' })
    })
    const shown = await a.query((db) => db.selectFrom('tasks').select('id').orderBy('id'))
    expect(shown.map(({ id }) => id)).toEqual(['later', 't', 'u'])
  })
})

describe('rows that are not there', () => {
  it('[CELL5] restore and erase do not find a row that never was; an erased one says so, and reading it writes nothing', async () => {
    const a = await withTree()
    expect(() => a.mutate((tx) => tx.lists.restore('nobody'))).toThrow(code('ROW_NOT_FOUND'))
    expect(() => a.mutate((tx) => tx.lists.erase('nobody'))).toThrow(code('ROW_NOT_FOUND'))
    a.mutate((tx) => {
      const id = tx.lists.insert({ name: 'brief' })
      tx.lists.delete(id)
      expect(() => tx.lists.restore(id)).toThrow(code('ROW_NOT_FOUND'))
    })
    a.mutate((tx) => {
      tx.lists.erase('p')
      expect(tx.lists.get('p')).toBeUndefined()
      expect(() => tx.lists.erase('p')).toThrow(code('ROW_ERASED'))
    })
    const held = [...a.held().values()]
    for (const act of ['insert', 'restore', 'erase'] as const)
      expect(() =>
        a.mutate((tx) => (act === 'insert' ? tx.lists.insert({ id: 'p', name: '' }) : tx.lists[act]('p'))),
      ).toThrow(code('ROW_ERASED'))
    expect(() => a.mutate((tx) => tx.lists.update('p', { name: '' }))).toThrow(code('ROW_NOT_FOUND'))
    a.mutate((tx) => expect(tx.lists.get('p')).toBeUndefined())
    expect([...a.held().values()]).toEqual(held)
  })

  it('[CELL5] inserting a deleted row brings it back: its list and sets are replaced, counters added to, the rest is as it was', async () => {
    const counted = defineSchema({
      version: 1,
      tables: {
        tasks: table({
          title: f.string(),
          note: f.string().optional(),
          votes: f.counter(),
          tags: f.set(f.string()),
          steps: f.list(f.string()),
        }),
      },
    })
    const a = await device(counted)
    a.mutate((tx) => tx.tasks.insert({ id: 'x', title: 'one', note: 'kept', votes: 3, tags: ['a'], steps: ['1'] }))
    a.mutate((tx) => tx.tasks.delete('x'))
    a.mutate((tx) => tx.tasks.insert({ id: 'x', title: 'two', votes: 3, tags: ['b'], steps: ['2'] }))
    const [row] = await a.query((db) => db.selectFrom('tasks').selectAll())
    expect(row).toMatchObject({ title: 'two', note: 'kept', votes: 6, tags: ['b'], steps: [{ value: '2' }] })
  })

  it('[REF1] what is inserted under a deleted row is hidden with it, and there when that returns', async () => {
    const a = await withTree()
    a.mutate((tx) => tx.lists.delete('p'))
    const { value: id } = a.mutate((tx) => tx.tasks.insert({ list: 'q' }))
    const ids = async () => (await a.query((db) => db.selectFrom('tasks').select('id'))).map((row) => row.id)
    expect(await ids()).not.toContain(id)
    a.mutate((tx) => tx.lists.restore('p'))
    expect(await ids()).toContain(id)
  })

  it('[CONF3] a mutation that only looks at a row settles nothing', async () => {
    const [a, b] = [await withTree(), await device(schema)]
    await exchange(a, b)
    a.mutate((tx) => tx.tasks.delete('t'))
    b.mutate((tx) => tx.tasks.update('t', { title: 'high' }))
    await exchange(a, b)
    const held = [...a.held().values()]
    a.mutate((tx) => expect(tx.tasks.get('t')).toMatchObject({ title: 'high' }))
    expect([...a.held().values()]).toEqual(held)
    expect(a.conflicts).toMatchObject([{ kind: 'row', status: 'open' }])
  })

  it('[STRAT5] a drafted deletion leaves a row there that was changed meanwhile, and inserting it decides for it', async () => {
    const [a, b] = [await withTree(), await device(schema)]
    await exchange(a, b)
    const task = a.draft('tasks', 't')
    const note = a.draft('notes', 'n')
    b.mutate((tx) => {
      tx.tasks.update('t', { title: 'high' })
      tx.notes.update('n', { text: 'changed' })
    })
    await exchange(a, b)
    a.mutate((tx) => {
      tx.tasks.delete('t', { draft: task.memory })
      tx.notes.delete('n', { draft: note.memory })
      expect([tx.tasks.get('t')?.title, tx.notes.get('n')]).toEqual(['high', undefined])
      expect(() => tx.tasks.update('t', { title: 'low' })).toThrow(code('ROW_NOT_FOUND'))
    })
    expect(a.conflicts).toMatchObject([
      { kind: 'row', status: 'by-rule', table: 'notes', outcome: 'deleted' },
      { kind: 'row', status: 'open', table: 'tasks' },
    ])
    expect(await a.query((db) => db.selectFrom('tasks').select('title').where('id', '=', 't'))).toEqual([
      { title: 'high' },
    ])
    a.mutate((tx) => {
      tx.tasks.delete('t', { draft: task.memory })
      tx.tasks.insert({ id: 't', owner: 'Ann' })
    })
    expect(a.conflicts).toMatchObject([{ table: 'notes' }])
    expect(a.settledConflicts()).toMatchObject([{ kind: 'row', outcome: 'changed' }])
  })
})

describe('[STRAT5] a plain write on a field that waits for a person', () => {
  /** Each device has written one of the values, in their order. */
  const withOwners = async (...owners: string[]): Promise<Device[]> => {
    const devices = await Promise.all(owners.map(() => device(schema)))
    devices[0].mutate((tx) => tx.tasks.insert({ id: 'x' }))
    await exchange(...devices)
    owners.forEach((owner, index) => devices[index].mutate((tx) => tx.tasks.update('x', { owner })))
    await exchange(...devices)
    return devices
  }
  const ownersOf = (replica: Device) => replica.candidates('tasks', 'x', 'owner').map(({ value }) => value)
  const write = (replica: Device, owner: string) => replica.mutate((tx) => tx.tasks.update('x', { owner }))
  const save = (replica: Device, owner: string) => replica.draft('tasks', 'x').save({ owner })

  it.each([
    [['Ana', 'Ana'], ['Cem']],
    [
      ['Ana', 'Ben', 'Ana'],
      ['Cem', 'Ben'],
    ],
    [
      ['Ana', 'Ana', 'Ben'],
      ['Cem', 'Ana', 'Ana'],
    ],
  ])('of %j leaves %j, as a form does: the value that is shown goes, whoever wrote it', async (owners, left) => {
    for (const put of [write, save]) {
      const devices = await withOwners(...owners)
      put(devices[1], 'Cem')
      await exchange(...devices)
      for (const replica of devices) {
        expect(ownersOf(replica)).toEqual(left)
        expect(replica.conflicts).toHaveLength(left.length > 1 ? 1 : 0)
        expect(replica.settledConflicts()).toEqual([])
      }
      devices[1].undo()
      expect(ownersOf(devices[1])).toEqual(owners.toReversed())
    }
  })

  it('leaves the same where another value comes before it or after it', async () => {
    for (const isBefore of [true, false]) {
      const [a, b, c] = [await device(schema), await device(schema), await device(schema)]
      a.mutate((tx) => tx.tasks.insert({ id: 'x' }))
      await exchange(a, b, c)
      write(c, 'Ben')
      for (const replica of [a, b]) write(replica, 'Ana')
      await exchange(...(isBefore ? [a, b, c] : [a, b]))
      write(a, 'Cem')
      await exchange(a, b, c)
      for (const replica of [a, b, c]) expect(ownersOf(replica)).toEqual(['Cem', 'Ben'])
    }
  })

  it('[CONF1] one value that two devices wrote, and that two opened again, is no conflict and goes as one', async () => {
    for (const put of [write, save]) {
      const [a, b] = await withOwners('Ana', 'Ana')
      for (const replica of [a, b]) {
        write(replica, 'Ben')
        replica.undo()
      }
      await exchange(a, b)
      for (const replica of [a, b]) {
        expect(ownersOf(replica)).toEqual(['Ana', 'Ana'])
        expect(replica.conflicts).toEqual([])
      }
      put(b, 'Cem')
      await exchange(a, b)
      for (const replica of [a, b]) expect([ownersOf(replica), replica.conflicts]).toEqual([['Cem'], []])
    }
  })

  it('[CONF4] leaves all that two devices opened again, also where it replaces a value shown beside that', async () => {
    for (const put of [write, save]) {
      const [a, b, c] = await withOwners('Ana', 'Ben', 'Ana')
      a.resolve(a.conflicts[0], 'Cem')
      await exchange(a, b, c)
      const [settled] = a.settledConflicts()
      for (const replica of [a, b]) replica.reopen(settled)
      write(c, 'Ben')
      await exchange(a, b, c)
      put(b, 'Dan')
      await exchange(a, b, c)
      for (const replica of [a, b, c]) expect(ownersOf(replica)).toEqual(['Dan', 'Ana', 'Ben', 'Ana'])
      a.resolve(a.conflicts[0], 'Eva')
      await exchange(a, b, c)
      for (const replica of [a, b, c]) expect([ownersOf(replica), replica.conflicts]).toEqual([['Eva'], []])
    }
  })
})

it('[UNIQ1] two rows that come back in one mutation with one value are refused', async () => {
  const a = await device(schema)
  a.mutate((tx) => tx.tasks.insert({ id: 'x', code: '1' }))
  a.mutate((tx) => tx.tasks.delete('x'))
  a.mutate((tx) => tx.tasks.insert({ id: 'y', code: '1' }))
  a.mutate((tx) => tx.tasks.delete('y'))
  expect(() =>
    a.mutate((tx) => {
      tx.tasks.restore('x')
      tx.tasks.restore('y')
    }),
  ).toThrow(code('VALUE_TAKEN'))
})

describe('of random mutations on rows in conflict', () => {
  const LISTS = ['p', 'q', 'r']
  const TASKS = ['t', 'u', 'v']
  const list = fc.constantFrom(...LISTS, null)
  const title = fc.constantFrom('low', 'middle', 'high')
  const act = fc.oneof(
    fc.record({
      act: fc.constantFrom('delete', 'restore', 'insert'),
      table: fc.constant('lists'),
      id: fc.constantFrom(...LISTS),
    }),
    fc.record({ act: fc.constant('above'), table: fc.constant('lists'), id: fc.constantFrom(...LISTS), to: list }),
    fc.record({
      act: fc.constantFrom('delete', 'restore', 'insert', 'drafted delete', 'erase'),
      table: fc.constant('tasks'),
      id: fc.constantFrom(...TASKS),
    }),
    fc.record({
      act: fc.constantFrom('update', 'save'),
      table: fc.constant('tasks'),
      id: fc.constantFrom(...TASKS),
      fields: fc.record(
        {
          title,
          owner: fc.constantFrom('Ann', 'Bob', null),
          list,
          label: list,
          tags: fc.oneof(
            fc.uniqueArray(fc.constantFrom('a', 'b', 'c')),
            fc.constantFrom('a', 'b', 'c').map((tag) => f.add(tag)),
            fc.constantFrom('a', 'b', 'c').map((tag) => f.remove(tag)),
          ),
          settings: fc.constantFrom<Record<string, unknown>>(
            {},
            { a: 1 },
            { a: { b: 1 } },
            { a: { b: 2, c: 3 } },
            { d: [1] },
          ),
        },
        { requiredKeys: [] },
      ),
    }),
  )
  type Act = typeof act extends fc.Arbitrary<infer A> ? A : never

  const attempt = (tx: Tx<typeof schema>, step: Act, drafts: ReadonlyMap<string, DraftMemory>): void => {
    const { id } = step
    const draft = drafts.get(id)
    try {
      if (step.table === 'lists') {
        if (step.act === 'delete') tx.lists.delete(id)
        else if (step.act === 'restore') tx.lists.restore(id)
        else if (step.act === 'insert') tx.lists.insert({ id, name: id })
        else if ('to' in step) tx.lists.update(id, { above: step.to })
      } else if (step.act === 'delete') tx.tasks.delete(id)
      else if (step.act === 'drafted delete') tx.tasks.delete(id, { draft })
      else if (step.act === 'restore') tx.tasks.restore(id)
      else if (step.act === 'erase') tx.tasks.erase(id)
      else if (step.act === 'insert') tx.tasks.insert({ id, title: 'middle' })
      else if ('fields' in step) tx.tasks.update(id, step.fields, step.act === 'save' ? { draft } : {})
    } catch (error) {
      expect(error).toMatchObject({ code: expect.stringMatching(/^(ROW_NOT_FOUND|ROW_ERASED)$/) as string })
    }
  }

  it('[STRAT5] what tx.get says at the end is what a query shows after it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(act, { maxLength: 6 }),
        fc.array(act, { maxLength: 6 }),
        fc.array(fc.array(act, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 3 }),
        async (mine, theirs, mutations) => {
          const [a, b] = [await device(schema), await device(schema)]
          a.mutate((tx) => {
            for (const id of LISTS) tx.lists.insert({ id, name: id, above: id === 'q' ? 'p' : null })
            for (const id of TASKS)
              tx.tasks.insert({ id, list: 'q', label: 'r', tags: ['a'], settings: { a: { b: 0 } } })
          })
          await exchange(a, b)
          const drafts = new Map(TASKS.map((id) => [id, a.draft('tasks', id).memory]))
          for (const step of mine) a.mutate((tx) => attempt(tx, step, drafts))
          for (const step of theirs) b.mutate((tx) => attempt(tx, step, new Map()))
          await exchange(a, b)
          for (const steps of mutations) {
            const said = a.mutate((tx) => {
              for (const step of steps) attempt(tx, step, drafts)
              return [...LISTS.map((id) => tx.lists.get(id)), ...TASKS.map((id) => tx.tasks.get(id))].filter(Boolean)
            }).value
            const lists = await a.query((db) => db.selectFrom('lists').selectAll().orderBy('id'))
            const tasks = await a.query((db) => db.selectFrom('tasks').selectAll().orderBy('id'))
            expect([...lists, ...tasks]).toEqual(said)
          }
          await exchange(a, b)
          await closeAll()
        },
      ),
      { numRuns: 30 },
    )
  })
})
