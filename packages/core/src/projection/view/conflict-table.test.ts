import initSqlJs from 'sql.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { columnOf, writesOf } from '../../cells/cell-state.ts'
import { cryptoReady } from '../../crypto/sodium.ts'
import { Law } from '../../op/law.ts'
import type { Shape } from '../../op/run.ts'
import type { Value } from '../../op/value.ts'
import { f } from '../../schema/f.ts'
import { defineSchema, table } from '../../schema/schema.ts'
import { createReplica, type Replica, START_MS } from '../../testing/replicas.test-support.ts'
import { createQueryBuilder } from '../tables/query-builder.ts'
import { createTables } from '../tables/tables.ts'
import { ConflictTable } from './conflict-table.ts'
import { SchemaView } from './schema-view.ts'
import { whatIf } from './what-if.ts'

const SQL = await initSqlJs()
const fields = {
  title: f.string(),
  owner: f.string().optional().manual(),
  due: f.date().optional(),
  tags: f.set(f.date()),
  settings: f.json().deepMerge().optional(),
  code: f.string().optional().unique(),
}
const schema = defineSchema({
  version: 1,
  tables: { notes: table(fields), tasks: table({ title: f.string() }, { onDelete: 'manual' }) },
})
const of = (law: number, ...path: string[]): Shape => ({ law, table: 'notes', path })
const set = (name: string): Shape => of(Law.set, name)

const world = () => {
  const [a, b] = [createReplica(1), createReplica(2)]
  const share = (): void => {
    const [fromA, fromB] = [a.seal(), b.seal()]
    for (const bytes of fromA) b.receive(bytes)
    for (const bytes of fromB) a.receive(bytes)
  }
  let at = START_MS
  const write = (replica: Replica, shape: Shape, id: string, value: Value = null): void => {
    replica.write(at++, replica.change(shape, id, value))
  }
  const view = new SchemaView(schema, a.projector.cells)
  const conflicts = new ConflictTable()
  const tables = createTables(new SQL.Database(), schema)
  const db = createQueryBuilder<typeof schema>()
  const read = () => {
    tables.flush([...view.takeDirtyRows(), ...conflicts.takeDirtyRows(view)])
    return tables.run(db.selectFrom('_conflicts').selectAll().orderBy('id').compile())
  }
  /** As an honest device does: it says what it settles. */
  const settle = (replica: Replica, name: string, id: string, value: Value, reason: string): void => {
    const { cells, ops } = replica.projector
    const cellTable = cells.table('notes')
    const over = writesOf(cellTable.rows.get(id)!, columnOf(cellTable, set(name))).map(({ ref }) => ops.dotOf(ref))
    replica.write(at++, replica.change(of(Law.resolve, name), id, reason, over), replica.change(set(name), id, value))
  }
  return { a, b, share, write, settle, view, conflicts, read, tables, db }
}

beforeAll(cryptoReady)

describe('_conflicts', () => {
  it('[CONF1 CONF5] a conflict is a row with its candidates; settled it stays, as another row, until the row is erased', () => {
    const { a, b, share, write, settle, read } = world()
    expect(read()).toEqual([])
    write(a, set('title'), 'x', 'from a')
    write(b, set('title'), 'x', 'from b')
    share()
    const [row, ...none] = read()
    expect(none).toEqual([])
    expect(row).toEqual({
      id: 'notes/x/title',
      kind: 'field',
      tableName: 'notes',
      rowId: 'x',
      field: 'title',
      part: null,
      status: 'by-rule',
      rule: 'last-writer-wins',
      candidates: [
        { value: 'from a', author: a.device, at: new Date(START_MS).toISOString(), seen: {} },
        { value: 'from b', author: b.device, at: new Date(START_MS + 1).toISOString(), seen: {} },
      ],
      outcome: 'from b',
      errorCode: null,
      error: null,
      settledBy: null,
      settledAt: null,
      reason: null,
      createdAt: new Date(START_MS),
      createdBy: a.device,
      updatedAt: new Date(START_MS + 1),
    })
    settle(b, 'title', 'x', 'both', 'asked them')
    share()
    const settled = read()
    expect(settled).toMatchObject([
      {
        id: `notes/x/title@${b.device}:2`,
        status: 'settled',
        outcome: 'both',
        settledBy: b.device,
        reason: 'asked them',
      },
    ])
    expect(settled[0].candidates).toEqual(row.candidates)
    expect(settled[0].settledAt).toEqual(new Date(START_MS + 2))
    write(a, of(Law.erase), 'x')
    expect(read()).toEqual([])
  })

  it('[CONF6] a value that somebody else took the place of, who knew it alone, is told without what it was', () => {
    const { a, b, share, write, settle, read } = world()
    const late = createReplica(3)
    write(a, set('title'), 'x', 'secret')
    const [first] = a.seal()
    late.receive(first)
    write(b, set('title'), 'x', 'other')
    for (const bytes of b.seal()) a.receive(bytes)
    b.receive(first)
    settle(b, 'title', 'x', 'both', '')
    share()
    expect(read()[0].candidates.map(({ value }) => value)).toEqual(['secret', 'other'])
    write(late, set('title'), 'x', 'corrected')
    for (const bytes of late.seal()) a.receive(bytes)
    const rows = read()
    expect(rows.map(({ status }) => status)).toEqual(['by-rule', 'settled'])
    expect(rows[1].candidates.map(({ value, author }) => [value, author])).toEqual([
      [null, a.device],
      ['other', b.device],
    ])
    expect(rows[1].reason).toBe(null)
  })

  it('[CONF1] of every kind: a manual field, a row, a unique value, an element, a path', () => {
    const { a, b, share, write, read, view, db, tables } = world()
    const tags = Date.UTC(2026, 1, 1)
    for (const id of ['x', 'y']) write(a, of(Law.insert), id)
    a.write(START_MS, a.change({ law: Law.insert, table: 'tasks', path: [] }, 't'))
    write(a, of(Law.add, 'tags'), 'x', tags)
    share()
    for (const [replica, own] of [
      [a, 'a'],
      [b, 'b'],
    ] as const) {
      write(replica, set('owner'), 'x', own)
      write(replica, of(Law.put, 'settings', 'color'), 'x', [own])
    }
    write(a, of(Law.remove, 'tags'), 'x', tags)
    write(b, of(Law.add, 'tags'), 'x', tags)
    // An element that the field cannot show is in nobody's way.
    write(a, of(Law.add, 'tags'), 'x', 'no date')
    write(a, of(Law.remove, 'tags'), 'x', 'no date')
    write(b, of(Law.add, 'tags'), 'x', 'no date')
    write(a, set('code'), 'x', 'unique')
    write(b, set('code'), 'y', 'unique')
    a.write(START_MS + 50, a.change({ law: Law.delete, table: 'tasks', path: [] }, 't'))
    b.write(START_MS + 50, b.change({ law: Law.set, table: 'tasks', path: ['title'] }, 't', 'kept'))
    share()
    const rows = read()
    expect(rows.map(({ id, kind, status, rule, outcome }) => [id, kind, status, rule, outcome])).toEqual([
      ['notes/x/code/unique', 'unique', 'open', 'unique', 'x'],
      ['notes/x/owner', 'field', 'open', 'manual', 'b'],
      ['notes/x/settings/["color"]', 'field', 'by-rule', 'deep-merge', 'b'],
      [`notes/x/tags/"${new Date(tags).toISOString()}"`, 'field', 'by-rule', 'set:add', true],
      ['tasks/t', 'row', 'open', 'manual', 'changed'],
    ])
    expect(rows[3].part).toBe(new Date(tags).toISOString())
    expect(new Set(rows[4].candidates.map(({ value }) => value))).toEqual(new Set(['changed', 'deleted']))
    expect(view.openCount).toBe(3)
    const open = db.selectFrom('_conflicts').select('id').where('status', '=', 'open').orderBy('id').compile()
    expect(tables.run(open).map(({ id }) => id)).toEqual(['notes/x/code/unique', 'notes/x/owner', 'tasks/t'])
    // Of a row that is deleted nobody is asked; it is all there again when it returns.
    write(b, of(Law.delete), 'x')
    share()
    expect(read().map(({ id }) => id)).toEqual(['tasks/t'])
    expect(view.openCount).toBe(1)
    write(b, of(Law.insert), 'x')
    share()
    expect(read()).toHaveLength(5)
  })

  it('[CONF1] a strategy that fails is an open conflict with its error; the latest is shown', () => {
    const broken = f.string().custom({ name: 'mine', version: 2, merge: () => 1 as never })
    const other = defineSchema({ version: 1, tables: { notes: table({ ...fields, title: broken }) } })
    const { a, b, share, write } = world()
    write(a, set('title'), 'x', 'a')
    write(b, set('title'), 'x', 'b')
    share()
    const view = new SchemaView(other, a.projector.cells)
    a.projector.cells.markAllDirty()
    view.refresh()
    expect(view.conflicts()).toMatchObject(
      [
        {
          status: 'open',
          rule: 'custom:mine@2',
          outcome: 'b',
          error: { code: 'STRATEGY_FAILED', message: /it returned/ },
        },
      ].map((expected) => ({ ...expected, error: expect.objectContaining({ code: 'STRATEGY_FAILED' }) as unknown })),
    )
    expect(view.conflicts()[0].error?.message).toMatch(/notes\.title, custom:mine@2: it returned a number/)
  })
})

describe('whatever a member writes', () => {
  const nested = (depth: number): Value => (depth === 0 ? 1 : { a: nested(depth - 1) })
  const json = defineSchema({
    version: 1,
    tables: { notes: table({ j: f.json().optional(), n: f.string().optional() }) },
  })

  it.each<[string, Value, Value]>([
    ['nests as deep as it may', nested(60), nested(63)],
    ['is as large as it may', Array<number>(200_000).fill(1), Array<number>(200_000).fill(2)],
  ])('[CONF5] a value that %s is in the record', (_, ours, theirs) => {
    const { a, b, share, write } = world()
    write(a, set('j'), 'x', ours)
    write(b, set('j'), 'x', theirs)
    share()
    const view = new SchemaView(json, a.projector.cells)
    const tables = createTables(new SQL.Database(), json)
    tables.flush([...view.takeDirtyRows(), ...new ConflictTable().takeDirtyRows(view)])
    const all = createQueryBuilder<typeof json>().selectFrom('_conflicts').select('candidates').compile()
    expect(tables.run(all)[0].candidates.map(({ value }) => value)).toEqual([ours, theirs])
  })

  it('[CONF5] of many devices on one field each tells what it had seen of 32', () => {
    const { a, write, view, read } = world()
    const others = Array.from({ length: 39 }, (_, index) => createReplica(index + 2))
    for (const replica of others) {
      write(replica, set('owner'), 'other', 'mine')
      write(replica, set('owner'), 'x', replica.device)
    }
    write(a, set('owner'), 'x', 'a')
    for (const replica of others) for (const bytes of replica.seal()) a.receive(bytes)
    view.refresh()
    const { candidates } = view.conflicts().find(({ rowId }) => rowId === 'x')!
    expect(candidates).toHaveLength(40)
    const told = candidates.map(({ author, seen }) => [author, [...seen.keys()]])
    // Each had seen its own first write; that is told of the 32 whose candidates are the latest.
    const latest = candidates.slice(-32).map(({ author }) => author)
    expect(told).toEqual(
      candidates.map(({ author }) => [author, author !== a.device && latest.includes(author) ? [author] : []]),
    )
    expect(read().find(({ rowId }) => rowId === 'x')!.candidates).toHaveLength(40)
  })

  it('[CONF5] no two conflicts have one id, whatever the ids of rows, elements and keys', () => {
    const { a, b, share, write, settle, read } = world()
    const rows = ['x', 'x/owner', 'x%2Fowner', `x/owner@${createReplica(1).device}:1`]
    for (const [replica, own] of [
      [a, 'a'],
      [b, 'b'],
    ] as const) {
      for (const id of rows) {
        write(replica, set('owner'), id, own)
        write(replica, of(Law.put, 'settings', 'a/b'), id, [own])
      }
    }
    share()
    for (const id of rows) {
      write(a, of(Law.delete), id)
      write(b, set('title'), id, 'kept')
    }
    share()
    const now = read()
    for (const id of rows) settle(a, 'owner', id, 'both', '')
    const ids = [...now, ...read().filter(({ status }) => status === 'settled')].map(({ id }) => id)
    // Of each row its fields, itself, and the settled one.
    expect(ids).toHaveLength(16)
    expect(new Set(ids).size).toBe(16)
    expect(ids).toContain('notes/x%2Fowner/settings/["a%2Fb"]')
    expect(ids).toContain(`notes/x%252Fowner/owner@${a.device}:15`)
  })
})

describe('what is told again', () => {
  it('[CONF5] only the records that changed, and a record that did not change is the same object', () => {
    const { a, b, share, write, settle, view, conflicts } = world()
    for (const id of ['x', 'y', 'z']) {
      write(a, set('owner'), id, 'a')
      write(b, set('owner'), id, 'b')
      write(a, set('code'), `${id}1`, id)
      write(b, set('code'), `${id}2`, id)
    }
    share()
    const told = (): number => conflicts.takeDirtyRows(view).flatMap(({ rows }) => rows).length
    expect(told()).toBe(6)
    const before = view.conflicts()
    const { version } = view
    // Neither an unrelated row nor another field of a row in conflict makes anything of it new.
    write(a, set('title'), 'x', 'another')
    write(a, set('title'), 'x1', 'another')
    write(a, set('title'), 'new', 'another')
    expect(told()).toBe(0)
    expect(view.version).toBe(version)
    expect(view.conflicts()).toBe(before)
    settle(a, 'owner', 'x', 'both', '')
    // One is gone, one is new.
    expect(told()).toBe(2)
    const settled = view.settled()
    write(a, set('code'), 'y1', 'given up')
    expect(told()).toBe(1)
    settle(a, 'owner', 'y', 'both', '')
    expect(told()).toBe(2)
    expect(view.settled()[0]).toBe(settled[0])
    expect(view.conflicts().map((conflict) => before.includes(conflict))).toEqual([true, true, true])
    expect(view.conflicts().map(({ id }) => id)).toEqual([
      'notes/x1/code/unique',
      'notes/z/owner',
      'notes/z1/code/unique',
    ])
  })

  it('[UNIQ1] a third row, another holder and the last but one are told', () => {
    const { a, write, view } = world()
    const told = (): unknown => {
      view.refresh()
      return view.conflicts().map(({ rowId, candidates }) => [rowId, candidates.map(({ value }) => value)])
    }
    write(a, set('code'), 'x', 'v')
    write(a, set('code'), 'y', 'v')
    expect(told()).toEqual([['x', ['x', 'y']]])
    write(a, set('code'), 'z', 'v')
    expect(told()).toEqual([['x', ['x', 'y', 'z']]])
    // Written again it is held since then.
    write(a, set('code'), 'x', 'v')
    expect(told()).toEqual([['y', ['y', 'z', 'x']]])
    expect(view.openCount).toBe(1)
    write(a, set('code'), 'y', 'w')
    write(a, of(Law.delete), 'z')
    expect(told()).toEqual([])
    expect(view.openCount).toBe(0)
  })
})

describe('whatIf', () => {
  it('[VIEW3] compares what is shown, not what is held: a date is no number, an element that does not fit is not there', () => {
    const { a, write, view } = world()
    write(a, set('due'), 'x', 5)
    write(a, of(Law.add, 'tags'), 'x', 'no date')
    const other = { ...fields, due: f.integer().optional(), tags: f.set(f.integer()) }
    expect(whatIf(view, defineSchema({ version: 2, tables: { notes: table(other) } }))).toEqual([
      { table: 'notes', rowId: 'x', field: 'due', now: new Date(5), would: 5 },
    ])
  })

  it('[VIEW3] tells what another policy would show, and changes nothing', () => {
    const { a, b, share, write, view, read } = world()
    write(a, of(Law.insert), 'y')
    share()
    write(a, set('title'), 'x', 'z first')
    write(b, set('title'), 'x', 'a later')
    write(a, of(Law.delete), 'y')
    write(b, set('title'), 'y', 'kept')
    share()
    const before = read()
    const digest = a.digest()
    const policy = defineSchema({
      version: 2,
      tables: {
        notes: table(
          { ...fields, title: f.string().priority(({ value }) => value.charCodeAt(0)), extra: f.string().optional() },
          { onDelete: 'delete-wins' },
        ),
        more: table({ name: f.string() }),
      },
    })
    expect(whatIf(view, policy)).toEqual([
      { table: 'notes', rowId: 'y', field: undefined, now: true, would: false },
      { table: 'notes', rowId: 'x', field: 'title', now: 'a later', would: 'z first' },
    ])
    expect(whatIf(view, schema)).toEqual([])
    expect(read()).toEqual(before)
    expect(a.digest()).toBe(digest)
  })
})
