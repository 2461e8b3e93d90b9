/**
 * The golden vectors, made anew from fixed seeds by the code as it is. `vectors.test.ts` compares them with those on file.
 * Append to a list to add a case; a case that is on file stays as it is for ever.
 */
import {
  type BatchHeader,
  branchId,
  type CounterTotal,
  type DeviceId,
  encodeHeader,
  encodeTips,
  encodeVector,
  firstTagOf,
  hash,
  hlcFromMs,
  hlcToMs,
  Law,
  makeCertificate,
  positionsBetween,
  reopenedValue,
  type Row,
  type Shape,
  signingKeysFromSeed,
  tagKey,
  UNENCRYPTED_EPOCH_KEY,
  type Value,
  type Write,
} from '@driftlog/core'
import { deviceOfRef, seqOfRef } from '../../packages/core/src/op/dot-ref.ts'
import { deviceIdFromBytes, deviceIdToBytes } from '../../packages/core/src/clock/dot.ts'
import { toCoarse } from '../../packages/core/src/clock/hlc.ts'
import { ByteWriter } from '../../packages/core/src/codec/bytes.ts'
import { chainNext, chainStart, chainTag } from '../../packages/core/src/crypto/chain.ts'
import { decodeBatch, encodeShifts } from '../../packages/core/src/log/batch.ts'
import { HANDLE, NEW_ROW, type Run, SAME_ROW } from '../../packages/core/src/op/run.ts'
import { encodeRun } from '../../packages/core/src/op/run-codec.ts'
import { writeValue } from '../../packages/core/src/op/value.ts'
import { composedLaw } from '../../packages/core/src/laws/cell-laws.ts'
import { isLive } from '../../packages/core/src/laws/life.ts'
import {
  createForger,
  createReplica,
  forgeRun,
  hexOf,
  identityOf,
  type Replica,
  SPACE,
  shapes,
  START_MS,
} from '../../packages/core/src/testing/replicas.test-support.ts'
import { makeTestDevice, makeTestHistory, mergeTestBatches, type TestBatch } from '@driftlog/testkit'
import { makeFrames } from './make-frames.ts'
import { makeMembers } from './make-members.ts'

const T = hlcFromMs(START_MS)

/** A value in JSON: bytes, which JSON lacks, as `{ "$bytes": hex }`. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue }

export const toJson = (value: Value): JsonValue => {
  if (value instanceof Uint8Array) return { $bytes: hexOf(value) }
  if (Array.isArray(value)) return (value as readonly Value[]).map(toJson)
  if (typeof value !== 'object' || value === null) return value as JsonValue
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item as Value)]))
}

export const fromJson = (json: JsonValue): Value => {
  if (Array.isArray(json)) return json.map(fromJson)
  if (typeof json !== 'object' || json === null) return json
  if (typeof json.$bytes === 'string') return Uint8Array.from(Buffer.from(json.$bytes, 'hex'))
  const map: Record<string, Value> = {}
  for (const [key, item] of Object.entries(json)) {
    Object.defineProperty(map, key, { value: fromJson(item), enumerable: true, writable: true, configurable: true })
  }
  return map
}

const values: readonly Value[] = [
  null,
  false,
  true,
  0,
  111,
  112,
  255,
  16_384,
  2 ** 32,
  Number.MAX_SAFE_INTEGER,
  -1,
  -128,
  Number.MIN_SAFE_INTEGER,
  0.5,
  -1e-7,
  5e-324,
  '',
  'a',
  'x'.repeat(127),
  'x'.repeat(128),
  'Ünïcödé 漢字 🦊 \u0000\ufeff',
  new Uint8Array(0),
  Uint8Array.of(0, 127, 128, 255),
  [],
  [1, [2, []]],
  {},
  // Keys in the order of UTF-16 code units, not of code points or bytes: the fox (a surrogate pair) stands before U+FF21.
  { b: 1, a: { '': null }, B: [true], Ａ: 2, '🦊': 3 },
]

/** Bytes that no reader may accept as a value. */
const notValues: Readonly<Record<string, string>> = {
  NaN: '057ff8000000000000',
  Infinity: '057ff0000000000000',
  'minus zero': '058000000000000000',
  'an integer as a float': '053ff0000000000000',
  'a small integer in the long form': '0305',
  'a padded integer': '03f08000',
  '2^53': '038080808080808010',
  '-2^53': '04ffffffffffffff0f',
  'short ASCII text in the long form': '060161',
  'a surrogate in UTF-8': '0603eda080',
  'an overlong character': '0602c181',
  'text beyond ASCII in the short form': '81c3',
  'keys out of order': '0902816200816100',
  'a key twice': '0902816100816100',
  'an unknown tag': '0a',
}

const encodeValue = (value: Value): string => {
  const writer = new ByteWriter()
  writeValue(writer, value)
  return hexOf(writer.finish())
}

const stampsOf = [START_MS, START_MS + 0.9, Date.UTC(2020, 0, 1), 0, Date.UTC(2089, 0, 1)]

const makeClock = () => ({
  stamps: stampsOf.map((ms) => ({
    ms,
    stamp: hlcFromMs(ms),
    backMs: hlcToMs(hlcFromMs(ms)),
    coarse: toCoarse(hlcFromMs(ms)),
  })),
  vectors: [[], [1], [1, 200, 70_000, 2 ** 40]].map((seqs) => {
    // Ids whose order as text is not the order of their bytes: '-' and '_' stand elsewhere in ASCII than in base64url.
    const firstBytes = [0xfb, 0xff, 0x00, 0xd0]
    const vector = new Map<DeviceId, number>()
    seqs.forEach((seq, index) => vector.set(deviceIdFromBytes(new Uint8Array(16).fill(firstBytes[index])), seq))
    return { entries: [...vector], hex: hexOf(encodeVector(vector)) }
  }),
  // Of a tag, its first 8 bytes.
  tips: [[], [1, 300]].map((seqs) => {
    const tips = seqs.map((seq, index) => {
      const branch = deviceIdFromBytes(new Uint8Array(16).fill(0xff - index))
      return [branch, { seq, tag: Uint8Array.from({ length: 16 }, (_, at) => at + index) }] as const
    })
    return {
      entries: tips.map(([branch, { seq, tag }]) => [branch, seq, hexOf(tag)]),
      hex: hexOf(encodeTips(new Map(tips))),
    }
  }),
})

const makeCrypto = () => {
  const seed = new Uint8Array(32).fill(7)
  const installationSeed = new Uint8Array(32).fill(9)
  const keys = signingKeysFromSeed(seed)
  const installation = signingKeysFromSeed(installationSeed)
  const { device } = identityOf(1)
  const certificate = makeCertificate(SPACE, keys.publicKey, installation)
  const replacing = makeCertificate(SPACE, keys.publicKey, installation, device)
  const start = chainStart(SPACE, certificate)
  const shifts = [{ device, base: 300, firstTag: tagOf(6), shift: 4_096_000, floor: T }]
  const run = encodeRun(forgeRun(device, 1, [{ hlc: T }]))
  const references = [hash(Uint8Array.of(1)), hash(Uint8Array.of(2))]
  const key = tagKey(UNENCRYPTED_EPOCH_KEY, SPACE, device)
  const next = chainNext(start, run, references)
  return {
    space: SPACE,
    seed: hexOf(seed),
    publicKey: hexOf(keys.publicKey),
    installationSeed: hexOf(installationSeed),
    installationKey: hexOf(installation.publicKey),
    certificate: hexOf(certificate),
    replacedDevice: device,
    certificateThatReplaces: hexOf(replacing),
    chainStart: hexOf(start),
    shifts: hexOf(encodeShifts(shifts)),
    chainStartWithShifts: hexOf(chainStart(SPACE, certificate, encodeShifts(shifts))),
    run: hexOf(run),
    references: references.map(hexOf),
    chainNext: hexOf(next),
    tagDevice: device,
    tagKey: hexOf(key),
    tag: hexOf(chainTag(next, key)),
    branches: [0, 1, 300].map((base) => {
      const tagBefore = chainTag(hash(Uint8Array.of(base & 255, 1)), key)
      const firstTag = chainTag(hash(Uint8Array.of(base & 255)), key)
      const branch = branchId(device, base, tagBefore, firstTag)
      return { device, base, tagBefore: hexOf(tagBefore), firstTag: hexOf(firstTag), branch }
    }),
  }
}

const tagOf = (byte: number): Uint8Array => new Uint8Array(16).fill(byte)

const headerOf = (changes: Partial<BatchHeader>): BatchHeader => ({
  format: 1,
  space: SPACE,
  device: identityOf(1).device,
  fromSeq: 300,
  toSeq: 300,
  coarseMaxHlc: toCoarse(T),
  keyEpoch: 0,
  flags: 0,
  tagBefore: tagOf(1),
  tagAfter: tagOf(2),
  innerEnds: [],
  shifts: [],
  certificate: undefined,
  ...changes,
})

/** A header in JSON. */
export const describeHeader = ({ innerEnds, shifts, certificate, ...header }: BatchHeader) => ({
  ...header,
  tagBefore: hexOf(header.tagBefore),
  tagAfter: hexOf(header.tagAfter),
  innerEnds: innerEnds.map(({ toSeq, tag }) => ({ toSeq, tag: hexOf(tag) })),
  shifts: shifts.map(({ firstTag, ...shift }) => ({ ...shift, firstTag: hexOf(firstTag) })),
  ...(certificate && { certificate: hexOf(certificate) }),
})

const makeHeaders = () => {
  const one = { device: identityOf(2).device, base: 0, firstTag: tagOf(5), shift: 0, floor: 0 }
  const two = { device: identityOf(3).device, base: 300, firstTag: tagOf(6), shift: 4_096_000, floor: T }
  const headers: Record<string, BatchHeader> = {
    'one run': headerOf({}),
    'the first of a device': headerOf({ fromSeq: 1, toSeq: 2, certificate: identityOf(1).certificate }),
    'three runs': headerOf({
      toSeq: 700,
      flags: 1,
      innerEnds: [
        { toSeq: 300, tag: tagOf(3) },
        { toSeq: 500, tag: tagOf(4) },
      ],
    }),
    'two shifts': headerOf({ fromSeq: 1, toSeq: 1, shifts: [one, two], certificate: identityOf(1).certificate }),
    'inner ends, a shift and a certificate': headerOf({
      fromSeq: 1,
      toSeq: 2,
      innerEnds: [{ toSeq: 1, tag: tagOf(3) }],
      shifts: [two],
      certificate: identityOf(1).certificate,
    }),
  }
  return Object.entries(headers).map(([name, header]) => ({
    name,
    ...describeHeader(header),
    hex: hexOf(encodeHeader(header)),
  }))
}

const rowOf = (run: Run, change: number): JsonValue => {
  const kind = run.rowKind[change]
  if (kind === SAME_ROW) return 'same'
  if (kind === NEW_ROW) return { id: run.rowId[change] }
  return { handle: [run.devices[kind - HANDLE], run.rowOrdinal[change]] }
}

/** What a run says, in words of its own. */
export const describeRun = (run: Run) => {
  let head = 0
  let change = 0
  return {
    fromSeq: run.fromSeq,
    keyEpoch: run.keyEpoch,
    ops: run.hlc.map((stamp, op) => {
      const heads: [string, number][] = []
      for (; head < run.headEnd[op]; head++) heads.push([run.devices[run.headDevice[head]], run.headSeq[head]])
      const changes: Record<string, unknown>[] = []
      for (; change < run.changeEnd[op]; change++) {
        const { law, table, path } = run.shapes[run.shape[change]]
        const row = rowOf(run, change)
        const value = path.length === 0 ? {} : { value: toJson(run.value[change]) }
        const over = run.over.get(change)
        changes.push({
          law,
          table,
          path: [...path],
          row,
          ...value,
          ...(over && { over: over.map((dot) => [dot.device, dot.seq]) }),
        })
      }
      const event = run.events.get(op)
      return {
        stamp,
        schemaVersion: run.schemaVersion[op],
        membership: run.membership[op],
        groupLeft: run.groupLeft[op],
        heads,
        changes,
        ...(event && { event: { name: event.name, value: toJson(event.value) } }),
      }
    }),
  }
}

const makeRuns = () => {
  const [author, one, two] = [1, 2, 3].map((number) => identityOf(number).device)
  const otherTable: Shape = { law: 2, table: 'listen', path: ['größe'] }
  const runs: Record<string, Run> = {
    'an empty op': forgeRun(author, 1, [{ hlc: T }]),
    'one change': forgeRun(author, 1, [
      { hlc: T, changes: [{ shape: shapes.title, row: { id: 'row-1' }, value: 'milk' }] },
    ]),
    'every column': forgeRun(author, 300, [
      {
        hlc: T,
        heads: [
          { device: one, seq: 500 },
          { device: two, seq: 7 },
        ],
        changes: [
          { shape: shapes.insert, row: { id: 'neue Zeile ü' } },
          { shape: shapes.title, row: 'same', value: 'first' },
          { shape: shapes.votes, row: { device: one, ordinal: 70 }, value: -3 },
          { shape: shapes.delete, row: { device: author, ordinal: 2 } },
        ],
      },
      { hlc: T + 4_096, heads: [{ device: one, seq: 498 }], event: { name: 'moved', value: { to: [1, 2] } } },
      {
        hlc: T + 4_097,
        groupLeft: 2,
        changes: [
          {
            shape: shapes.title,
            row: { device: one, ordinal: 68 },
            value: 'over two',
            over: [
              { device: two, seq: 7 },
              { device: author, seq: 299 },
            ],
          },
        ],
      },
      { hlc: T + 4_097, groupLeft: 1, changes: [{ shape: otherTable, row: { id: 'x' }, value: null, over: [] }] },
    ]),
  }
  return Object.entries(runs).map(([name, run]) => ({
    name,
    device: run.device,
    ...describeRun(run),
    hex: hexOf(encodeRun(run)),
  }))
}

const EXCHANGED = ['a', 'b', 'c'] as const

/** Four devices: concurrent titles, a deletion against an update, a resolution by `over`, a void op. Bodies stay uncompressed. */
const makeHistory = () => {
  const batches: Uint8Array[] = []
  const [a, b, c] = EXCHANGED.map((_, index) => createReplica(1 + index))
  const share = (from: Replica, ...to: Replica[]): void => {
    for (const bytes of from.seal()) {
      batches.push(bytes)
      for (const other of to) other.receive(bytes)
    }
  }
  a.write(
    START_MS,
    a.change(shapes.insert, 'milk'),
    a.change(shapes.title, 'milk', 'Milk'),
    a.change(shapes.votes, 'milk', 5),
  )
  a.write(START_MS + 1, a.change(shapes.title, 'bread', 'Bread 🥖'))
  share(a, b, c)
  b.write(START_MS - 5_000, b.change(shapes.title, 'milk', 'Oat milk'), b.change(shapes.votes, 'milk', -2))
  c.write(START_MS + 3, c.change(shapes.title, 'milk', 'Soy milk'))
  c.write(START_MS + 4, c.change(shapes.delete, 'bread'))
  a.write(START_MS + 5, a.change(shapes.done, 'bread', true))
  a.write(START_MS + 6, a.change(shapes.insert, 'gone'), a.change(shapes.title, 'gone', 'gone'))
  share(a, b, c)
  share(b, a)
  share(c, a, b)
  const [over] = [...a.projector.projected]
    .filter(([device]) => device === b.device)
    .map(([device]) => [{ device, seq: 1 }])
  a.write(START_MS + 7, a.change(shapes.title, 'milk', 'Milk, any', over), a.change(shapes.delete, 'gone'))
  share(a, b)
  const forger = createForger(4)
  for (const value of [0.5, 1]) {
    const changes = [{ shape: shapes.votes, row: { id: 'forged' }, value }]
    batches.push(forger.seal([{ hlc: hlcFromMs(START_MS) + value * 2, changes }]).bytes)
  }
  const reader = createReplica(9)
  for (const bytes of batches) reader.receive(bytes)
  return { space: SPACE, batches: batches.map(describeBatch(reader)), ...describeState(reader) }
}

const describeBatch = (reader: Replica) => (bytes: Uint8Array) => {
  const { header } = decodeBatch(bytes)
  return {
    device: header.device,
    fromSeq: header.fromSeq,
    toSeq: header.toSeq,
    coarseMaxHlc: header.coarseMaxHlc,
    tagAfter: hexOf(header.tagAfter),
    chainAfter: hexOf(reader.log.chain.covering(header.device, header.toSeq)!),
    hex: hexOf(bytes),
  }
}

/**
 * Three devices that write under the laws that history.json has nothing of, concurrently, each more than once. Each op is a
 * batch, and short: bodies stay uncompressed.
 */
const makeLaws = () => {
  const batches: Uint8Array[] = []
  const [a, b, c] = EXCHANGED.map((_, index) => createReplica(1 + index))
  const sealed: Uint8Array[] = []
  const share = (): void => {
    for (const bytes of sealed) for (const to of [a, b, c]) to.receive(bytes)
    batches.push(...sealed.splice(0))
  }
  const field = (law: number, name: string, ...keys: string[]): Shape => ({
    law,
    table: 'notes',
    path: [name, ...keys],
  })
  const [insert, remove, erase] = [Law.insert, Law.delete, Law.erase].map((law) => ({ law, table: 'notes', path: [] }))
  const positions = positionsBetween(undefined, undefined, 2, { author: 'Ann', unique: 'x' })
  const dots = (replica: Replica) => [...replica.projector.projected].map(([device, seq]) => ({ device, seq }))
  let at = START_MS
  const write = (
    replica: Replica,
    id: string,
    ...changes: [Shape, Value?, { device: DeviceId; seq: number }[]?][]
  ): void => {
    replica.write(at++, ...changes.map(([shape, value, over]) => replica.change(shape, id, value, over)))
    sealed.push(...replica.seal())
  }
  write(
    a,
    'one',
    [insert],
    [field(Law.grow, 'views'), 3],
    [field(Law.increment, 'views'), -1],
    [field(Law.add, 'tags'), 'red'],
    [field(Law.add, 'tags'), 5],
  )
  write(a, 'one', [field(Law.put, 'settings', 'a', 'b'), [1]], [field(Law.put, 'settings', 'list'), [[1, { x: null }]]])
  write(
    a,
    'one',
    [field(Law.item, 'steps'), ['i1', positions[0], 'first']],
    [field(Law.item, 'steps'), ['i2', positions[1], 'second']],
  )
  write(a, 'two', [insert], [field(Law.set, 'title'), 'gone'])
  write(a, 'three', [insert], [field(Law.set, 'title'), 'drafted'])
  share()
  write(a, 'one', [field(Law.remove, 'tags'), 'red'], [field(Law.put, 'settings', 'a'), ['flat']])
  write(a, 'one', [field(Law.item, 'steps'), ['i1', positions[1]]], [field(Law.set, 'title'), 'from a'])
  write(b, 'one', [field(Law.add, 'tags'), 'red'], [field(Law.put, 'settings', 'a', 'c'), [true]])
  write(b, 'one', [field(Law.drop, 'steps'), 'i2'], [field(Law.set, 'title'), 'from b'], [field(Law.grow, 'views'), 4])
  write(c, 'one', [field(Law.item, 'steps'), ['i2', null, 'changed']], [field(Law.put, 'settings', 'list'), []])
  write(b, 'two', [field(Law.set, 'title'), 'not seen by the erasure'])
  write(c, 'two', [erase])
  write(a, 'three', [remove, null, [{ device: a.device, seq: 5 }]])
  write(b, 'three', [field(Law.set, 'done'), true])
  share()
  const conflict = dots(a).filter(({ device }) => device !== c.device)
  const siblings = conflict.map(({ device }) => ({ device, seq: device === a.device ? 7 : 2 }))
  write(c, 'one', [field(Law.resolve, 'title'), 'asked both', siblings], [field(Law.set, 'title'), 'settled'])
  share()
  const candidates = [
    { author: a.device, stamp: 1, value: 'a' },
    { author: b.device, stamp: 2, value: 'b' },
  ]
  write(a, 'one', [field(Law.reopen, 'title'), reopenedValue(candidates), [{ device: c.device, seq: 3 }]])
  const { touches, deletes } = b.row('three', 'notes')!
  const sides = [...deletes, ...touches].map((ref) => b.projector.ops.dotOf(ref))
  write(b, 'three', [field(Law.resolve, ''), ['it stays', deletes.length, false], sides], [insert])
  share()
  const forger = createForger(4)
  const changes = [{ shape: field(Law.grow, 'views'), row: { id: 'forged' }, value: -1 }]
  batches.push(forger.seal([{ hlc: hlcFromMs(START_MS) + 1, changes }]).bytes)
  const reader = createReplica(9)
  for (const bytes of batches) reader.receive(bytes)
  return { space: SPACE, batches: batches.map(describeBatch(reader)), ...describeState(reader, true) }
}

/** The cells that the digest is over, and the digest. `hasBytes`: with the bytes of values and of cells. */
const describeState = ({ projector, digest }: Replica, hasBytes = false) => {
  const { ops, cells } = projector
  const dot = (ref: number): [string, number, number] => [ops.deviceId(deviceOfRef(ref)), seqOfRef(ref), ops.stamp(ref)]
  const dots = (refs: readonly number[]) => refs.toSorted((x, y) => ops.compare(x, y)).map(dot)
  const rows = [...cells.tables()].flatMap((table) =>
    [...table.rows.values()]
      .filter((row) => row.touches.length + row.deletes.length + row.erased > 0)
      .map((row) => ({
        table: table.name,
        row: row.id,
        updateWins: isLive(row, 'update-wins'),
        deleteWins: isLive(row, 'delete-wins'),
        touches: dots(row.touches),
        deletes: dots(row.deletes),
        created: dots(row.created === 0 ? [] : [row.created]),
        updated: dots(row.updated === 0 ? [] : [row.updated]),
        registers: table.columns.flatMap(({ law, path }, index) => {
          const ref = row.refs[index] ?? 0
          if (law !== shapes.title.law || ref === 0) return []
          const content = row.values[index]
          const writes = ref > 0 ? [{ ref, value: content as Value }] : (content as Write[])
          const described = writes.map(({ ref: by, value, isReopened }: Write) => ({
            dot: dot(by),
            value: toJson(value),
            ...(hasBytes && { hex: encodeValue(value) }),
            ...(isReopened === true && { isReopened }),
          }))
          return [{ path: [...path], writes: described }]
        }),
        counters: table.columns.flatMap(({ law, path }, index) =>
          law === shapes.votes.law && (row.refs[index] ?? 0) !== 0
            ? [{ path: [...path], total: (row.values[index] as CounterTotal).toString() }]
            : [],
        ),
        ...(hasBytes && describeComposed(projector, row)),
      })),
  )
  const projected = [...projector.projected].sort(([x], [y]) => (x < y ? -1 : 1))
  return { projected, voidOps: projector.voidCount, rows, digest: digest() }
}

/** What cells of the younger laws have, and the bytes of those that hold more than one register. */
const describeComposed = ({ ops }: Replica['projector'], row: Row) => {
  const compare = (x: number, y: number): number => ops.compare(x, y)
  const cells = row.table.columns.flatMap(({ law, path }, index) =>
    (row.refs[index] ?? 0) === 0 ? [] : [{ law, path: [...path], content: row.values[index] }],
  )
  return {
    erased:
      row.erased === 0 ? [] : [[ops.deviceId(deviceOfRef(row.erased)), seqOfRef(row.erased), ops.stamp(row.erased)]],
    grown: cells.flatMap(({ law, path, content }) =>
      law === Law.grow ? [{ path, total: (content as CounterTotal).toString() }] : [],
    ),
    composed: cells.flatMap(({ law, path, content }) => {
      const composed = composedLaw(law)
      if (composed === undefined) return []
      const writer = new ByteWriter()
      const writeRef = (ref: number): void =>
        void writer
          .raw(deviceIdToBytes(ops.deviceId(deviceOfRef(ref))))
          .varint(seqOfRef(ref))
          .varint(ops.stamp(ref))
      composed.write(content, writer, writeRef, compare)
      return [{ law, path, hex: hexOf(writer.finish()) }]
    }),
  }
}

/** Two devices: one that never forked, and one whose copies parted at the start, inside, at an end, and again. */
export const plantTree = (): TestBatch[] => {
  const [whole, copied] = [makeTestDevice(SPACE, 'whole'), makeTestDevice(SPACE, 'copied')]
  const main = makeTestHistory(copied, [2, 1, 1, 3])
  const inside = makeTestHistory(copied, [1, 1, 2], main[1], 'inside')
  const merged = mergeTestBatches(copied, makeTestHistory(copied, [1, 4], main[1], 'of two runs'))
  return [
    ...makeTestHistory(whole, [1, 2]),
    ...main,
    ...inside,
    merged,
    ...makeTestHistory(copied, [5], undefined, 'at the start'),
    ...makeTestHistory(copied, [1], inside[1], 'again'),
    ...makeTestHistory(copied, [1], main[3], 'one end'),
    ...makeTestHistory(copied, [1], main[3], 'other end'),
  ]
}

const makeTrees = () => {
  const batches = plantTree()
  const name = ({ header }: TestBatch): DeviceId => {
    const { device, fromSeq, tagBefore } = header
    const isHere = (other: TestBatch): boolean =>
      other.header.device === device &&
      other.header.fromSeq === fromSeq &&
      hexOf(other.header.tagBefore) === hexOf(tagBefore)
    if (batches.filter(isHere).length > 1) return branchId(device, fromSeq - 1, tagBefore, firstTagOf(header))
    const before = batches.find((other) => hexOf(other.header.tagAfter) === hexOf(tagBefore))
    return before === undefined ? device : name(before)
  }
  return batches.map((batch) => ({
    device: batch.header.device,
    fromSeq: batch.header.fromSeq,
    toSeq: batch.header.toSeq,
    tagBefore: hexOf(batch.header.tagBefore),
    firstTag: hexOf(firstTagOf(batch.header)),
    tagAfter: hexOf(batch.header.tagAfter),
    branch: name(batch),
  }))
}

/** File name → contents. */
export const makeVectors = (): Record<string, unknown> => ({
  'values.json': {
    values: values.map((value) => ({ value: toJson(value), hex: encodeValue(value) })),
    refused: Object.entries(notValues).map(([why, hex]) => ({ why, hex })),
    tooDeep: { why: '65 arrays around null: a value of a void op', hex: '0801'.repeat(65) + '00' },
  },
  'clock.json': makeClock(),
  'crypto.json': makeCrypto(),
  'headers.json': { headers: makeHeaders() },
  'runs.json': { runs: makeRuns() },
  'trees.json': { batches: makeTrees() },
  'history.json': makeHistory(),
  'laws.json': makeLaws(),
  'frames.json': makeFrames(),
  'members.json': makeMembers(),
})
