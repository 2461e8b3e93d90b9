/**
 * The cells in a local snapshot: by table, and in it by column, for that is small and fast to read. Rows are told by their place
 * in the order in which they are written.
 */
import { type CellState } from '../cells/cell-state.ts'
import {
  ABSENT,
  columnIndex,
  COMPOSED,
  COUNTED,
  type Row,
  SIBLINGS,
  type TableCells,
  type Write,
} from '../cells/row.ts'
import type { ByteReader, ByteWriter } from '../codec/bytes.ts'
import type { CounterTotal } from '../laws/counter.ts'
import type { DotRef } from '../op/dot-ref.ts'
import { readValue, type Value, writeValue } from '../op/value.ts'
import { readComposed, writeComposed } from './composed-codec.ts'
import { readRef, readRefs, writeRef, writeRefs } from './ref-codec.ts'
import { readSettled, writeSettled } from './settled-codec.ts'

/** The places of rows, in the order in which `writeCells` writes them. */
export const rowPlaces = (cells: CellState): Map<Row, number> => {
  const places = new Map<Row, number>()
  for (const table of cells.tables()) for (const row of table.rows.values()) places.set(row, places.size)
  return places
}

export const writeCells = (writer: ByteWriter, cells: CellState, places: ReadonlyMap<Row, number>): void => {
  const tables = [...cells.tables()]
  writer.varint(cells.lastRowNumber).varint(tables.length)
  for (const table of tables) writeTable(writer, table)
  writer.varint(cells.contested.size)
  for (const row of cells.contested) writer.varint(places.get(row)!)
  writeSettled(writer, cells.settled.newest(), places)
}

/** Into cells that are empty. Answers the rows by their places. */
export const readCells = (reader: ByteReader, cells: CellState): Row[] => {
  const rows: Row[] = []
  cells.lastRowNumber = reader.varint()
  for (let left = reader.count(); left > 0; left--) readTable(reader, cells, rows)
  for (let left = reader.count(); left > 0; left--) cells.contested.add(rows[reader.varint()])
  for (const settled of readSettled(reader, rows)) cells.settled.add(settled)
  return rows
}

const writeTable = (writer: ByteWriter, { name, columns, rows }: TableCells): void => {
  writer.string(name).varint(columns.length)
  for (const { law, path } of columns) {
    writer.varint(law).varint(path.length)
    for (const key of path) writer.string(key)
  }
  writer.varint(rows.size)
  for (const row of rows.values()) {
    writer
      .string(row.id)
      .varint(row.number)
      .varint(row.introducer + 1)
      .varint(row.ordinal)
    writeRef(writer, row.erased)
    writeRef(writer, row.created)
    writeRef(writer, row.updated)
    writeRefs(writer, row.touches)
    writeRefs(writer, row.deletes)
    writer.varint(row.refs.length)
  }
  for (let column = 0; column < columns.length; column++)
    for (const { refs, values } of rows.values())
      if (column < refs.length) writeCell(writer, columns[column].law, refs[column], values[column])
}

const readTable = (reader: ByteReader, cells: CellState, rows: Row[]): void => {
  const table = cells.table(reader.string())
  const columns = reader.count()
  for (let column = 0; column < columns; column++) {
    const law = reader.varint()
    const path: string[] = []
    for (let left = reader.count(); left > 0; left--) path.push(reader.string())
    columnIndex(table, law, path)
  }
  const own: Row[] = []
  for (let left = reader.count(); left > 0; left--) {
    const row: Row = {
      table,
      id: reader.string(),
      number: reader.varint(),
      introducer: reader.varint() - 1,
      ordinal: reader.varint(),
      erased: readRef(reader),
      created: readRef(reader),
      updated: readRef(reader),
      touches: readRefs(reader),
      deletes: readRefs(reader),
      values: [],
      refs: [],
      dirty: false,
      untold: false,
      undigested: false,
    }
    const length = reader.varint()
    row.refs = new Array<DotRef>(length).fill(ABSENT)
    row.values = new Array<Row['values'][number]>(length).fill(undefined)
    table.rows.set(row.id, row)
    own.push(row)
    rows.push(row)
  }
  for (let column = 0; column < columns; column++) {
    for (const row of own) if (column < row.refs.length) readCell(reader, row, column)
  }
}

const writeCell = (writer: ByteWriter, law: number, ref: DotRef, content: Row['values'][number]): void => {
  writeRef(writer, ref)
  if (ref === ABSENT) return
  if (ref === COUNTED) writer.string((content as CounterTotal).toString())
  else if (ref === COMPOSED) writeComposed(writer, law, content)
  else if (ref === SIBLINGS) {
    const writes = content as Write[]
    writer.varint(writes.length)
    for (const write of writes) {
      writeRef(writer, write.ref)
      writer.byte(write.isReopened === true ? 1 : 0)
      writeValue(writer, write.value)
    }
  } else writeValue(writer, content as Value)
}

const readCell = (reader: ByteReader, row: Row, column: number): void => {
  const ref = readRef(reader)
  row.refs[column] = ref
  if (ref === ABSENT) return
  if (ref === COUNTED) row.values[column] = totalOf(reader.string())
  else if (ref === COMPOSED) row.values[column] = readComposed(reader, row.table.columns[column].law)
  else if (ref === SIBLINGS) {
    const writes: Write[] = []
    for (let left = reader.count(); left > 0; left--) {
      const of = readRef(reader)
      const isReopened = reader.byte() === 1
      const value = readValue(reader)!
      writes.push(isReopened ? { ref: of, value, isReopened } : { ref: of, value })
    }
    row.values[column] = writes
  } else row.values[column] = readValue(reader)!
}

const totalOf = (text: string): CounterTotal => {
  const total = Number(text)
  return Number.isSafeInteger(total) ? total : BigInt(text)
}
