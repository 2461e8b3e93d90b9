/** Conflicts that were settled, in a local snapshot. */
import type { Row } from '../cells/row.ts'
import type { LifeSide, Settled, SettledWrite } from '../cells/settled.ts'
import type { ByteReader, ByteWriter } from '../codec/bytes.ts'
import { readValue, writeValue } from '../op/value.ts'
import { readRef, writeRef } from './ref-codec.ts'

/** Of a candidate. */
const KNOWN = 1
const REOPENED = 2

export const writeSettled = (
  writer: ByteWriter,
  settled: readonly Settled[],
  places: ReadonlyMap<Row, number>,
): void => {
  writer.varint(settled.length)
  for (const one of settled) {
    writer.varint(places.get(one.row)!).string(one.reason)
    writeRef(writer, one.by)
    if (one.column === undefined) {
      writer
        .varint(0)
        .byte(one.isDeleted ? 1 : 0)
        .varint(one.sides.length)
      for (const { ref, isDelete } of one.sides) {
        writeRef(writer, ref)
        writer.byte(isDelete ? 1 : 0)
      }
      continue
    }
    writer.varint(one.column + 1)
    writeValue(writer, one.outcome)
    writer.varint(one.candidates.length)
    for (const { ref, value, isReopened } of one.candidates) {
      writeRef(writer, ref)
      writer.byte((value === undefined ? 0 : KNOWN) | (isReopened === true ? REOPENED : 0))
      if (value !== undefined) writeValue(writer, value)
    }
  }
}

export const readSettled = (reader: ByteReader, rows: readonly Row[]): Settled[] => {
  const settled: Settled[] = []
  for (let left = reader.count(); left > 0; left--) {
    const common = { row: rows[reader.varint()], reason: reader.string(), by: readRef(reader) }
    const column = reader.varint() - 1
    if (column < 0) {
      const isDeleted = reader.byte() === 1
      const sides: LifeSide[] = []
      for (let count = reader.count(); count > 0; count--)
        sides.push({ ref: readRef(reader), isDelete: reader.byte() === 1 })
      settled.push({ ...common, column: undefined, sides, isDeleted })
      continue
    }
    const outcome = readValue(reader)!
    const candidates: SettledWrite[] = []
    for (let count = reader.count(); count > 0; count--) {
      const ref = readRef(reader)
      const flags = reader.byte()
      const value = (flags & KNOWN) === 0 ? undefined : readValue(reader)
      candidates.push((flags & REOPENED) === 0 ? { ref, value } : { ref, value, isReopened: true })
    }
    settled.push({ ...common, column, candidates, outcome })
  }
  return settled
}
