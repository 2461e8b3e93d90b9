import { defineSchema, f, type ListItem, table } from '@driftlog/core'
import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import type { Replica } from '../replica.ts'
import { closeAll, device, exchange } from './replicas.test-support.ts'

const schema = defineSchema({
  version: 1,
  tables: {
    tasks: table({
      title: f.string(),
      owner: f.string().optional().manual(),
      votes: f.counter(),
      views: f.counter().growOnly(),
      tags: f.set(f.string()),
      marks: f.set(f.string()).lastWrite(),
      steps: f.list(f.string()),
      settings: f.json<Record<string, unknown>>().deepMerge().default({}),
    }),
    lists: table({ name: f.string() }, { onDelete: 'manual' }),
  },
})
type Device = Replica<typeof schema>

afterEach(closeAll)

const rowOf = async (replica: Device, id = 'x') => {
  const [row] = await replica.query((db) => db.selectFrom('tasks').where('id', '=', id).selectAll())
  return row
}

const two = async () => {
  const [a, b] = [await device(schema), await device(schema)]
  a.mutate((tx) =>
    tx.tasks.insert({ id: 'x', title: 'Milk', tags: ['shop'], steps: ['one', 'two'], settings: { deep: { a: 1 } } }),
  )
  await exchange(a, b)
  return { a, b }
}

const compareText = (a: string, b: string): number => (a < b ? -1 : 1)
const words = (steps: readonly ListItem<string>[]) => steps.map(({ value }) => value)

describe('undo and redo', () => {
  it('[UNDO1] take back each of several updates of one field, and make them again', async () => {
    const { a } = await two()
    for (const title of ['1', '2', '3']) a.mutate((tx) => tx.tasks.update('x', { title }))
    const seen: string[] = []
    for (let n = 0; n < 3; n++) {
      a.undo()
      seen.push((await rowOf(a)).title)
    }
    for (let n = 0; n < 3; n++) {
      a.redo()
      seen.push((await rowOf(a)).title)
    }
    expect(seen).toEqual(['2', '1', 'Milk', '1', '2', '3'])
    expect([a.canRedo, a.redo()]).toEqual([false, undefined])
    a.undo()
    a.mutate((tx) => tx.tasks.update('x', { title: 'other' }))
    expect(a.canRedo).toBe(false)
  })

  it('[UNDO1] leave alone what others wrote since, and take back the rest', async () => {
    const { a, b } = await two()
    a.mutate((tx) => {
      const [{ id }] = tx.tasks.get('x')!.steps
      tx.tasks.update('x', {
        title: 'mine',
        votes: f.increment(5),
        views: f.increment(2),
        tags: f.add('mine', 'shared'),
        steps: [f.setItem(id, 'mine'), f.insertItem('three')],
        settings: { deep: { a: 2, b: 2 }, mine: true },
      })
      tx.lists.insert({ id: 'l', name: 'new' })
      tx.tasks.insert({ id: 'y', title: 'new' })
    })
    await exchange(a, b)
    b.mutate((tx) => {
      tx.tasks.update('x', {
        title: 'theirs',
        votes: f.increment(1),
        tags: f.remove('shop'),
        settings: { deep: { a: 3, b: 2 }, mine: true },
      })
      tx.lists.update('l', { name: 'theirs' })
    })
    await exchange(a, b)
    a.undo()
    await exchange(a, b)
    const row = await rowOf(b)
    expect(row).toMatchObject({ title: 'theirs', votes: 1, views: 2, tags: [], settings: { deep: { a: 3 } } })
    expect(words(row.steps)).toEqual(['one', 'two'])
    expect(await rowOf(b, 'y')).toBeUndefined()
    expect(await b.query((db) => db.selectFrom('lists').select('name'))).toEqual([{ name: 'theirs' }])
    a.redo()
    expect(await rowOf(a)).toMatchObject({ title: 'theirs', votes: 6, views: 2, tags: ['mine', 'shared'] })
    expect(await rowOf(a, 'y')).toMatchObject({ title: 'new' })
  })

  it('[UNDO1] nothing that was deleted by another comes back', async () => {
    const { a, b } = await two()
    a.mutate((tx) =>
      tx.tasks.update('x', { title: 'mine', votes: f.increment(1), tags: f.add('t'), settings: { n: 1 } }),
    )
    await exchange(a, b)
    b.mutate((tx) => tx.tasks.delete('x'))
    await exchange(a, b)
    expect(a.undo()).toBeDefined()
    expect(await rowOf(a)).toBeUndefined()
    expect(a.canRedo).toBe(false)
  })

  it('[UNDO1] a deletion is taken back with all fields, unless somebody else deleted the row too', async () => {
    const { a, b } = await two()
    const before = await rowOf(a)
    a.mutate((tx) => tx.tasks.delete('x'))
    a.undo()
    expect(await rowOf(a)).toEqual({ ...before, updatedAt: expect.any(Date) as Date })
    a.redo()
    expect(await rowOf(a)).toBeUndefined()
    a.undo()
    await exchange(a, b)
    a.mutate((tx) => tx.tasks.delete('x'))
    b.mutate((tx) => tx.tasks.delete('x'))
    await exchange(a, b)
    a.undo()
    expect(await rowOf(a)).toBeUndefined()
  })

  it('[UNDO1] what was put over a conflict goes, and what stood beside it stays', async () => {
    const { a, b } = await two()
    a.mutate((tx) => tx.tasks.update('x', { owner: 'Ann' }))
    b.mutate((tx) => tx.tasks.update('x', { owner: 'Bob' }))
    await exchange(a, b)
    b.mutate((tx) => tx.tasks.update('x', { owner: 'Bert' }))
    const open = () => b.conflicts.map(({ candidates }) => candidates.map(({ value }) => value))
    expect(open()).toEqual([['Ann', 'Bert']])
    b.undo()
    expect(open()).toEqual([['Ann', 'Bob']])
    b.redo()
    expect(open()).toEqual([['Ann', 'Bert']])
    b.undo()
    b.undo()
    // There was nothing before it: what is left is what the other one wrote.
    expect((await rowOf(b)).owner).toBe('Ann')
    await exchange(a, b)
    expect(a.conflicts).toEqual([])
  })

  it('[UNDO1] a resolution taken back opens the conflict with its candidates, and what came in beside it once', async () => {
    const { a, b } = await two()
    const c = await device(schema)
    await exchange(a, b, c)
    for (const [replica, owner] of [
      [a, 'Ann'],
      [b, 'Bob'],
      [c, 'Cid'],
    ] as const)
      replica.mutate((tx) => tx.tasks.update('x', { owner }))
    await exchange(a, b)
    const [known] = a.conflicts
    await exchange(a, b, c)
    a.resolve(known, 'Ann', 'first come')
    const open = (replica: Device) =>
      replica.conflicts.map(({ candidates }) => candidates.map(({ value }) => String(value)).sort(compareText))
    expect(open(a)).toEqual([['Ann', 'Cid']])
    a.undo()
    expect(open(a)).toEqual([['Ann', 'Bob', 'Cid']])
    await exchange(a, b, c)
    expect(open(c)).toEqual([['Ann', 'Bob', 'Cid']])
    a.redo()
    await exchange(a, b, c)
    expect(open(c)).toEqual([['Ann', 'Cid']])
    // Back to before what this device wrote at first.
    a.undo()
    a.undo()
    await exchange(a, b, c)
    expect(open(b)).toEqual([['Bob', 'Cid']])
  })

  it.each(['changed', 'deleted'] as const)(
    '[UNDO1] the conflict of a row that was resolved by %s is open again',
    async (verdict) => {
      const [a, b] = [await device(schema), await device(schema)]
      a.mutate((tx) => tx.lists.insert({ id: 'l', name: 'List' }))
      await exchange(a, b)
      a.mutate((tx) => tx.lists.update('l', { name: 'changed' }))
      b.mutate((tx) => tx.lists.delete('l'))
      await exchange(a, b)
      const names = async (replica: Device) =>
        (await replica.query((db) => db.selectFrom('lists').select('name'))).map(({ name }) => name)
      a.resolve(a.conflicts[0], verdict, 'so be it')
      await exchange(a, b)
      expect([a.conflicts, await names(b)]).toEqual([[], verdict === 'changed' ? ['changed'] : []])
      for (let round = 0; round < 2; round++) {
        a.undo()
        await exchange(a, b)
        expect(b.conflicts).toMatchObject([{ kind: 'row', status: 'open' }])
        expect(await names(b)).toEqual(['changed'])
        a.redo()
        await exchange(a, b)
        expect([b.conflicts, await names(b)]).toEqual([[], verdict === 'changed' ? ['changed'] : []])
      }
    },
  )

  /** A list that one device deleted and the other changed. */
  const contestedList = async () => {
    const [a, b] = [await device(schema), await device(schema)]
    a.mutate((tx) => tx.lists.insert({ id: 'l', name: 'List' }))
    await exchange(a, b)
    a.mutate((tx) => tx.lists.update('l', { name: 'before' }))
    a.mutate((tx) => tx.lists.update('l', { name: 'changed' }))
    b.mutate((tx) => tx.lists.delete('l'))
    await exchange(a, b)
    const name = async (replica: Device) => (await replica.query((db) => db.selectFrom('lists').select('name')))[0].name
    return { a, b, name }
  }

  it('[UNDO1] an update that decided the conflict of its row: the conflict is open again', async () => {
    const { a, b, name } = await contestedList()
    a.mutate((tx) => tx.lists.update('l', { name: 'typo' }))
    await exchange(a, b)
    expect([b.conflicts, b.settledConflicts().length]).toEqual([[], 1])
    for (let round = 0; round < 2; round++) {
      a.undo()
      await exchange(a, b)
      for (const replica of [a, b]) {
        expect(replica.conflicts).toMatchObject([{ kind: 'row', status: 'open' }])
        expect(await name(replica)).toBe('changed')
      }
      a.redo()
      await exchange(a, b)
      for (const replica of [a, b]) expect([replica.conflicts, await name(replica)]).toEqual([[], 'typo'])
    }
  })

  it('[UNDO1] an update from before the conflict of its row: that stays open', async () => {
    const { a, b, name } = await contestedList()
    for (const [act, shown] of [
      [() => a.undo(), 'before'],
      [() => a.redo(), 'changed'],
    ] as const) {
      act()
      await exchange(a, b)
      for (const replica of [a, b]) {
        expect(replica.conflicts).toMatchObject([{ kind: 'row', status: 'open' }])
        expect(await name(replica)).toBe(shown)
      }
    }
  })

  it('[UNDO1] an update after somebody decided: no conflict comes of it', async () => {
    const { a, b, name } = await contestedList()
    b.mutate((tx) => tx.lists.update('l', { name: 'so be it' }))
    await exchange(a, b)
    a.mutate((tx) => tx.lists.update('l', { name: 'typo' }))
    a.undo()
    a.mutate((tx) => tx.lists.delete('l'))
    a.undo()
    await exchange(a, b)
    expect([a.conflicts, b.conflicts, await name(b)]).toEqual([[], [], 'so be it'])
  })

  it.each(['changed', 'deleted'] as const)(
    '[UNDO1] where deletions win too, a conflict that was resolved by %s is there again',
    async (verdict) => {
      const strict = defineSchema({
        version: 1,
        tables: { tasks: table({ title: f.string() }, { onDelete: 'delete-wins' }) },
      })
      const [a, b] = [await device(strict), await device(strict)]
      a.mutate((tx) => tx.tasks.insert({ id: 'x', title: '' }))
      await exchange(a, b)
      a.mutate((tx) => tx.tasks.update('x', { title: 'changed' }))
      b.mutate((tx) => tx.tasks.delete('x'))
      await exchange(a, b)
      a.resolve(a.conflicts[0], verdict)
      a.undo()
      await exchange(a, b)
      expect(b.conflicts).toMatchObject([{ kind: 'row', outcome: 'deleted', candidates: [{}, {}] }])
      expect(await b.query((db) => db.selectFrom('tasks').select('title'))).toEqual([])
      a.redo()
      await exchange(a, b)
      const rows = await b.query((db) => db.selectFrom('tasks').select('title'))
      expect([b.conflicts, rows]).toEqual([[], verdict === 'changed' ? [{ title: 'changed' }] : []])
    },
  )

  it('[UNDO1] a resolution of more candidates than a person can look at: all of them are there again', async () => {
    const a = await device(schema)
    a.mutate((tx) => tx.tasks.insert({ id: 'x', title: '' }))
    const start = await a.export()
    for (let n = 0; n < 70; n++) {
      const other = await device(schema)
      await other.import(start)
      other.mutate((tx) => tx.tasks.update('x', { owner: `owner ${n}` }))
      await a.import(await other.export(a.tips()))
      await other.close()
    }
    const owners = () => new Set(a.candidates('tasks', 'x', 'owner').map(({ value }) => value))
    const before = owners()
    a.resolve(a.conflicts[0], 'one of them')
    a.undo()
    expect([before.size, owners()]).toEqual([70, before])
  }, 30_000)

  it('[UNDO1] what fits no op is not taken back in part: that throws, and nothing has happened', async () => {
    const { a, b } = await two()
    a.mutate((tx) => tx.tasks.update('x', { owner: 'a'.repeat(140_000) }))
    b.mutate((tx) => tx.tasks.update('x', { owner: 'b'.repeat(140_000) }))
    await exchange(a, b)
    a.resolve(a.conflicts[0], 'short')
    const digest = a.digest()
    expect(() => a.undo()).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }))
    expect([a.digest(), a.canUndo, a.canRedo]).toEqual([digest, true, false])
  })

  it('[UNDO1] of an object that JSON got, what others added to it stays, and the rest goes', async () => {
    const { a, b } = await two()
    const settings = { deep: { a: 1 }, new: { x: 1, y: { z: [] } } }
    a.mutate((tx) => tx.tasks.update('x', { settings }))
    await exchange(a, b)
    b.mutate((tx) => tx.tasks.update('x', { settings: { ...settings, new: { ...settings.new, theirs: 1 } } }))
    await exchange(a, b)
    a.undo()
    await exchange(a, b)
    expect((await rowOf(b)).settings).toMatchObject({ deep: { a: 1 }, new: { theirs: 1 } })
    expect((await rowOf(b)).settings.new).not.toHaveProperty('x')
    a.redo()
    expect((await rowOf(a)).settings).toEqual({ ...settings, new: { ...settings.new, theirs: 1 } })
  })

  it('[UNDO1] a set of 20,000 elements is replaced and taken back in a moment', async () => {
    const a = await device(schema)
    const tags = Array.from({ length: 20_000 }, (_, n) => `tag ${n}`)
    a.mutate((tx) => tx.tasks.insert({ id: 'x', title: '', tags, marks: tags }))
    a.mutate((tx) => tx.tasks.update('x', { tags: ['only'], marks: ['only'] }))
    expect((await rowOf(a)).tags).toEqual(['only'])
    a.undo()
    expect([(await rowOf(a)).tags.length, (await rowOf(a)).marks.length]).toEqual([20_000, 20_000])
  })

  it('[UNDO2] 100 mutations can be taken back, none that says so, and no erasure', async () => {
    const { a } = await two()
    a.mutate((tx) => tx.tasks.update('x', { title: 'quiet' }), { isUndoable: false })
    for (let n = 0; n < 103; n++) a.mutate((tx) => tx.tasks.update('x', { votes: f.increment(1) }))
    let count = 0
    while (a.undo() !== undefined) count++
    expect([count, await rowOf(a)]).toMatchObject([100, { votes: 3, title: 'quiet' }])
    for (let n = 0; n < 100; n++) a.redo()
    expect(await rowOf(a)).toMatchObject({ votes: 103 })
    a.mutate((tx) => tx.tasks.erase('x'))
    expect(a.canRedo).toBe(false)
    // Nothing of it can be taken back: it is passed over, and so is one that only adds to what only grows.
    a.mutate((tx) => tx.lists.insert({ id: 'l', name: 'List' }))
    a.mutate((tx) => tx.tasks.insert({ id: 'y', title: 'new' }), { isUndoable: false })
    a.mutate((tx) => tx.tasks.update('y', { views: f.increment(1) }))
    a.undo()
    expect(await a.query((db) => db.selectFrom('lists').selectAll())).toEqual([])
    expect([await rowOf(a), (await rowOf(a, 'y')).views]).toEqual([undefined, 1])
  })

  it('what cannot be written stays to be taken back', async () => {
    const { a } = await two()
    expect([a.canUndo, (await device(schema)).undo()]).toEqual([true, undefined])
    a.mutate((tx) => {
      expect(() => a.undo()).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
      tx.tasks.update('x', { title: 'b' })
    })
    a.undo()
    expect((await rowOf(a)).title).toBe('Milk')
  })
})

describe('of random mutations', () => {
  const ID = fc.constantFrom('x', 'y')
  const word = fc.constantFrom('p', 'q', 'r')
  const json = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small' },
      word,
      fc.integer({ min: 0, max: 3 }),
      fc.constant(null),
      fc.array(word, { maxLength: 2 }),
      tie('map'),
    ),
    map: fc.dictionary(word, tie('any'), { maxKeys: 3 }),
  })).map as fc.Arbitrary<Record<string, unknown>>
  const at = fc.nat(5)
  const step = fc.oneof(
    fc.record({
      act: fc.constant('insert' as const),
      id: ID,
      title: word,
      tags: fc.option(fc.array(word)),
      steps: fc.option(fc.array(word, { maxLength: 3 })),
      settings: fc.option(json),
    }),
    fc.record({ act: fc.constantFrom('delete' as const, 'restore' as const), id: ID }),
    fc.record({ act: fc.constantFrom('title' as const, 'owner' as const), id: ID, to: word }),
    fc.record({ act: fc.constant('votes' as const), id: ID, by: fc.integer({ min: -3, max: 3 }) }),
    fc.record({
      act: fc.constantFrom('tags' as const, 'marks' as const),
      id: ID,
      how: fc.constantFrom('add', 'remove', 'all'),
      of: fc.array(word),
    }),
    fc.record({
      act: fc.constant('steps' as const),
      id: ID,
      edits: fc.array(fc.record({ how: fc.constantFrom('insert', 'move', 'set', 'remove'), at, to: at, word }), {
        minLength: 1,
        maxLength: 3,
      }),
    }),
    fc.record({ act: fc.constant('settings' as const), id: ID, to: json }),
  )
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

  const run = (replica: Device, steps: readonly Step[]) =>
    replica.mutate((tx) => {
      for (const given of steps) {
        const { id } = given
        const row = tx.tasks.get(id)
        if (given.act === 'insert') {
          const { title, tags, steps: items, settings } = given
          tx.tasks.insert({
            id,
            title,
            ...(tags && { tags }),
            ...(items && { steps: items }),
            ...(settings && { settings }),
          })
        } else if (given.act === 'restore') {
          try {
            tx.tasks.restore(id)
          } catch (error) {
            expect(error).toMatchObject({ code: 'ROW_NOT_FOUND' })
          }
        } else if (row === undefined) continue
        else if (given.act === 'delete') tx.tasks.delete(id)
        else if (given.act === 'votes') tx.tasks.update(id, { votes: f.increment(given.by) })
        else if (given.act === 'title' || given.act === 'owner') tx.tasks.update(id, { [given.act]: given.to })
        else if (given.act === 'settings') tx.tasks.update(id, { settings: given.to })
        else if (given.act === 'steps') {
          let ids = row.steps.map((item) => item.id)
          for (const { how, at: index, to, word: value } of given.edits) {
            const item = ids[index % Math.max(1, ids.length)]
            if (how === 'insert') tx.tasks.update(id, { steps: f.insertItem(value, { at: index % (ids.length + 1) }) })
            else if (item === undefined) continue
            else if (how === 'move') tx.tasks.update(id, { steps: f.moveItem(item, to % ids.length) })
            else if (how === 'set') tx.tasks.update(id, { steps: [f.setItem(item, value)] })
            else tx.tasks.update(id, { steps: f.removeItem(item) })
            ids = tx.tasks.get(id)!.steps.map((kept) => kept.id)
          }
        } else if (given.act === 'tags' || given.act === 'marks') {
          const { act, how, of } = given
          tx.tasks.update(id, { [act]: how === 'all' ? of : how === 'add' ? f.add(...of) : f.remove(...of) })
        }
      }
      return ['x', 'y'].map((id) => tx.tasks.get(id)).filter((row) => row !== undefined)
    })

  const rows = (replica: Device) => replica.query((db) => db.selectFrom('tasks').selectAll().orderBy('id'))
  const told = async (replica: Device) =>
    (await rows(replica)).map(({ createdAt: _created, updatedAt: _updated, settings, ...row }) => ({
      ...row,
      settings,
    }))

  /** Some mutations come to nothing: what one puts in and takes out again. */
  const distinct = <T>(states: readonly T[]) =>
    states.filter((state, index) => index === 0 || !isDeepStrictEqual(state, states[index - 1]))

  it('the row after one is what tx.get said at its end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { maxLength: 5 }),
        async (mutations) => {
          const replica = await device(schema)
          for (const steps of mutations) {
            const { value } = run(replica, steps)
            expect(await rows(replica)).toEqual(value)
          }
          await replica.close()
        },
      ),
      { numRuns: 30 },
    )
  }, 60_000)

  it('[UNDO1] undone in reverse every state is as it was, and redone as well', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 6 }),
        async (mutations) => {
          const replica = await device(schema)
          const states = [await told(replica)]
          for (const steps of mutations) {
            const before = replica.canUndo
            const { dot } = run(replica, steps)
            if (dot === undefined) expect(replica.canUndo).toBe(before)
            else states.push(await told(replica))
          }
          for (let round = 0; round < 2; round++) {
            const undone = [await told(replica)]
            while (replica.undo() !== undefined) undone.push(await told(replica))
            expect(distinct(undone)).toEqual(distinct(states).reverse())
            const redone = [await told(replica)]
            while (replica.redo() !== undefined) redone.push(await told(replica))
            expect(distinct(redone)).toEqual(distinct(states))
          }
          await replica.close()
        },
      ),
      { numRuns: 30 },
    )
  }, 60_000)
})
