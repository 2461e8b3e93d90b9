import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { cryptoReady } from '../../crypto/sodium.ts'
import { reopenedValue } from '../../laws/reopened.ts'
import { Law } from '../../op/law.ts'
import type { Shape } from '../../op/run.ts'
import { f } from '../../schema/f.ts'
import { defineSchema, type Schema, table } from '../../schema/schema.ts'
import { createReplica, permutations, type Replica, START_MS } from '../../testing/replicas.test-support.ts'
import { SchemaView } from './schema-view.ts'

const schema = defineSchema({
  version: 1,
  tables: {
    nodes: table({
      kept: f.ref('nodes', { onDelete: 'keep' }).optional(),
      cleared: f.ref('nodes', { onDelete: 'set-null' }).optional().unique(),
      parent: f.ref('nodes', { onDelete: 'cascade' }).optional(),
      other: f.ref('nodes', { onDelete: 'cascade' }).optional(),
      code: f.string().optional().unique(),
    }),
  },
})
const { nodes } = schema.tables
const shape = (law: number, ...path: string[]): Shape => ({ law, table: 'nodes', path })
const INSERT = shape(Law.insert)
const DELETE = shape(Law.delete)
const ERASE = shape(Law.erase)

const open = () => {
  const replica = createReplica(1)
  const view = new SchemaView(schema, replica.projector.cells)
  let at = START_MS
  const write = (of: Shape, id: string, value: string | null = null): void => {
    replica.write(at++, replica.change(of, id, value))
  }
  return {
    replica,
    view,
    write,
    set: (id: string, name: string, value: string | null) => write(shape(Law.set, name), id, value),
  }
}

const shown = (view: SchemaView): Record<string, unknown> => {
  view.refresh()
  return Object.fromEntries(
    [...view.rows('nodes')]
      .filter((row) => view.isShown(row, nodes))
      .map((row) => [
        row.id,
        Object.fromEntries(Object.values(nodes.fields).map((field) => [field.name, view.value(row, field) ?? null])),
      ])
      .sort(([a], [b]) => (a! < b! ? -1 : 1)),
  )
}

/** The definition, from nothing. */
const naive = (rows: ReadonlyMap<string, NaiveRow>): Record<string, unknown> => {
  const hidden = new Set<string>()
  const isGone = (id: string | null): boolean =>
    id !== null && rows.has(id) && (!rows.get(id)!.isLive || hidden.has(id))
  for (let before = -1; before < hidden.size; ) {
    before = hidden.size
    for (const [id, { parent, other }] of rows) if (isGone(parent) || isGone(other)) hidden.add(id)
  }
  return Object.fromEntries(
    [...rows]
      .filter(([id, { isLive }]) => isLive && !hidden.has(id))
      .map(([id, row]) => {
        const shownFields = Object.entries(row).filter(([name]) => name !== 'isLive')
        return [id, { ...Object.fromEntries(shownFields), cleared: isGone(row.cleared) ? null : row.cleared }]
      })
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

interface NaiveRow {
  isLive: boolean
  kept: string | null
  cleared: string | null
  parent: string | null
  other: string | null
  code: string | null
}

const IDS = ['a', 'b', 'c', 'd', 'e', 'never']
const FIELDS = ['kept', 'cleared', 'parent', 'other', 'code'] as const

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom('insert', 'delete', 'set', 'set', 'set', 'refresh'),
    id: fc.constantFrom(...IDS.slice(0, 5)),
    field: fc.constantFrom(...FIELDS),
    to: fc.option(fc.constantFrom(...IDS)),
  }),
  { maxLength: 60, size: 'max' },
)

const recordsOf = (view: SchemaView): unknown => view.conflicts().toSorted((a, b) => (a.id < b.id ? -1 : 1))

beforeAll(cryptoReady)

describe('references', () => {
  it('[REF1 REF2 UNIQ1] after any changes, taken in at any time, a view shows what one made from scratch shows, and the definition', () => {
    fc.assert(
      fc.property(steps, (changes) => {
        const { replica, view, write, set } = open()
        const rows = new Map<string, NaiveRow>()
        for (const { kind, id, field, to } of changes) {
          if (kind === 'refresh') {
            view.refresh()
            continue
          }
          const row = rows.get(id) ?? {
            isLive: false,
            kept: null,
            cleared: null,
            parent: null,
            other: null,
            code: null,
          }
          rows.set(id, row)
          row.isLive = kind !== 'delete'
          if (kind === 'insert') write(INSERT, id)
          else if (kind === 'delete') write(DELETE, id)
          else {
            row[field] = to
            set(id, field, to)
          }
        }
        expect(shown(view)).toEqual(naive(rows))
        const { cells } = replica.projector
        expect(shown(SchemaView.beside(schema, cells))).toEqual(naive(rows))
        const records = recordsOf(view)
        cells.markAllDirty()
        const fresh = new SchemaView(schema, cells)
        expect(shown(fresh)).toEqual(naive(rows))
        expect(recordsOf(fresh)).toEqual(records)
        expect(fresh.openCount).toBe(view.openCount)
      }),
      { numRuns: 300 },
    )
  })

  it('[REF1] chains: what refers to a hidden row goes with it, and all return together', () => {
    const { view, write, set } = open()
    for (const id of ['a', 'b', 'c', 'd']) write(INSERT, id)
    set('b', 'parent', 'a')
    set('c', 'parent', 'b')
    set('d', 'cleared', 'c')
    expect(Object.keys(shown(view))).toEqual(['a', 'b', 'c', 'd'])
    write(DELETE, 'a')
    expect(shown(view)).toEqual({ d: expect.objectContaining({ cleared: null }) })
    write(INSERT, 'a')
    expect(shown(view)).toMatchObject({ a: {}, b: { parent: 'a' }, c: { parent: 'b' }, d: { cleared: 'c' } })
    write(ERASE, 'b')
    expect(shown(view)).toEqual({ a: expect.anything(), d: expect.objectContaining({ cleared: null }) })
  })

  it('[REF1] rows in a circle are there as long as none of them is dead', () => {
    const { view, write, set } = open()
    set('a', 'parent', 'b')
    set('b', 'parent', 'c')
    set('c', 'parent', 'a')
    set('self', 'parent', 'self')
    expect(Object.keys(shown(view))).toEqual(['a', 'b', 'c', 'self'])
    write(DELETE, 'b')
    expect(Object.keys(shown(view))).toEqual(['self'])
    write(INSERT, 'b')
    expect(Object.keys(shown(view))).toEqual(['a', 'b', 'c', 'self'])
  })

  it('[REF2] a target that was never seen is not gone, also where an op without effect has named it', () => {
    const { view, write, set } = open()
    set('a', 'parent', 'nowhere')
    set('a', 'cleared', 'nowhere')
    // An explanation of nothing: the row is known by name and no more.
    write(shape(Law.resolve, 'code'), 'nowhere', 'why')
    set('a', 'code', 'x')
    expect(shown(view)).toMatchObject({ a: { parent: 'nowhere', cleared: 'nowhere' } })
    expect(Object.keys(shown(view))).toEqual(['a'])
  })

  it('[REF1] a row that gets a new parent while the old one is deleted elsewhere stays', () => {
    const [a, b] = [createReplica(1), createReplica(2)]
    const share = (from: Replica, to: Replica): void => from.seal().forEach((bytes) => to.receive(bytes))
    const parent = shape(Law.set, 'parent')
    a.write(START_MS, a.change(INSERT, 'old'), a.change(INSERT, 'new'), a.change(parent, 'child', 'old'))
    share(a, b)
    a.write(START_MS + 1, a.change(DELETE, 'old'))
    b.write(START_MS + 2, b.change(parent, 'child', 'new'))
    const views = [a, b].map(({ projector }) => new SchemaView(schema, projector.cells))
    expect(Object.keys(shown(views[0]))).toEqual(['new'])
    share(a, b)
    share(b, a)
    for (const view of views) expect(Object.keys(shown(view))).toEqual(['child', 'new'])
  })
})

describe('unique fields', () => {
  const unique = (view: SchemaView) => {
    view.refresh()
    return view.conflicts().map(({ kind, status, rowId, field, outcome, candidates }) => ({
      kind,
      status,
      rowId,
      field,
      outcome,
      rows: candidates.map(({ value }) => value),
    }))
  }

  it('[UNIQ1] two devices take one value: both rows stay, who took it first holds it, everywhere', () => {
    const [a, b] = [createReplica(1), createReplica(2)]
    const code = shape(Law.set, 'code')
    // b's clock is behind: it is first in total order, whoever comes first.
    a.write(START_MS + 5, a.change(code, 'of a', 'x'))
    b.write(START_MS, b.change(code, 'of b', 'x'))
    const [fromA, fromB] = [a.seal(), b.seal()]
    for (const bytes of fromA) b.receive(bytes)
    for (const bytes of fromB) a.receive(bytes)
    for (const { projector } of [a, b]) {
      const view = new SchemaView(schema, projector.cells)
      expect(unique(view)).toEqual([
        { kind: 'unique', status: 'open', rowId: 'of b', field: 'code', outcome: 'of b', rows: ['of b', 'of a'] },
      ])
      expect(view.openCount).toBe(1)
      expect(Object.keys(shown(view))).toEqual(['of a', 'of b'])
    }
  })

  /** All that replicas say that get one write of each device, in any order, and look after each of them or at the end. */
  const saidInAnyOrder = (
    first: readonly Uint8Array[],
    changes: readonly ((replica: Replica) => void)[],
    shownBy: Schema = schema,
  ) => {
    const writes = changes.flatMap((change, index) => {
      const replica = createReplica(index + 2)
      for (const bytes of first) replica.receive(bytes)
      change(replica)
      return replica.seal()
    })
    const said = permutations(writes).flatMap((order) =>
      [true, false].map((isFollowing) => {
        const reader = createReplica(99)
        const view = new SchemaView(shownBy, reader.projector.cells)
        for (const bytes of [...first, ...order]) {
          reader.receive(bytes)
          if (isFollowing) unique(view)
        }
        return unique(view).filter(({ kind }) => kind === 'unique')
      }),
    )
    return [...new Map(said.map((all) => [JSON.stringify(all), all])).values()]
  }
  const take = (id: string, ms: number) => (replica: Replica) =>
    void replica.write(START_MS + ms, replica.change(shape(Law.set, 'code'), id, 'x'))

  it('[UNIQ1 CONF4] a value that several opened again is taken by the first who did, in whatever order that comes', () => {
    const author = createReplica(1)
    author.write(START_MS, author.change(shape(Law.set, 'code'), 'reopened'))
    const settled = { device: author.device, seq: 1 }
    const candidates = ['y', 'x'].map((value, ticks) => ({ author: author.device, stamp: ticks, value }))
    const reopen = (ms: number) => (replica: Replica) => {
      const change = replica.change(shape(Law.reopen, 'code'), 'reopened', reopenedValue(candidates), [settled])
      replica.write(START_MS + ms, change)
    }
    const first = author.seal()
    expect(saidInAnyOrder(first, [reopen(10), take('other', 20), reopen(30)])).toMatchObject([[{ rowId: 'reopened' }]])
    // Not by when it was written that is there again: it was given up since.
    expect(saidInAnyOrder(first, [take('other', 20), reopen(30), reopen(40)])).toMatchObject([[{ rowId: 'other' }]])
  })

  it('[UNIQ1] where several wrote one value into a row, the last of these writes is shown', () => {
    expect(saidInAnyOrder([], [take('twice', 10), take('other', 20), take('twice', 30)])).toMatchObject([
      [{ rowId: 'other', rows: ['other', 'twice'] }],
    ])
  })

  it('[UNIQ1] a row in which nothing was written takes the default by its first change, in whatever order that comes', () => {
    const withDefault = defineSchema({
      version: 1,
      tables: { nodes: table({ code: f.string().default('x').unique() }) },
    })
    const insert = (id: string, ms: number) => (replica: Replica) =>
      void replica.write(START_MS + ms, replica.change(INSERT, id))
    const changes = [take('a', 30), insert('b', 20), take('c', 10), insert('d', 15)]
    expect(saidInAnyOrder([], changes, withDefault)).toMatchObject([[{ rowId: 'c', rows: ['c', 'd', 'b', 'a'] }]])
  })

  it('[UNIQ2] it is over where a row gives the value up or is deleted, and there again when it returns', () => {
    const { view, write, set } = open()
    set('a', 'code', 'x')
    set('b', 'code', 'x')
    expect(unique(view)).toMatchObject([{ rowId: 'a' }])
    set('a', 'code', 'y')
    expect(unique(view)).toEqual([])
    set('a', 'code', 'x')
    // It was given up: b holds it now.
    expect(unique(view)).toMatchObject([{ rowId: 'b' }])
    write(DELETE, 'b')
    expect(unique(view)).toEqual([])
    write(INSERT, 'b')
    expect(unique(view)).toMatchObject([{ rowId: 'b' }])
    set('a', 'code', null)
    set('b', 'code', null)
    expect(unique(view)).toEqual([])
    expect(view.openCount).toBe(0)
  })

  it('[UNIQ2] a reference that shows nothing, because its target is gone, takes no value', () => {
    const { view, write, set } = open()
    write(INSERT, 'target')
    set('a', 'cleared', 'target')
    set('b', 'cleared', 'target')
    expect(unique(view)).toMatchObject([{ field: 'cleared' }])
    write(DELETE, 'target')
    expect(unique(view)).toEqual([])
  })
})
