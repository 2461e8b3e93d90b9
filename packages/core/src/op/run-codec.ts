/**
 * The canonical bytes of a run (SPEC OP2, OP3), by columns:
 *
 *     run      = format | fromSeq | key epoch | op count | head count | change count
 *              | devices: count, 16 bytes each | shapes: count, each law, table, path
 *              | per op:     stamps (first, then deltas) | schema version* | membership* | group left* | heads* | changes*
 *              | per head:   device index, seq (delta to the head of that device before it)
 *              | per change: shape | row kind | ordinals of handles (delta to that device's before it)
 *                          | ids of introduced rows | values of the laws that carry one
 *              | over: count, each change index (delta), dots | events: count, each op index (delta), name, value
 *
 * A column marked * is run-length encoded: (value, repetitions) pairs. Handles name (device, n-th row that it
 * introduced): every row id that a device writes out counts, whether or not the row was known before, so the number
 * follows from the device's own bytes alone.
 */
import { DEVICE_ID_BYTES, type Dot, deviceIdFromBytes, deviceIdToBytes, type DeviceId } from '../clock/dot.ts'
import { ByteReader, ByteWriter, malformed } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import { isRowLevel, LAST_KNOWN_LAW, Law, mayBeOver } from './law.ts'
import { createRun, firstChange, firstHead, HANDLE, NEW_ROW, opCount, type Run, SAME_ROW, type Shape } from './run.ts'
import { MAX_DEPTH, readValue, writeValue } from './value.ts'

export const RUN_FORMAT = 1
/** OP7: what one change counts for beside its value and the id of a row that it introduces. */
export const CHANGE_OVERHEAD_BYTES = 8
/** OP6: a group of more ops is void. */
export const MAX_GROUP_OPS = 4096
/** OP7: what each dot of an `over` counts for. */
export const OVER_DOT_BYTES = 4
/** OP7: an op above this, heads not counted, is void. */
export const MAX_OP_BYTES = 256 * 1024

/** A field, and keys of its JSON. */
const MAX_PATH_LENGTH = 1 + MAX_DEPTH

const writeRepeated = (writer: ByteWriter, values: readonly number[], from: number, to: number): void => {
  for (let index = from; index < to; ) {
    const value = values[index]
    let end = index + 1
    while (end < to && values[end] === value) end++
    writer.varint(value).varint(end - index)
    index = end
  }
}

const writeCounts = (writer: ByteWriter, ends: readonly number[], start: number, from: number, to: number): void => {
  const counts: number[] = []
  let previous = start
  for (let index = from; index < to; index++) {
    counts.push(ends[index] - previous)
    previous = ends[index]
  }
  writeRepeated(writer, counts, 0, counts.length)
}

/** Encodes the ops `[from, to)` of a run, as a run of their own. `writerOf`: where to; by default into memory of its own. */
export const encodeRun = (
  run: Run,
  from = 0,
  to = opCount(run),
  writerOf = (capacity: number): ByteWriter => new ByteWriter(capacity),
): Uint8Array => {
  const headFrom = firstHead(run, from)
  const headTo = firstHead(run, to)
  const changeFrom = firstChange(run, from)
  const changeTo = firstChange(run, to)
  const dictionaries = collectDictionaries(run, from, to)
  const writer = writerOf(bytesOf(run, from, to) + (headTo - headFrom) * 12)
  writer
    .varint(RUN_FORMAT)
    .varint(run.fromSeq + from)
    .varint(run.keyEpoch)
  writer
    .varint(to - from)
    .varint(headTo - headFrom)
    .varint(changeTo - changeFrom)
  writer.varint(dictionaries.devices.length)
  for (const index of dictionaries.devices) writer.raw(deviceIdToBytes(run.devices[index]))
  writer.varint(dictionaries.shapes.length)
  for (const index of dictionaries.shapes) writeShape(writer, run.shapes[index])

  let stamp = 0
  for (let op = from; op < to; op++) {
    writer.varint(run.hlc[op] - stamp)
    stamp = run.hlc[op]
  }
  writeRepeated(writer, run.schemaVersion, from, to)
  writeRepeated(writer, run.membership, from, to)
  writeRepeated(writer, run.groupLeft, from, to)
  writeCounts(writer, run.headEnd, headFrom, from, to)
  writeCounts(writer, run.changeEnd, changeFrom, from, to)

  const lastHead: number[] = dictionaries.devices.map(() => 0)
  for (let head = headFrom; head < headTo; head++) {
    const device = dictionaries.deviceAt[run.headDevice[head]]
    writer.varint(device).zigzag(run.headSeq[head] - lastHead[device])
    lastHead[device] = run.headSeq[head]
  }

  for (let change = changeFrom; change < changeTo; change++) writer.varint(dictionaries.shapeAt[run.shape[change]])
  for (let change = changeFrom; change < changeTo; change++) {
    const kind = run.rowKind[change]
    writer.varint(kind < HANDLE ? kind : HANDLE + dictionaries.deviceAt[kind - HANDLE])
  }
  const lastOrdinal: number[] = dictionaries.devices.map(() => 0)
  for (let change = changeFrom; change < changeTo; change++) {
    if (run.rowKind[change] < HANDLE) continue
    const device = dictionaries.deviceAt[run.rowKind[change] - HANDLE]
    writer.zigzag(run.rowOrdinal[change] - lastOrdinal[device])
    lastOrdinal[device] = run.rowOrdinal[change]
  }
  for (let change = changeFrom; change < changeTo; change++) {
    if (run.rowKind[change] === NEW_ROW) writer.string(run.rowId[change])
  }
  for (let change = changeFrom; change < changeTo; change++) {
    if (!isRowLevel(run.shapes[run.shape[change]].law)) writeValue(writer, run.value[change])
  }
  writeOver(writer, run, changeFrom, changeTo, dictionaries.deviceAt)
  writeEvents(writer, run, from, to)
  return writer.finish()
}

/** About what ops take, heads not counted. */
const bytesOf = (run: Run, from: number, to: number): number => {
  let bytes = 256 + (to - from) * 16
  for (let op = from; op < to; op++) bytes += run.opBytes[op]
  return bytes
}

interface Dictionaries {
  /** Indexes into the run's dictionary, in the order of first use. */
  readonly devices: number[]
  readonly shapes: number[]
  /** From the run's index to the encoded one. */
  readonly deviceAt: number[]
  readonly shapeAt: number[]
}

// Only what the encoded ops use, in the order of first use: so equal ops have equal bytes wherever they were cut from.
const collectDictionaries = (run: Run, from: number, to: number): Dictionaries => {
  const devices: number[] = []
  const shapes: number[] = []
  const deviceAt: number[] = []
  const shapeAt: number[] = []
  const useDevice = (index: number): void => {
    if (deviceAt[index] === undefined) deviceAt[index] = devices.push(index) - 1
  }
  const indexOf = indexDevices(run)
  for (let head = firstHead(run, from); head < firstHead(run, to); head++) useDevice(run.headDevice[head])
  for (let change = firstChange(run, from); change < firstChange(run, to); change++) {
    const shape = run.shape[change]
    if (shapeAt[shape] === undefined) shapeAt[shape] = shapes.push(shape) - 1
    if (run.rowKind[change] >= HANDLE) useDevice(run.rowKind[change] - HANDLE)
    const over = run.over.size === 0 ? undefined : run.over.get(change)
    if (over !== undefined) for (const dot of over) useDevice(indexOf.get(dot.device)!)
  }
  return { devices, shapes, deviceAt, shapeAt }
}

/** The index of each device in the run's dictionary. Needed for `over` alone: empty where there is none. */
const indexDevices = (run: Run): ReadonlyMap<DeviceId, number> =>
  new Map(run.over.size === 0 ? [] : run.devices.map((device, index) => [device, index]))

const writeShape = (writer: ByteWriter, shape: Shape): void => {
  writer.varint(shape.law).string(shape.table).varint(shape.path.length)
  for (const key of shape.path) writer.string(key)
}

const writeOver = (writer: ByteWriter, run: Run, from: number, to: number, deviceAt: readonly number[]): void => {
  const entries = [...run.over].filter(([change]) => change >= from && change < to).sort(([a], [b]) => a - b)
  writer.varint(entries.length)
  const indexOf = indexDevices(run)
  let previous = from
  for (const [change, dots] of entries) {
    writer.varint(change - previous).varint(dots.length)
    for (const dot of dots) writer.varint(deviceAt[indexOf.get(dot.device)!]).varint(dot.seq)
    previous = change
  }
}

const writeEvents = (writer: ByteWriter, run: Run, from: number, to: number): void => {
  const entries = [...run.events].filter(([op]) => op >= from && op < to).sort(([a], [b]) => a - b)
  writer.varint(entries.length)
  let previous = from
  for (const [op, event] of entries) {
    writer.varint(op - previous).string(event.name)
    writeValue(writer, event.value)
    previous = op
  }
}

const readRepeated = (reader: ByteReader, count: number): number[] => {
  const values: number[] = []
  while (values.length < count) {
    const value = reader.varint()
    const repetitions = reader.varint()
    if (repetitions < 1 || repetitions > count - values.length) throw malformed('run: repetitions')
    if (values.length > 0 && values[values.length - 1] === value) throw malformed('run: repetitions cut in two')
    for (let index = 0; index < repetitions; index++) values.push(value)
  }
  return values
}

/** Cumulated ends of `count` run-length encoded lengths that must sum to `total`. */
const readEnds = (reader: ByteReader, count: number, total: number): number[] => {
  const ends = readRepeated(reader, count)
  let end = 0
  for (let index = 0; index < count; index++) {
    end += ends[index]
    ends[index] = end
  }
  if (end !== total) throw malformed('run: lengths do not add up')
  return ends
}

/**
 * Decodes the run of `device`. Throws MALFORMED where the bytes are not the ones of `encodeRun`, FORMAT_UNKNOWN where a
 * newer release wrote them. `maxOps`: how many ops the envelope announces at most.
 */
export const decodeRun = (bytes: Uint8Array, device: DeviceId, maxOps: number): Run => {
  const reader = new ByteReader(bytes)
  const format = reader.varint()
  if (format !== RUN_FORMAT) throw new DriftlogError('FORMAT_UNKNOWN', 'run', { format })
  const fromSeq = reader.varint()
  const keyEpoch = reader.varint()
  const run = createRun(device, fromSeq, keyEpoch)
  const ops = reader.varint()
  if (fromSeq < 1 || ops < 1 || ops > maxOps) throw malformed('run: op count')
  const heads = reader.count(2)
  const changes = reader.count(2)
  for (let left = reader.count(DEVICE_ID_BYTES); left > 0; left--) {
    run.devices.push(deviceIdFromBytes(reader.raw(DEVICE_ID_BYTES)))
  }
  for (let left = reader.count(3); left > 0; left--) run.shapes.push(readShape(reader))

  const columns = run as { -readonly [column in keyof Run]: Run[column] }
  let stamp = 0
  for (let op = 0; op < ops; op++) {
    stamp += reader.varint()
    if (stamp > Number.MAX_SAFE_INTEGER) throw malformed('run: stamp')
    run.hlc.push(stamp)
  }
  columns.schemaVersion = readRepeated(reader, ops)
  columns.membership = readRepeated(reader, ops)
  columns.groupLeft = readRepeated(reader, ops)
  columns.headEnd = readEnds(reader, ops, heads)
  columns.changeEnd = readEnds(reader, ops, changes)

  const lastHead = run.devices.map(() => 0)
  for (let head = 0; head < heads; head++) {
    const index = readIndex(reader, run.devices.length)
    const seq = lastHead[index] + reader.zigzag()
    if (seq < 1 || seq > Number.MAX_SAFE_INTEGER) throw malformed('run: head')
    lastHead[index] = seq
    run.headDevice.push(index)
    run.headSeq.push(seq)
  }
  readChanges(reader, run, changes)
  readOver(reader, run, changes)
  readEvents(reader, run, ops)
  reader.expectEnd()
  checkDictionaries(run)
  return run
}

// Only what is used, once, in the order of first use: so that a run has one encoding.
const checkDictionaries = (run: Run): void => {
  const { devices, shapes } = collectDictionaries(run, 0, opCount(run))
  const isWhole = (used: readonly number[], length: number): boolean =>
    used.length === length && used.every((index, at) => index === at)
  if (!isWhole(devices, run.devices.length) || !isWhole(shapes, run.shapes.length)) throw malformed('run: dictionary')
  if (new Set(run.devices).size !== run.devices.length) throw malformed('run: a device twice')
}

const readIndex = (reader: ByteReader, length: number): number => {
  const index = reader.varint()
  if (index >= length) throw malformed('run: dictionary index')
  return index
}

const readShape = (reader: ByteReader): Shape => {
  const law = reader.varint()
  const table = reader.string()
  const path: string[] = []
  for (let left = reader.count(); left > 0; left--) path.push(reader.string())
  if (law < 1 || table === '') throw malformed('run: shape')
  if (law > LAST_KNOWN_LAW) throw new DriftlogError('FORMAT_UNKNOWN', 'law', { law })
  if (isRowLevel(law) !== (path.length === 0)) throw malformed('run: shape')
  // Only JSON has paths below its field: a release that knows more of them would read this in another way.
  if (path.length > (law === Law.put ? MAX_PATH_LENGTH : 1)) {
    throw new DriftlogError('FORMAT_UNKNOWN', 'path', { length: path.length })
  }
  return { law, table, path }
}

const readChanges = (reader: ByteReader, run: Run, changes: number): void => {
  for (let change = 0; change < changes; change++) run.shape.push(readIndex(reader, run.shapes.length))
  for (let change = 0; change < changes; change++) run.rowKind.push(readIndex(reader, HANDLE + run.devices.length))
  const ops = run.hlc.length
  const sizes: number[] = []
  const lastOrdinal = run.devices.map(() => 0)
  for (let change = 0; change < changes; change++) {
    const kind = run.rowKind[change]
    if (kind < HANDLE) {
      run.rowOrdinal.push(0)
      continue
    }
    const ordinal = lastOrdinal[kind - HANDLE] + reader.zigzag()
    if (ordinal < 0 || ordinal > Number.MAX_SAFE_INTEGER) throw malformed('run: row')
    lastOrdinal[kind - HANDLE] = ordinal
    run.rowOrdinal.push(ordinal)
  }
  for (let change = 0; change < changes; change++) {
    if (run.rowKind[change] !== NEW_ROW) {
      run.rowId.push('')
      sizes.push(CHANGE_OVERHEAD_BYTES)
      continue
    }
    const start = reader.position
    const id = reader.string()
    if (id === '') throw malformed('run: empty row id')
    run.rowId.push(id)
    sizes.push(CHANGE_OVERHEAD_BYTES + reader.position - start)
  }
  let op = 0
  for (let change = 0; change < changes; change++) {
    while (run.changeEnd[op] <= change) op++
    if (run.rowKind[change] === SAME_ROW && change === firstChange(run, op)) throw malformed('run: row of nothing')
    if (isRowLevel(run.shapes[run.shape[change]].law)) {
      run.value.push(null)
      continue
    }
    const start = reader.position
    const value = readValue(reader)
    if (value === undefined) run.voids.add(op)
    run.value.push(value ?? null)
    sizes[change] += reader.position - start
  }
  for (let index = 0, change = 0; index < ops; index++) {
    let size = 0
    for (; change < run.changeEnd[index]; change++) size += sizes[change]
    run.opBytes.push(size)
  }
}

const readOver = (reader: ByteReader, run: Run, changes: number): void => {
  let change = 0
  let op = 0
  for (let left = reader.count(2), first = true; left > 0; left--, first = false) {
    const delta = reader.varint()
    if (!first && delta === 0) throw malformed('run: over is not in order')
    change += delta
    if (change >= changes) throw malformed('run: over of nothing')
    const dots: Dot[] = []
    for (let count = reader.count(2); count > 0; count--) {
      const device = run.devices[readIndex(reader, run.devices.length)]
      dots.push({ device, seq: reader.varint() })
    }
    // A release that knows `over` of other laws would read this in another way.
    if (!mayBeOver(run.shapes[run.shape[change]].law)) throw new DriftlogError('FORMAT_UNKNOWN', 'over')
    while (run.changeEnd[op] <= change) op++
    run.opBytes[op] += dots.length * OVER_DOT_BYTES
    run.over.set(change, dots)
  }
}

const readEvents = (reader: ByteReader, run: Run, ops: number): void => {
  let op = 0
  for (let left = reader.count(3), first = true; left > 0; left--, first = false) {
    const delta = reader.varint()
    if (!first && delta === 0) throw malformed('run: events are not in order')
    op += delta
    if (op >= ops) throw malformed('run: event of nothing')
    const start = reader.position
    const name = reader.string()
    const value = readValue(reader)
    if (value === undefined) run.voids.add(op)
    run.events.set(op, { name, value: value ?? null })
    run.opBytes[op] += reader.position - start
  }
}
