/**
 * The bytes of a base (SPEC BASE):
 *
 *     base     = "DLP" | format | space | cut | vector: count, then id and seq each | schema version | void ops
 *              | shifts | branches | after | tables | settled
 *     branch   = id | author flag (0: as the id; 1: 16 bytes) | parent + 1 | base
 *              | of one without a parent: certificate | flag, chain start where shifts are stated
 *              | last seq - base | head flag | elastic from - base, or 0 | flag, shift, floor
 *              | kept ops: count, each seq (delta), stamp (delta) | their membership positions: spans, each length, position
 *              | kept runs: count, each first (delta), length, hash, epoch, membership position
 *              | number of the first row | introduced: count, each place of the row, seq (delta)
 *     after    = id | void ops: count, each seq (delta) | whole from
 *              | lacks: count, each seq (delta), count, each place (delta), seq
 *     table    = name | columns: count, each law, path | rows: count, each
 *                id | flags | erased, or created and updated, touches, deletions, who saw whom | a cell for each column
 *     settled  = row | by | reason | column + 1 | outcome, candidates, or verdict, sides
 *
 * Refs are places among the kept ops of all branches. Whatever is sorted is sorted by ids and total order: nothing here depends on
 * the order in which ops came.
 */
import { ABSENT, type Column, columnKey } from '../cells/row.ts'
import type { LifeSide, SettledWrite } from '../cells/settled.ts'
import { compareDevices, DEVICE_ID_BYTES, type DeviceId, deviceIdToBytes } from '../clock/dot.ts'
import { ByteReader, ByteWriter, malformed } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import { encodeShifts, isSpaceId, readShifts } from '../log/batch.ts'
import { deviceOfRef, type DotRef, dotRef, seqOfRef } from '../op/dot-ref.ts'
import type { Value } from '../op/value.ts'
import { writeValue } from '../op/value.ts'
import type { Base, BaseAfter, BaseBranch, BaseRefs, BaseRow, BaseSettled, BaseTable } from './base.ts'
import { MIN_BRANCH_BYTES, readAfter, readBranch, readFlag, readId, writeAfter, writeBranch } from './branch-bytes.ts'
import {
  expectRising,
  many,
  readCell,
  type ReadRef,
  readRefs,
  type RefWriter,
  value,
  writeCell,
  writeRefs,
} from './cell-bytes.ts'

export const BASE_FORMAT = 1
const MAGIC = [0x44, 0x4c, 0x50]

const ERASED = 1
const ALIVE = 2

/** Of a candidate. */
const KNOWN = 1
const REOPENED = 2

export const encodeBase = (base: Base): Uint8Array => {
  const writer = new ByteWriter(1_048_576)
  const refs: RefWriter = {
    write: (ref) => void writer.varint(base.refs.place(ref)),
    compare: (a, b) => base.refs.compare(a, b),
  }
  for (const byte of MAGIC) writer.byte(byte)
  writer.varint(BASE_FORMAT).string(base.space).varint(base.cut).varint(base.vector.size)
  for (const [id, seq] of base.vector) writer.raw(deviceIdToBytes(id)).varint(seq)
  writer.varint(base.schemaVersion).varint(base.voidCount).raw(encodeShifts(base.shifts))
  writer.varint(base.branches.length)
  for (const branch of base.branches) writeBranch(writer, branch)
  writer.varint(base.after.length)
  for (const after of base.after) writeAfter(writer, after)
  writer.varint(base.tables.length)
  for (const table of base.tables) writeTable(writer, table, refs)
  writer.varint(base.settled.length)
  for (const settled of base.settled) writeSettled(writer, settled, base.tables, refs)
  return writer.finish().slice()
}

/** Throws MALFORMED, and FORMAT_UNKNOWN for a newer one. Its refs are of branches by place. */
export const decodeBase = (bytes: Uint8Array): Base => {
  const reader = new ByteReader(bytes)
  for (const byte of MAGIC) if (reader.byte() !== byte) throw malformed('not a base')
  const format = reader.varint()
  if (format !== BASE_FORMAT) throw new DriftlogError('FORMAT_UNKNOWN', 'base', { format })
  const space = reader.string()
  if (!isSpaceId(space)) throw malformed('base: space')
  const cut = reader.varint()
  const vector = readVector(reader)
  const common = { schemaVersion: reader.varint(), voidCount: reader.varint(), shifts: readShifts(reader) }
  const branches: BaseBranch[] = []
  const ids = new Set<DeviceId>()
  for (let left = reader.count(MIN_BRANCH_BYTES); left > 0; left--) {
    const branch = readBranch(reader, branches)
    if (ids.has(branch.id) || (vector.get(branch.id) ?? 0) < branch.lastSeq) throw malformed('base: branch')
    ids.add(branch.id)
    branches.push(branch)
  }
  const after: BaseAfter[] = []
  for (let left = reader.count(DEVICE_ID_BYTES + 3); left > 0; left--) {
    after.push(readAfter(reader, branches, after.at(-1)?.branch))
  }
  const refs = refsOf(branches)
  const readRef: ReadRef = () => refs.at(reader.varint())
  const tables: BaseTable[] = []
  for (let left = reader.count(3); left > 0; left--) tables.push(readTable(reader, readRef, tables.at(-1)?.name))
  const rows = tables.reduce((sum, table) => sum + table.rows.length, 0)
  for (const { introduced } of branches) if (introduced.some(({ row }) => row >= rows)) throw malformed('base: row')
  const columnsOf = columnsByRow(tables)
  const settled = many(reader, () => readSettled(reader, columnsOf, rows, readRef))
  reader.expectEnd()
  return { space, cut, vector, ...common, branches, after, tables, settled, refs: refs.all }
}

const readVector = (reader: ByteReader): Map<DeviceId, number> => {
  const vector = new Map<DeviceId, number>()
  let before: string | undefined
  for (let left = reader.count(DEVICE_ID_BYTES + 1); left > 0; left--) {
    const id = readId(reader)
    before = expectRising(before, id)
    vector.set(id, reader.varint())
  }
  return vector
}

const writeTable = (writer: ByteWriter, { name, columns, rows }: BaseTable, refs: RefWriter): void => {
  writer.string(name).varint(columns.length)
  for (const { law, path } of columns) {
    writer.varint(law).varint(path.length)
    for (const key of path) writer.string(key)
  }
  writer.varint(rows.length)
  for (const row of rows) {
    writer.string(row.id)
    writeRow(writer, row, columns, refs)
  }
}

/** All of a row but its id. */
export const writeRow = (writer: ByteWriter, row: BaseRow, columns: readonly Column[], refs: RefWriter): void => {
  writer.byte((row.erased === ABSENT ? 0 : ERASED) | (row.updated === ABSENT ? 0 : ALIVE))
  if (row.erased !== ABSENT) {
    refs.write(row.erased)
    return
  }
  writeLife(writer, row, refs)
  for (const [column, { law }] of columns.entries())
    writeCell(writer, law, row.refs[column] ?? ABSENT, row.values[column], refs)
}

/** Created and updated, touches and deletions, and who saw whom. */
export const writeLife = (writer: ByteWriter, row: BaseRow, refs: RefWriter): void => {
  if (row.updated !== ABSENT) {
    refs.write(row.created)
    refs.write(row.updated)
  }
  writeRefs(writer, row.touches, refs)
  writeRefs(writer, row.deletes, refs)
  for (const saw of row.saw) writer.byte(saw ? 1 : 0)
}

const readTable = (reader: ByteReader, readRef: ReadRef, before: string | undefined): BaseTable => {
  const name = expectRising(before, reader.string())
  const keys = new Set<string>()
  const columns = many(reader, (): Column => {
    const column = { law: reader.varint(), path: many(reader, () => reader.string()) }
    keys.add(columnKey(column.law, column.path))
    return column
  })
  if (keys.size !== columns.length) throw malformed('base: column')
  const rows: BaseRow[] = []
  // A row has a byte a column at least, but an erased one none: that many do not fit memory where they do not fit the bytes.
  for (let left = reader.count(2); left > 0; left--) rows.push(readRow(reader, columns, readRef, rows.at(-1)?.id))
  return { name, columns, rows }
}

const readRow = (
  reader: ByteReader,
  columns: readonly Column[],
  readRef: ReadRef,
  before: string | undefined,
): BaseRow => {
  const id = expectRising(before, reader.string())
  const flags = reader.byte()
  const [refs, values]: [DotRef[], unknown[]] = [[], []]
  if (flags === ERASED) {
    const erased = readRef()
    return { id, erased, created: ABSENT, updated: ABSENT, touches: [], deletes: [], saw: [], refs: [], values: [] }
  }
  if (flags !== 0 && flags !== ALIVE) throw malformed('base: row')
  const [created, updated] = flags === ALIVE ? [readRef(), readRef()] : [ABSENT, ABSENT]
  const touches = readRefs(reader, readRef)
  const deletes = readRefs(reader, readRef)
  if (touches.length * deletes.length > reader.remaining) throw malformed('base: who saw whom')
  const saw = Array.from({ length: touches.length * deletes.length }, () => readFlag(reader))
  for (const { law } of columns) {
    const [ref, content] = readCell(reader, law, readRef)
    refs.push(ref)
    values.push(content)
  }
  return { id, erased: ABSENT, created, updated, touches, deletes, saw, refs, values: values as BaseRow['values'] }
}

const columnsByRow = (tables: readonly BaseTable[]): ((row: number) => readonly Column[]) => {
  const ends: number[] = []
  let end = 0
  for (const { rows } of tables) ends.push((end += rows.length))
  return (row) => tables[ends.findIndex((last) => row < last)].columns
}

const writeSettled = (
  writer: ByteWriter,
  settled: BaseSettled,
  tables: readonly BaseTable[],
  refs: RefWriter,
): void => {
  writer.varint(settled.row)
  refs.write(settled.by)
  writer.string(settled.reason)
  const { column } = settled
  if (column === undefined) {
    writer
      .varint(0)
      .byte(settled.isDeleted ? 1 : 0)
      .varint(settled.sides.length)
    for (const { ref, isDelete } of settled.sides) {
      refs.write(ref)
      writer.byte(isDelete ? 1 : 0)
    }
    return
  }
  const key = columnKey(column.law, column.path)
  writer.varint(1 + columnsByRow(tables)(settled.row).findIndex(({ law, path }) => columnKey(law, path) === key))
  writeValue(writer, settled.outcome)
  writer.varint(settled.candidates.length)
  for (const { ref, value: of, isReopened } of settled.candidates) {
    refs.write(ref)
    // Of one whose value is not kept, what it stood for depends on the order in which ops came.
    writer.byte(of === undefined ? 0 : isReopened === true ? KNOWN | REOPENED : KNOWN)
    if (of !== undefined) writeValue(writer, of)
  }
}

const readSettled = (
  reader: ByteReader,
  columnsOf: (row: number) => readonly Column[],
  rows: number,
  readRef: ReadRef,
): BaseSettled => {
  const row = reader.varint()
  if (row >= rows) throw malformed('base: row')
  const common = { row, by: readRef(), reason: reader.string() }
  const at = reader.varint()
  if (at === 0) {
    const isDeleted = readFlag(reader)
    const sides = many(reader, (): LifeSide => ({ ref: readRef(), isDelete: readFlag(reader) }))
    return { ...common, column: undefined, sides, isDeleted }
  }
  const column = columnsOf(row).at(at - 1)
  if (column === undefined) throw malformed('base: column')
  const outcome: Value = value(reader)
  const candidates = many(reader, (): SettledWrite => {
    const ref = readRef()
    const flags = reader.byte()
    const of = (flags & KNOWN) === 0 ? undefined : value(reader)
    return (flags & REOPENED) === 0 ? { ref, value: of } : { ref, value: of, isReopened: true }
  })
  return { ...common, column, candidates, outcome }
}

/** Refs by place of their branch; `at`: of the n-th op that is kept. Throws MALFORMED for one that is not there. */
const refsOf = (branches: readonly BaseBranch[]): { readonly all: BaseRefs; at(place: number): DotRef } => {
  const places: DotRef[] = []
  branches.forEach(({ kept }, branch) => {
    for (const seq of kept.keys()) places.push(dotRef(branch, seq))
  })
  const tell = (ref: DotRef) => {
    const branch = branches[deviceOfRef(ref)]
    const seq = seqOfRef(ref)
    return { branch: branch.id, author: branch.author, seq, stamp: branch.kept.get(seq)! }
  }
  let numbers: Map<DotRef, number> | undefined
  return {
    at: (place) => {
      if (place >= places.length) throw malformed('base: op')
      return places[place]
    },
    all: {
      place: (ref) => (numbers ??= new Map(places.map((other, place) => [other, place]))).get(ref)!,
      compare: (a, b) => {
        const [left, right] = [tell(a), tell(b)]
        return (
          left.stamp - right.stamp ||
          compareDevices(left.author, right.author) ||
          left.seq - right.seq ||
          compareDevices(left.branch, right.branch)
        )
      },
      tell,
    },
  }
}
