import { defineSchema, f, memoryStore, Projector, SchemaView, table } from '@driftlog/core'
import type { Compilable } from 'kysely'
import type { Observable } from 'rxjs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { openReplica } from '../open-replica.ts'
import { CurrentView } from './current-view.ts'
import { LiveTables } from './live-tables.ts'
import { openSqlJs } from './sql-js.ts'

const schema = defineSchema({
  version: 1,
  tables: Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`t${index}`, table({ n: f.number() })])),
})

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

const open = async () => {
  const replica = await openReplica({ schema, space: 'home', key: 'unencrypted', store: memoryStore() })
  cleanups.push(() => replica.close())
  return replica
}

/** Counts how often a query is run. */
const counted = <O>(query: Compilable<O>, ran: () => void): Compilable<O> => ({
  compile: () => {
    const compiled = query.compile()
    return {
      ...compiled,
      get parameters() {
        ran()
        return compiled.parameters
      },
    }
  },
})

const follow = <O>(rows$: Observable<O[]>) => {
  const heard = { rows: [] as O[][], errors: [] as unknown[], isComplete: false }
  const subscription = rows$.subscribe({
    next: (rows) => heard.rows.push(rows),
    error: (error) => heard.errors.push(error),
    complete: () => {
      heard.isComplete = true
    },
  })
  return Object.assign(heard, { unsubscribe: () => subscription.unsubscribe() })
}

const pause = (ms = 10) => new Promise((resolve) => setTimeout(resolve, ms))

describe('how often a watch runs', () => {
  it('[Q9] 50 watches of one table: only those run again that read a row as it was or as it is', async () => {
    const replica = await open()
    replica.mutate((tx) => {
      for (let n = 0; n < 100; n++) tx.t0.insert({ id: `row ${n}`, n })
    })
    const runs = Array.from({ length: 50 }, () => 0)
    const watches = runs.map((_, index) =>
      follow(
        replica.watch((db) => counted(db.selectFrom('t0').where('n', '=', index).selectAll(), () => runs[index]++)),
      ),
    )
    await expect.poll(() => watches.every(({ rows }) => rows.length === 1)).toBe(true)
    await pause()
    const change = async (id: string, n: number): Promise<number[]> => {
      const before = [...runs]
      replica.mutate((tx) => tx.t0.update(id, { n }))
      await pause()
      return runs.flatMap((count, index) => (count > before[index] ? [index] : []))
    }
    expect(await change('row 7', 1000)).toEqual([7])
    expect(await change('row 7', 2000)).toEqual([])
    expect(await change('row 7', 9)).toEqual([9])
    expect(await change('row 9', 10)).toEqual([9, 10])
    expect(
      watches[10].rows
        .at(-1)!
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(['row 10', 'row 9'])
    // A read in between takes the changes of a turn apart; who was touched by the first of them runs all the same.
    const ran = runs[11]
    replica.mutate((tx) => tx.t0.update('row 11', { n: 3000 }))
    const read = replica.query((db) => db.selectFrom('t0').selectAll())
    replica.mutate((tx) => tx.t0.update('row 11', { n: 4000 }))
    await read
    await pause()
    expect(runs[11]).toBe(ran + 1)
    expect(watches[11].rows.at(-1)).toEqual([])
  })

  it('50 watches over 10 tables: once at first, then the 5 of the table that changed, once a turn', async () => {
    const replica = await open()
    replica.mutate((tx) => {
      for (const writer of Object.values(tx)) writer.insert({ id: 'x', n: 0 })
    })
    const runs = Array.from({ length: 50 }, () => 0)
    const watches = runs.map((_, index) =>
      follow(replica.watch((db) => counted(db.selectFrom(`t${index % 10}`).selectAll(), () => runs[index]++))),
    )
    await expect.poll(() => watches.every(({ rows }) => rows.length === 1)).toBe(true)
    await pause()
    expect(runs).toEqual(runs.map(() => 1))
    for (let n = 1; n <= 20; n++) replica.mutate((tx) => tx.t3.update('x', { n }))
    await pause()
    expect(runs).toEqual(runs.map((_, index) => (index % 10 === 3 ? 2 : 1)))
    // A query in between flushes for all; it makes nobody run again.
    await replica.query((db) => db.selectFrom('t4').selectAll())
    replica.mutate((tx) => tx.t4.update('x', { n: 9 }))
    await replica.query((db) => db.selectFrom('t4').selectAll())
    await pause()
    expect(runs).toEqual(runs.map((_, index) => ([3, 4].includes(index % 10) ? 2 : 1)))
    for (const watch of watches) watch.unsubscribe()
    replica.mutate((tx) => tx.t3.update('x', { n: 100 }))
    await pause()
    expect(runs[3]).toBe(2)
  })

  it('a subscriber that mutates when it gets its rows sees what it did, from the first rows on', async () => {
    const replica = await open()
    const seen: number[] = []
    replica
      .watch((db) => db.selectFrom('t0').select('n').orderBy('n'))
      .subscribe((rows) => {
        seen.push(rows.length)
        if (rows.length < 5) replica.mutate((tx) => tx.t0.insert({ n: rows.length }))
      })
    await expect.poll(() => seen).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('tells a watch without rows once, that there are none', async () => {
    const replica = await open()
    const watch = follow(replica.watch((db) => db.selectFrom('t0').selectAll()))
    await expect.poll(() => watch.rows).toEqual([[]])
    replica.mutate((tx) => {
      tx.t0.insert({ id: 'brief', n: 1 })
      tx.t0.delete('brief')
    })
    replica.mutate((tx) => tx.t0.insert({ id: 'brief', n: 1 }))
    replica.mutate((tx) => tx.t0.delete('brief'))
    await pause()
    expect(watch.rows).toEqual([[]])
  })
})

describe('how a watch ends', () => {
  it('by an error of its own: a table that there is not; the others go on', async () => {
    const replica = await open()
    const good = follow(replica.watch((db) => db.selectFrom('t0').selectAll()))
    const bad = follow(replica.watch((db) => db.selectFrom('nowhere').selectAll()))
    await expect.poll(() => bad.errors).toMatchObject([{ code: 'QUERY_INVALID' }])
    await expect(replica.query((db) => db.selectFrom('nowhere').selectAll())).rejects.toMatchObject({
      code: 'QUERY_INVALID',
    })
    replica.mutate((tx) => tx.t0.insert({ n: 1 }))
    await expect.poll(() => good.rows.length).toBe(2)
  })

  it.each(['while SQL opens', 'later'])('by completing where the replica closes %s', async (when) => {
    const replica = await open()
    const rows$ = replica.watch((db) => db.selectFrom('t0').selectAll())
    const watch = follow(rows$)
    if (when === 'later') await expect.poll(() => watch.rows.length).toBe(1)
    const query = replica.query((db) => db.selectFrom('t0').selectAll())
    query.catch(() => undefined)
    await replica.close()
    await pause()
    expect(watch).toMatchObject({ errors: [], isComplete: true })
    expect(follow(rows$)).toMatchObject({ rows: [], errors: [], isComplete: true })
    expect(() => replica.watch((db) => db.selectFrom('t0').selectAll())).toThrow(
      expect.objectContaining({ code: 'CLOSED' }),
    )
  })

  it('by its subscriber, before SQL is open', async () => {
    const replica = await open()
    const watch = follow(replica.watch((db) => db.selectFrom('t0').selectAll()))
    watch.unsubscribe()
    replica.mutate((tx) => tx.t0.insert({ n: 1 }))
    await pause(50)
    expect(watch).toMatchObject({ rows: [], errors: [] })
  })
})

describe('where SQL fails', () => {
  const view = new CurrentView(schema, new Projector().cells, false)

  it('an open that failed is tried again by the next read, and leaves nothing unhandled', async () => {
    let isFailing = true
    const tables = new LiveTables({
      schema,
      view,
      openDatabase: () => (isFailing ? Promise.reject(new Error('no wasm')) : openSqlJs()),
    })
    tables.watch((db) => db.selectFrom('t0').selectAll())
    await expect(tables.query((db) => db.selectFrom('t0').selectAll())).rejects.toThrow('no wasm')
    const watch = follow(tables.watch((db) => db.selectFrom('t0').selectAll()))
    await expect.poll(() => watch.errors.length).toBe(1)
    isFailing = false
    expect(await tables.query((db) => db.selectFrom('t0').selectAll())).toEqual([])
    tables.close()

    const hopeless = new LiveTables({ schema, view, openDatabase: () => Promise.reject(new Error('no wasm')) })
    hopeless.query((db) => db.selectFrom('t0').selectAll()).catch(() => undefined)
    hopeless.close()
    await pause()
  })

  it('a flush that fails ends the watches with its error; the next read makes the tables anew', async () => {
    const replica = await open()
    const { Database } = await import('sql.js').then(({ default: init }) => init())
    const watch = follow(replica.watch((db) => db.selectFrom('t0').select('n')))
    await expect.poll(() => watch.rows.length).toBe(1)
    const prototype = Object.getPrototypeOf(new Database().prepare('SELECT 1')) as { run: () => unknown }
    const { run } = prototype
    prototype.run = () => {
      throw new Error('out of memory')
    }
    replica.mutate((tx) => tx.t0.insert({ n: 1 }))
    await expect.poll(() => watch.errors).toMatchObject([{ message: 'out of memory' }])
    prototype.run = run
    expect(await replica.query((db) => db.selectFrom('t0').select('n'))).toEqual([{ n: 1 }])
    const again = follow(replica.watch((db) => db.selectFrom('t0').select('n')))
    await expect.poll(() => again.rows).toEqual([[{ n: 1 }]])
  })
  it.each(['takeDirtyRows', 'conflicts'] as const)(
    'where a bug keeps the view from telling its rows (%s), the watches hear it, and no row is lost to the next read',
    async (method) => {
      const replica = await open()
      const all = () => replica.query((db) => db.selectFrom('t0').select('n').orderBy('n'))
      replica.mutate((tx) => tx.t0.insert({ id: 'x', n: 1 }))
      await replica.query((db) => db.selectFrom('_conflicts').select('id'))
      const watch = follow(replica.watch((db) => db.selectFrom('t0').select('n')))
      await expect.poll(() => watch.rows.length).toBe(1)
      const other = await open()
      await other.import(await replica.export())
      replica.mutate((tx) => tx.t0.update('x', { n: 2 }))
      await pause()
      other.mutate((tx) => tx.t0.update('x', { n: 3 }))
      const batches = await other.export(replica.tips())
      const original = SchemaView.prototype[method] as () => never
      const failing = vi.spyOn(SchemaView.prototype, method).mockImplementationOnce(function (this: SchemaView) {
        original.call(this)
        throw new Error('a bug')
      })
      const read = replica.import(batches).then(all)
      await expect(read).resolves.toEqual([{ n: 3 }])
      expect(watch.errors).toMatchObject([{ message: 'a bug' }])
      failing.mockRestore()
    },
  )
})
