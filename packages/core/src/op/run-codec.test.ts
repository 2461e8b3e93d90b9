import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DeviceId, deviceIdFromBytes, type Dot } from '../clock/dot.ts'
import { ByteWriter } from '../codec/bytes.ts'
import { codeOf, forgeRun, shapes, spliceBytes } from '../testing/replicas.test-support.ts'
import { Author, byRow, type NewChange, type OpContext } from './author.ts'
import { LAST_KNOWN_LAW, Law } from './law.ts'
import { type AppEvent, opCount, type Run, type Shape } from './run.ts'
import { decodeRun, encodeRun, MAX_OP_BYTES } from './run-codec.ts'
import type { Value } from './value.ts'

const deviceOf = (number: number): DeviceId => deviceIdFromBytes(new Uint8Array(16).fill(number))
const AUTHOR = deviceOf(0)
const MANY = 1_000

interface Mutation {
  readonly changes: readonly NewChange[]
  readonly context: OpContext
  readonly event: AppEvent | undefined
}

const allShapes: readonly Shape[] = [
  ...Object.values(shapes),
  { law: Law.set, table: 'ünïcode', path: ['élan'] },
  { law: Law.set, table: 'tasks', path: ['__proto__'] },
]
const valueOf = (shape: Shape): fc.Arbitrary<Value> =>
  shape.path.length === 0
    ? fc.constant(null)
    : shape.law === Law.increment
      ? fc.maxSafeInteger().map((whole) => whole || 0)
      : fc.oneof(
          fc.string({ maxLength: 12 }),
          fc.string({ unit: 'grapheme', maxLength: 12 }),
          fc.integer(),
          fc.boolean(),
          fc.uint8Array({ maxLength: 5 }),
          fc.constantFrom<Value>(null, [1, 'two'], { k: [] }, 'a'.repeat(300), 0.5),
        )

const device = fc.integer({ min: 1, max: 30 }).map(deviceOf)
const dot: fc.Arbitrary<Dot> = fc.record({
  device,
  seq: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constant(2 ** 40)),
})
const change: fc.Arbitrary<NewChange> = fc.constantFrom(...allShapes).chain((shape) =>
  fc.record({
    shape: fc.constant(shape),
    rowId: fc.constantFrom('row 1', 'row 2', 'zeile ü'),
    handle: fc.option(fc.record({ device: fc.oneof(device, fc.constant(AUTHOR)), ordinal: fc.nat(500) }), {
      nil: undefined,
    }),
    value: valueOf(shape),
    over:
      shape.law === Law.set
        ? fc.option(fc.array(dot, { maxLength: 3 }), { nil: undefined, freq: 4 })
        : fc.constant(undefined),
  }),
)
const mutation = fc.record({
  changes: fc.array(change, { maxLength: 5 }),
  heads: fc.array(dot, { maxLength: 3 }),
  step: fc.integer({ min: 1, max: 5_000_000 }),
  schemaVersion: fc.nat(2),
  event: fc.option(fc.record({ name: fc.constantFrom('moved', 'élan'), value: valueOf(shapes.title) }), {
    nil: undefined,
    freq: 5,
  }),
})
const mutations: fc.Arbitrary<Mutation[]> = fc.array(mutation, { minLength: 1, maxLength: 12 }).map((list) => {
  let hlc = 10 ** 15
  return list.map(({ changes, heads, step, schemaVersion, event }) => {
    hlc += step
    return { changes, event, context: { hlc, heads, schemaVersion } }
  })
})

const write = (list: readonly Mutation[], fromSeq: number): Run => {
  const author = new Author(AUTHOR, fromSeq)
  for (const { changes, context, event } of list) {
    const op = opCount(author.run)
    author.append(byRow(changes), context)
    if (event !== undefined) author.run.events.set(op, event)
  }
  return author.run
}

/** What a run says, free of how its dictionaries are numbered. */
const contentOf = (run: Run) => ({
  fromSeq: run.fromSeq,
  keyEpoch: run.keyEpoch,
  columns: [run.hlc, run.schemaVersion, run.membership, run.groupLeft, run.headEnd, run.changeEnd],
  heads: run.headSeq.map((seq, head) => ({ device: run.devices[run.headDevice[head]], seq })),
  changes: run.shape.map((shape, index) => ({
    shape: run.shapes[shape],
    row: run.rowKind[index] < 2 ? run.rowKind[index] : run.devices[run.rowKind[index] - 2],
    ordinal: run.rowOrdinal[index],
    rowId: run.rowId[index],
    value: run.shapes[shape].path.length === 0 ? null : run.value[index],
    over: run.over.get(index),
  })),
  events: [...run.events],
})

/** A mutated run decodes to a run with exactly those bytes, or is refused with one of two codes. */
const checkHostile = (bytes: Uint8Array): void => {
  const code = codeOf(() => {
    const run = decodeRun(bytes, AUTHOR, MANY)
    if (run.voids.size === 0 && Buffer.compare(encodeRun(run), bytes) !== 0) expect(encodeRun(run)).toEqual(bytes)
  })
  if (code !== 'ok' && code !== 'FORMAT_UNKNOWN') expect(code).toBe('MALFORMED')
}

describe('run codec', () => {
  it('[OP2] random runs come back as they were written', () => {
    fc.assert(
      fc.property(mutations, fc.integer({ min: 1, max: 2 ** 40 }), (list, fromSeq) => {
        const run = write(list, fromSeq)
        const bytes = encodeRun(run)
        const read = decodeRun(bytes, AUTHOR, MANY)
        expect(contentOf(read)).toEqual(contentOf(run))
        expect(encodeRun(read)).toEqual(bytes)
      }),
      { numRuns: 100 },
    )
  })

  it('[OP3] a part of a run has the bytes that a fresh author would have made of its ops', () => {
    fc.assert(
      fc.property(mutations, fc.nat(), fc.nat(), (list, a, b) => {
        const run = write(list, 7)
        const from = a % list.length
        const to = from + 1 + (b % (list.length - from))
        expect(encodeRun(run, from, to)).toEqual(encodeRun(write(list.slice(from, to), 7 + from)))
      }),
      { numRuns: 100 },
    )
  })

  it('[OP6] a mutation too large for one op becomes a group of ops that counts down, with heads on the first', () => {
    const large = (index: number): NewChange => ({
      shape: shapes.title,
      rowId: `row ${index}`,
      handle: undefined,
      value: 'x'.repeat(100_000),
    })
    const author = new Author(AUTHOR, 1)
    const heads = [{ device: deviceOf(1), seq: 4 }]
    expect(author.append(byRow([0, 1, 2, 3, 4].map(large)), { hlc: 5, heads, schemaVersion: 1 })).toBe(3)
    author.append(byRow([{ ...large(9), value: 1 }]), { hlc: 6, heads: [], schemaVersion: 1 })
    const run = decodeRun(encodeRun(author.run), AUTHOR, MANY)
    expect(run.groupLeft).toEqual([3, 2, 1, 0])
    expect(run.headEnd).toEqual([1, 1, 1, 1])
    expect(run.hlc).toEqual([5, 5, 5, 6])
    expect(Math.max(...run.opBytes)).toBeLessThanOrEqual(MAX_OP_BYTES)
    expect(contentOf(run)).toEqual(contentOf(author.run))
  })

  it('[OP7] what the author counts of an op is never below what a reader counts', () => {
    fc.assert(
      fc.property(mutations, (list) => {
        const run = write(list, 1)
        run.events.clear()
        const read = decodeRun(encodeRun(run), AUTHOR, MANY)
        read.opBytes.forEach((bytes, op) => expect(bytes).toBeLessThanOrEqual(run.opBytes[op]))
      }),
    )
  })

  it('[ENV5] a byte more, less or other: refused as MALFORMED or FORMAT_UNKNOWN, or another well-formed run', () => {
    fc.assert(
      fc.property(mutations, (list) => {
        const bytes = encodeRun(write(list, 1))
        for (let at = 0; at < bytes.length; at++) {
          const flipped = bytes.slice()
          flipped[at] ^= 1 << (at % 8)
          checkHostile(flipped)
          flipped[at] = bytes[at] ^ 0x80
          checkHostile(flipped)
          if (at % 7 === 0) checkHostile(bytes.slice(0, at))
        }
        checkHostile(Uint8Array.of(...bytes, 0))
      }),
      { numRuns: 8 },
    )
  })

  it('[ENV5] noise after a well-formed start', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        checkHostile(Uint8Array.of(1, 1, 0, 1, ...noise))
        checkHostile(Uint8Array.of(1, 1, 0, 1, 0, 1, 0, 1, 2, 1, 0x74, 1, 1, 0x66, ...noise))
      }),
      { numRuns: 800 },
    )
  })

  const START = [1, 1, 0] // format, fromSeq, key epoch
  const HUGE = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f] // 2^53 - 1
  it.each([
    ['more ops than its batch announces', [...START, ...HUGE, 0, 0]],
    ['2^53 heads', [...START, 1, ...HUGE, 0, 0, 0]],
    ['2^53 changes', [...START, 1, 0, ...HUGE, 0, 0]],
    ['2^53 devices', [...START, 1, 0, 0, ...HUGE]],
    ['2^53 shapes', [...START, 1, 0, 0, 0, ...HUGE]],
    ['2^53 keys in a path', [...START, 1, 0, 0, 0, 1, 2, 1, 0x74, ...HUGE]],
    ['2^53 repetitions', [...START, 1, 0, 0, 0, 0, 5, 1, ...HUGE]],
    ['no repetitions', [...START, 1, 0, 0, 0, 0, 5, 1, 0]],
    ['equal repetitions in two parts', [...START, 2, 0, 0, 0, 0, 5, 1, 1, 1, 1, 1, 0, 2, 0, 2, 0, 2, 0, 2, 0, 0]],
    ['no ops', [...START, 0, 0, 0, 0, 0]],
    ['seq 0', [1, 0, 0, 1, 0, 0, 0, 0, 5, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0]],
  ])('[ENV5] %s: MALFORMED at once', (_, bytes) => {
    expect(codeOf(() => decodeRun(Uint8Array.from([...bytes, ...new Uint8Array(60)]), AUTHOR, MANY))).toBe('MALFORMED')
  })

  const twoHeads = (first: Dot, second: Dot): Uint8Array =>
    encodeRun(forgeRun(AUTHOR, 1, [{ hlc: 5, heads: [first, second] }]))

  it('[OP2] a dictionary that names a device twice, out of order or for nothing is MALFORMED', () => {
    const [one, two, three] = [1, 2, 3].map((number) => new Uint8Array(16).fill(number))
    const bytes = twoHeads({ device: deviceOf(1), seq: 1 }, { device: deviceOf(2), seq: 1 })
    expect(codeOf(() => decodeRun(bytes, AUTHOR, MANY))).toBe('ok')
    expect(codeOf(() => decodeRun(spliceBytes(bytes, two, three), AUTHOR, MANY))).toBe('ok')
    expect(codeOf(() => decodeRun(spliceBytes(bytes, two, one), AUTHOR, MANY))).toBe('MALFORMED')
    const headColumn = Uint8Array.of(0, 2, 1, 2, 0, 0)
    const swapped = spliceBytes(bytes, headColumn, Uint8Array.of(1, 2, 0, 2, 0, 0))
    expect(codeOf(() => decodeRun(swapped, AUTHOR, MANY))).toBe('MALFORMED')
    const unused = spliceBytes(bytes, headColumn, Uint8Array.of(0, 2, 0, 2, 0, 0))
    expect(codeOf(() => decodeRun(unused, AUTHOR, MANY))).toBe('MALFORMED')
  })

  it('[SEEN3] another format, or a law of a newer release: FORMAT_UNKNOWN', () => {
    const bytes = encodeRun(
      forgeRun(AUTHOR, 1, [{ hlc: 5, changes: [{ shape: shapes.title, row: { id: 'x' }, value: 1 }] }]),
    )
    expect(codeOf(() => decodeRun(Uint8Array.of(2, ...bytes.subarray(1)), AUTHOR, MANY))).toBe('FORMAT_UNKNOWN')
    const shape = new ByteWriter().varint(Law.set).string('tasks').finish()
    const newer = new ByteWriter()
      .varint(LAST_KNOWN_LAW + 1)
      .string('tasks')
      .finish()
    expect(codeOf(() => decodeRun(spliceBytes(bytes, shape, newer), AUTHOR, MANY))).toBe('FORMAT_UNKNOWN')
  })

  it('[SEEN3] what later laws will read in their own way is of a newer format today: paths, `over` of other laws', () => {
    const decoding = (shape: Shape, over?: readonly Dot[]): string =>
      codeOf(() =>
        decodeRun(
          encodeRun(forgeRun(AUTHOR, 1, [{ hlc: 5, changes: [{ shape, row: { id: 'x' }, value: 1, over }] }])),
          AUTHOR,
          MANY,
        ),
      )
    const dots = [{ device: deviceOf(3), seq: 1 }]
    expect(decoding(shapes.title, dots)).toBe('ok')
    expect(decoding(shapes.delete, dots)).toBe('ok')
    expect(decoding({ law: Law.put, table: 'tasks', path: ['meta', 'color'] })).toBe('ok')
    expect(decoding(shapes.insert, dots)).toBe('FORMAT_UNKNOWN')
    expect(decoding(shapes.votes, dots)).toBe('FORMAT_UNKNOWN')
    expect(decoding({ ...shapes.title, path: ['meta', 'color'] })).toBe('FORMAT_UNKNOWN')
  })

  it('[OP2] an increment that is no whole number, and a row id that is empty or too long, are refused at the mutation', () => {
    const author = new Author(AUTHOR, 1)
    const context = { hlc: 5, heads: [], schemaVersion: 1 }
    const refused = (part: Partial<NewChange>): string =>
      codeOf(() =>
        author.append(byRow([{ shape: shapes.title, rowId: 'x', handle: undefined, value: 1, ...part }]), context),
      )
    expect(refused({ shape: shapes.votes, value: 0.5 })).toBe('VALUE_INVALID')
    expect(refused({ shape: shapes.votes, value: '1' })).toBe('VALUE_INVALID')
    expect(refused({ rowId: '' })).toBe('VALUE_INVALID')
    expect(refused({ rowId: 'x'.repeat(129) })).toBe('VALUE_INVALID')
    expect(refused({ rowId: '\ud800' })).toBe('VALUE_INVALID')
    expect(refused({ value: 'x'.repeat(MAX_OP_BYTES) })).toBe('TOO_LARGE')
    expect(opCount(author.run)).toBe(0)
  })

  it('[ENV5] 10,000 devices, each named in three `over`, decode without a search for each', () => {
    const heads = Array.from({ length: 10_000 }, (_, index) => {
      const bytes = new Uint8Array(16)
      new DataView(bytes.buffer).setUint32(0, index)
      return { device: deviceIdFromBytes(bytes), seq: 1 }
    })
    const over = [...heads, ...heads, ...heads]
    const bytes = encodeRun(
      forgeRun(AUTHOR, 1, [{ hlc: 5, heads, changes: [{ shape: shapes.title, row: { id: 'x' }, over }] }]),
    )
    expect(decodeRun(bytes, AUTHOR, MANY).over.get(0)).toHaveLength(30_000)
  })
})
