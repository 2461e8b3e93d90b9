/**
 * Hand-made malicious runs. In every case a forger writes: a good op, the case's ops, a good op. An honest author's ops and
 * the forger's batches come to readers in every order; all of them must judge alike, and as if the void ops were empty.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import type { DeviceId } from '../clock/dot.ts'
import { hlcFromMs } from '../clock/hlc.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { decodeBatch } from '../log/batch.ts'
import { positionsBetween } from '../laws/positions.ts'
import { Law } from '../op/law.ts'
import type { Shape } from '../op/run.ts'
import { MAX_GROUP_OPS } from '../op/run-codec.ts'
import { MAX_DEPTH, type Value } from '../op/value.ts'
import {
  createForger,
  createReplica,
  type ForgedBatch,
  type ForgedOp,
  permutations,
  type Replica,
  shapes,
  spliceBytes,
  START_MS,
} from '../testing/replicas.test-support.ts'

beforeAll(cryptoReady)

const T = hlcFromMs(START_MS)
const FIRST = T + 1_000
const BAD = T + 2_000
const LAST = T + 3_000
const MARKER = Uint8Array.from({ length: 24 }, (_, index) => 200 + index)

interface World {
  /** Its first op introduces the row 'honest' (its ordinal 0), its second gives it a title, above all of the forger's stamps. */
  readonly honest: DeviceId
  readonly forger: DeviceId
}

interface Case {
  readonly ops: (world: World) => readonly ForgedOp[]
  /** How many of them are void; all, where left out. */
  readonly voids?: number
  readonly edit?: (run: Uint8Array) => Uint8Array
}

/** What was written to the cells of a row. */
const valuesOf = (row: ReturnType<Replica['row']>) => row?.values.filter((value) => value !== undefined)

const title = (value: string | Uint8Array = 'forged'): ForgedOp['changes'] => [
  { shape: shapes.title, row: { id: 'victim' }, value },
]
const one = (op: Partial<ForgedOp>): readonly ForgedOp[] => [{ hlc: BAD, changes: title(), ...op }]
const otherTable = { ...shapes.title, table: 'lists' }

const fieldOf = (law: number, ...path: string[]) => ({ law, table: 'tasks', path: path.length === 0 ? ['x'] : path })
const life = fieldOf(Law.resolve, '')
const author = new Uint8Array(16)
const POSITION = positionsBetween(undefined, undefined, 1, { author: 'Ann', unique: 'x' })[0]

/** What each law does not take. */
const malformed: readonly (readonly [name: string, shape: Shape, value: Value])[] = [
  ['grow below 0', fieldOf(Law.grow), -1],
  ['grow by a fraction', fieldOf(Law.grow), 0.5],
  ['grow by text', fieldOf(Law.grow), '1'],
  ['put of what is no array', fieldOf(Law.put), 'x'],
  ['put of two values', fieldOf(Law.put), [1, 2]],
  ['put of bytes', fieldOf(Law.put), [{ a: new Uint8Array(1) }]],
  [
    'put that nests too deep with its path',
    fieldOf(Law.put, 'x', ...Array.from({ length: MAX_DEPTH }, () => 'k')),
    [{}],
  ],
  ['item without an id', fieldOf(Law.item), ['', POSITION, 'x']],
  ['item whose id is a number', fieldOf(Law.item), [1, POSITION, 'x']],
  ['item that is nothing but an id', fieldOf(Law.item), ['a']],
  ['item without place or value', fieldOf(Law.item), ['a', null]],
  ['item at what is no position', fieldOf(Law.item), ['a', 'here', 'x']],
  ['item of four parts', fieldOf(Law.item), ['a', POSITION, 'x', 'y']],
  ['item that is a map', fieldOf(Law.item), { id: 'a' }],
  ['drop of nothing', fieldOf(Law.drop), ''],
  ['drop of a number', fieldOf(Law.drop), 1],
  ['reopen of one candidate', fieldOf(Law.reopen), [[author, 1, 'x']]],
  ['reopen of too many candidates', fieldOf(Law.reopen), Array.from({ length: 4_097 }, () => [author, 1, 'x'])],
  [
    'reopen by a short author',
    fieldOf(Law.reopen),
    [
      [author, 1, 'x'],
      [author.subarray(1), 1, 'y'],
    ],
  ],
  [
    'reopen with a stamp below 0',
    fieldOf(Law.reopen),
    [
      [author, 1, 'x'],
      [author, -1, 'y'],
    ],
  ],
  [
    'reopen with a stamp that is none',
    fieldOf(Law.reopen),
    [
      [author, 1, 'x'],
      [author, 0.5, 'y'],
    ],
  ],
  ['resolve for a reason that is no text', fieldOf(Law.resolve), 1],
  ['resolve for a reason that is a book', fieldOf(Law.resolve), 'x'.repeat(2_001)],
  ['resolve of a life by text alone', life, 'why'],
  ['resolve of a life that counts below 0', life, ['why', -1, true]],
  ['resolve of a life that does not say how', life, ['why', 1, 'deleted']],
  ['resolve of a life with more to it', life, ['why', 1, true, 1]],
]

const tooDeep = (run: Uint8Array): Uint8Array => {
  const levels = Array.from({ length: MAX_DEPTH + 1 }, () => [8, 1]).flat()
  return spliceBytes(run, Uint8Array.of(7, MARKER.length, ...MARKER), Uint8Array.of(...levels, 0))
}

const cases: Record<string, Case> = {
  'OP5: a stamp that is the one of its predecessor': { ops: () => one({ hlc: FIRST }) },
  'OP5: a stamp below its predecessor': { ops: () => one({ hlc: 1 }) },
  'OP6: a group that counts more than the bound': {
    ops: () => [
      { hlc: BAD, groupLeft: MAX_GROUP_OPS + 1, changes: title() },
      { hlc: BAD, groupLeft: MAX_GROUP_OPS, changes: title() },
    ],
  },
  'OP5: a stamp that is the one of its head': {
    ops: ({ honest }) => one({ hlc: T, heads: [{ device: honest, seq: 1 }], changes: title() }),
  },
  'OP5: a stamp below its head': { ops: ({ honest }) => one({ heads: [{ device: honest, seq: 2 }] }) },
  'SEEN1: a head of its own': { ops: ({ forger }) => one({ heads: [{ device: forger, seq: 1 }] }) },
  'SEEN1: a head of its own that is still to come': {
    ops: ({ forger }) => one({ heads: [{ device: forger, seq: 99 }] }),
  },
  'ENV2: a handle to a row that it had not seen': {
    ops: ({ honest }) => one({ changes: [{ shape: shapes.title, row: { device: honest, ordinal: 0 }, value: 'x' }] }),
  },
  'ENV2: a handle to a row that nobody introduced': {
    ops: ({ honest }) =>
      one({
        heads: [{ device: honest, seq: 1 }],
        changes: [{ shape: shapes.title, row: { device: honest, ordinal: 2 ** 40 }, value: 'x' }],
      }),
  },
  'ENV2: a handle to a row that it introduces itself later': {
    ops: ({ forger }) =>
      one({
        changes: [
          { shape: shapes.title, row: { device: forger, ordinal: 1 }, value: 'x' },
          { shape: shapes.title, row: { id: 'victim' }, value: 'x' },
        ],
      }),
  },
  'ENV2: a handle to a row of another table': {
    ops: ({ forger }) => one({ changes: [{ shape: otherTable, row: { device: forger, ordinal: 0 }, value: 'x' }] }),
  },
  'ENV2: the same row, in another table': {
    ops: () => one({ changes: [...title()!, { shape: otherTable, row: 'same', value: 'x' }] }),
  },
  'CELL2: over an op that it had not seen': {
    ops: ({ honest }) =>
      one({
        changes: [{ shape: shapes.title, row: { id: 'honest' }, value: 'x', over: [{ device: honest, seq: 1 }] }],
      }),
  },
  'CELL2: over an op of its own that is still to come': {
    ops: ({ forger }) => one({ changes: [{ ...title()![0], over: [{ device: forger, seq: 3 }] }] }),
  },
  'CELL2: over itself': {
    ops: ({ forger }) => one({ changes: [{ ...title()![0], over: [{ device: forger, seq: 2 }] }] }),
  },
  'CELL2: over seq 0': {
    ops: ({ forger }) => one({ changes: [{ ...title()![0], over: [{ device: forger, seq: 0 }] }] }),
  },
  ...Object.fromEntries(
    // A seq beyond 2^32 must not become the ref of an op of another device, whose number is each reader's own.
    [1, 2, 3, 4].map((devices) => [
      `CELL2: over an op of its own beyond 2^32 (${devices})`,
      {
        ops: ({ forger, honest }: World) =>
          one({
            hlc: LAST - 1,
            heads: [{ device: honest, seq: 1 }],
            changes: [{ ...title()![0], over: [{ device: forger, seq: devices * 2 ** 32 + 1 }] }],
          }),
      },
    ]),
  ),
  'OP7: an increment by a fraction': {
    ops: () => one({ changes: [{ shape: shapes.votes, row: { id: 'victim' }, value: 0.5 }] }),
  },
  'OP7: an increment by text, after a good one': {
    ops: () =>
      one({
        changes: [
          { shape: shapes.votes, row: { id: 'victim' }, value: 1 },
          { shape: shapes.votes, row: 'same', value: '1' },
        ],
      }),
  },
  'OP7: an increment by null': { ops: () => one({ changes: [{ shape: shapes.votes, row: { id: 'victim' } }] }) },
  ...Object.fromEntries(
    malformed.map(([name, shape, value]) => [
      `OP7: ${name}`,
      { ops: () => one({ changes: [{ shape, row: { id: 'victim' }, value }] }) },
    ]),
  ),
  'OP7: a good insert, then a malformed element of a list': {
    ops: () =>
      one({
        changes: [
          { shape: shapes.insert, row: { id: 'victim' } },
          { shape: fieldOf(Law.item), row: 'same', value: [] },
        ],
      }),
  },
  'CELL6: an erasure beside a malformed change': {
    ops: () =>
      one({
        changes: [
          { shape: { law: Law.erase, table: 'tasks', path: [] }, row: { id: 'victim' } },
          { shape: shapes.votes, row: 'same', value: 0.5 },
        ],
      }),
  },
  'CELL2: a deletion over an op that it had not seen': {
    ops: ({ honest }) =>
      one({ changes: [{ shape: shapes.delete, row: { id: 'honest' }, over: [{ device: honest, seq: 1 }] }] }),
  },
  'CONF3: settling an op that it had not seen': {
    ops: ({ honest }) =>
      one({
        changes: [
          { shape: fieldOf(Law.resolve), row: { id: 'victim' }, value: '', over: [{ device: honest, seq: 1 }] },
          { shape: fieldOf(Law.set), row: 'same', value: 'x' },
        ],
      }),
  },
  'OP7: an op of more than 256 KiB': { ops: () => one({ changes: title('x'.repeat(256 * 1024)) }) },
  'OP7: many changes that are more than 256 KiB together': {
    ops: () =>
      one({
        changes: Array.from({ length: 30_000 }, (_, index) => ({
          shape: shapes.title,
          row: index === 0 ? { id: 'victim' } : 'same',
          value: 'x',
        })),
      }),
  },
  'OP7: an event of more than 256 KiB': {
    ops: () => one({ event: { name: 'moved', value: 'x'.repeat(256 * 1024) } }),
  },
  'OP7: a value 65 deep': { ops: () => one({ changes: title(MARKER) }), edit: tooDeep },
  'OP7: an event 65 deep': { ops: () => one({ event: { name: 'moved', value: MARKER } }), edit: tooDeep },
  'OP6: a group that stops early': {
    ops: () => [
      { hlc: BAD, groupLeft: 3, changes: title() },
      { hlc: BAD, groupLeft: 2, changes: title() },
    ],
  },
  'OP6: a group that starts anew before its end': {
    ops: () => [
      { hlc: BAD, groupLeft: 3, changes: title() },
      { hlc: BAD + 1, groupLeft: 2, changes: [{ shape: shapes.title, row: { id: 'good group' }, value: 'x' }] },
      { hlc: BAD + 1, groupLeft: 1, changes: [{ shape: shapes.done, row: { id: 'good group' }, value: true }] },
    ],
    // The second op continues the countdown and is not taken for a start: all three are one group of mixed stamps.
    voids: 3,
  },
  'OP6: a group, cut short by another that is whole': {
    ops: () => [
      { hlc: BAD, groupLeft: 3, changes: title() },
      { hlc: BAD + 1, groupLeft: 4, changes: title() },
      { hlc: BAD + 2, groupLeft: 2, changes: [{ shape: shapes.title, row: { id: 'good group' }, value: 'x' }] },
      { hlc: BAD + 2, groupLeft: 1, changes: [{ shape: shapes.done, row: { id: 'good group' }, value: true }] },
    ],
    voids: 2,
  },
  'OP6: a group whose countdown skips': {
    ops: () => [
      { hlc: BAD, groupLeft: 3, changes: title() },
      { hlc: BAD, groupLeft: 1, changes: title() },
    ],
  },
  'OP6: a group whose countdown stands still': {
    ops: () => [2, 2, 1].map((groupLeft, index) => ({ hlc: BAD + index, groupLeft, changes: title() })),
    voids: 3,
  },
  'OP6: a group of mixed stamps': {
    ops: () => [2, 1].map((groupLeft) => ({ hlc: BAD + 2 - groupLeft, groupLeft, changes: title() })),
  },
  'OP6: a group whose second op names heads': {
    ops: ({ honest }) =>
      [2, 1].map((groupLeft) => ({
        hlc: BAD,
        groupLeft,
        changes: title(),
        heads: groupLeft === 1 ? [{ device: honest, seq: 1 }] : [],
      })),
  },
  'OP6: a group with one void op': {
    ops: () => [
      { hlc: BAD, groupLeft: 2, changes: title() },
      { hlc: BAD, groupLeft: 1, changes: [{ shape: shapes.votes, row: { id: 'victim' }, value: 0.5 }] },
    ],
  },
  'OP6: a group of one': { ops: () => one({ groupLeft: 1 }) },
}

const createWorld = () => {
  const honest = createReplica(1)
  honest.write(START_MS, honest.change(shapes.title, 'honest', 'honest'))
  // The same millisecond: the honest author's first op has the stamp T.
  const first = honest.seal()
  honest.write(START_MS + 10, honest.change(shapes.done, 'honest', true))
  return { honest, batches: [...first, ...honest.seal()] }
}

/** The forger's batches: a good op, those of the case, a good op that uses a row of the first. */
const forge = (honest: Replica, world: World, ops: readonly ForgedOp[], options: ForgedBatch): Uint8Array[] => {
  const forger = createForger(2)
  const chain = honest.log.chain
  const good = forger.seal([{ hlc: FIRST, changes: [{ shape: shapes.title, row: { id: 'good' }, value: 'first' }] }])
  const bad = forger.seal(ops, { chain, ...options })
  const last = forger.seal([
    { hlc: LAST, changes: [{ shape: shapes.title, row: { device: world.forger, ordinal: 0 }, value: 'last' }] },
  ])
  return [good, bad, last].map(({ bytes }) => bytes)
}

describe('void ops', () => {
  it.each(Object.entries(cases))('[OP7] %s: void for all, in any order of arrival', (_, { ops, voids, edit }) => {
    const { honest, batches } = createWorld()
    const world = { honest: honest.device, forger: createForger(2).device }
    const forged = ops(world)
    const hostile = forge(honest, world, forged, { edit })
    const expectedVoids = voids ?? forged.length
    const seq = 2 + forged.length

    // The same history with the void ops empty; those after them stay.
    const emptied = forged.map((op, index) => (index < expectedVoids ? { hlc: BAD - expectedVoids + index } : op))
    const twin = createReplica(60)
    for (const bytes of [...batches, ...forge(honest, world, emptied, {})]) twin.receive(bytes)
    expect(twin.projector.voidCount).toBe(0)

    const orders = permutations(['h', 'h', 'f', 'f', 'f']).map((order) => order.join(''))
    const readers = [...new Set(orders)].map((order, index) => {
      const reader = createReplica(100 + index)
      const queues = { h: [...batches], f: [...hostile] }
      for (const from of order) reader.receive(queues[from as 'h' | 'f'].shift()!)
      return reader
    })
    for (const reader of readers) {
      expect(reader.log.backlog()).toMatchObject({ waiting: 0, parked: 0, locked: 0 })
      expect(reader.projector.voidCount).toBe(expectedVoids)
      expect(reader.projected(world.forger)).toBe(seq)
      expect(reader.row('victim')?.touches ?? []).toEqual([])
      expect(valuesOf(reader.row('good'))).toEqual(['last'])
      expect(reader.digest()).toBe(readers[0].digest())
    }
    expect(valuesOf(twin.row('good'))).toEqual(['last'])
    expect(twin.digest()).toBe(readers[0].digest())

    // Who goes on from there is understood by all, however its clock stands.
    const follower = readers[0]
    follower.write(0, follower.change(shapes.title, 'good', 'follower'))
    follower.write(0, follower.change(shapes.title, 'victim', 'follower'))
    const [reply] = follower.seal()
    for (const reader of readers.slice(1)) {
      reader.receive(reply)
      expect(reader.projector.voidCount).toBe(expectedVoids)
      expect(reader.digest()).toBe(follower.digest())
    }
  })

  it('[OP5] who writes after a void op that is the last of all is stamped above it', () => {
    const forger = createForger(2)
    const good = forger.seal([{ hlc: LAST, changes: title('good') }])
    const bad = forger.seal([{ hlc: LAST, changes: title('bad') }])
    const [reader, other] = [createReplica(3), createReplica(4)]
    for (const replica of [reader, other]) for (const { bytes } of [good, bad]) replica.receive(bytes)
    // Its clock is behind, so the stamp comes from what it has projected.
    reader.write(0, reader.change(shapes.title, 'victim', 'reply'))
    other.receive(reader.seal()[0])
    expect([reader.projector.voidCount, other.projector.voidCount]).toEqual([1, 1])
    expect(valuesOf(other.row('victim'))).toEqual(['reply'])
    expect(other.digest()).toBe(reader.digest())
  })

  it('[SEEN1] a head that its predecessor had seen makes an op void', () => {
    const honest = createReplica(1)
    honest.write(START_MS, honest.change(shapes.title, 'x', 'honest'))
    const [batch] = honest.seal()
    const forger = createForger(2)
    const heads = [{ device: honest.device, seq: 1 }]
    const reader = createReplica(3)
    reader.receive(batch)
    const forged = forger.seal(
      [
        { hlc: BAD, heads },
        { hlc: BAD + 1, heads, changes: title() },
      ],
      { references: [reader.log.chain.covering(honest.device, 1)!, reader.log.chain.covering(honest.device, 1)!] },
    )
    reader.receive(forged.bytes)
    expect(reader.projected(forger.device)).toBe(2)
    expect(reader.projector.voidCount).toBe(1)
  })

  it('[ENV2] a row that a void op introduces counts for handles', () => {
    const forger = createForger(2)
    const void1 = forger.seal([{ hlc: FIRST, changes: [{ shape: shapes.votes, row: { id: 'x' }, value: 0.5 }] }])
    const good = forger.seal([{ hlc: BAD, changes: [{ shape: shapes.title, row: { id: 'y' }, value: 'y' }] }])
    const uses = forger.seal([
      { hlc: LAST, changes: [{ shape: shapes.title, row: { device: forger.device, ordinal: 1 }, value: 'by handle' }] },
      { hlc: LAST + 1, changes: [{ shape: shapes.title, row: { device: forger.device, ordinal: 0 }, value: 'x' }] },
    ])
    const reader = createReplica(3)
    for (const { bytes } of [void1, good, uses]) reader.receive(bytes)
    expect(reader.projector.voidCount).toBe(1)
    expect(valuesOf(reader.row('y'))).toEqual(['by handle'])
    expect(valuesOf(reader.row('x'))).toContain('x')
  })

  it('[OP7] a void op counts as having seen only its predecessor', () => {
    const honest = createReplica(1)
    honest.write(START_MS, honest.change(shapes.title, 'x', 'honest'))
    const batch = honest.seal()[0]
    const forger = createForger(2)
    const bad = forger.seal(
      [{ hlc: BAD, heads: [{ device: honest.device, seq: 1 }], changes: [{ shape: shapes.votes, row: { id: 'x' } }] }],
      { chain: honest.log.chain },
    )
    const later = forger.seal([{ hlc: LAST, changes: [{ shape: shapes.title, row: { id: 'x' }, value: 'forged' }] }])
    const reader = createReplica(3)
    for (const bytes of [batch, bad.bytes, later.bytes]) reader.receive(bytes)
    expect(reader.projector.voidCount).toBe(1)
    // Concurrent: the later op had not seen the honest one.
    expect([...reader.projector.cells.contested].map(({ id }) => id)).toEqual(['x'])
  })

  it('[CELL1] fields with hostile names are cells of their own, in any order of arrival', () => {
    const paths = [
      ['["a","b"]\u0000'],
      ['["a","b"]'],
      ['/["a","b"]'],
      ['a,b'],
      ['a\u0000b'],
      ['__proto__'],
      ['constructor'],
    ]
    const authors = paths.map((path, index) => {
      const forger = createForger(10 + index)
      const shape = { ...shapes.title, path }
      return forger.seal([{ hlc: T + index, changes: [{ shape, row: { id: 'x' }, value: `value ${index}` }] }]).bytes
    })
    const forwards = createReplica(1)
    const backwards = createReplica(2)
    for (const bytes of authors) forwards.receive(bytes)
    for (const bytes of authors.toReversed()) backwards.receive(bytes)
    const row = forwards.projector.cells.table('tasks').rows.get('x')!
    expect(row.refs.every((ref) => ref > 0)).toBe(true)
    expect(forwards.projector.cells.table('tasks').columns).toHaveLength(paths.length)
    expect(backwards.digest()).toBe(forwards.digest())
  })

  it('[CELL1] tables and rows named like properties of objects are ordinary', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
    const forger = createForger(2)
    const changes = names.map((table) => ({
      shape: { ...shapes.title, table },
      row: { id: table },
      value: { [table]: 1 },
    }))
    const reader = createReplica(3)
    reader.receive(forger.seal([{ hlc: T, changes }]).bytes)
    for (const table of names) expect(reader.row(table, table)?.touches).toHaveLength(1)
    expect(reader.digest()).toHaveLength(128)
    expect(Object.keys(Object.prototype)).toEqual([])
  })

  it('[SEEN1] a head that does not exist holds back its author alone', () => {
    const { honest, batches } = createWorld()
    const forger = createForger(2)
    const ops = [{ hlc: LAST, heads: [{ device: honest.device, seq: 2 ** 40 }], changes: title() }]
    const bad = forger.seal(ops, { references: [new Uint8Array(32)] })
    const reader = createReplica(3)
    for (const bytes of [bad.bytes, ...batches]) reader.receive(bytes)
    expect(reader.projected(honest.device)).toBe(2)
    expect(reader.projected(forger.device)).toBe(0)
    expect(reader.log.backlog().waiting).toBe(1)
    expect(decodeBatch(bad.bytes).header.toSeq).toBe(1)
  })
})
