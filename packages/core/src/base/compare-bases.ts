import { type Column, columnKey } from '../cells/row.ts'
import { deviceIdToBytes } from '../clock/dot.ts'
import { ByteWriter, equalBytes } from '../codec/bytes.ts'
import type { Base, BaseRow, BaseTable } from './base.ts'
import { encodeBase, writeLife } from './base-bytes.ts'
import { type RefWriter, writeCell } from './cell-bytes.ts'

/** Where two bases of one cut differ first: a part of the base or, of the cells, where in them. */
export interface BaseDifference {
  readonly part: 'cut' | 'vector' | 'cells' | 'log'
  readonly table?: string
  readonly row?: string
  /** undefined: the row is in one of them alone, or its life differs. */
  readonly column?: Column
}

type Told = (write: (writer: ByteWriter, refs: RefWriter) => void) => Uint8Array

/**
 * The first cell in which two bases differ, for the alarm: by table, row, column. Whole ops are told, not their places, so that what
 * differs elsewhere does not show in every cell. undefined: they are equal.
 */
export const compareBases = (a: Base, b: Base): BaseDifference | undefined => {
  if (a.space !== b.space || a.cut !== b.cut) return { part: 'cut' }
  if (a.vector.size !== b.vector.size || [...a.vector].some(([id, seq]) => b.vector.get(id) !== seq))
    return { part: 'vector' }
  const [left, right] = [teller(a), teller(b)]
  const tables = both(a.tables, b.tables, ({ name }) => name)
  for (const [name, one, other] of tables) {
    const at = firstDifference(one, other, left, right)
    if (at !== undefined) return { part: 'cells', table: name, ...at }
  }
  return equalBytes(encodeBase(a), encodeBase(b)) ? undefined : { part: 'log' }
}

const teller = ({ refs }: Base): Told => {
  const writer = new ByteWriter(1024)
  const write = (ref: number): void => {
    const { branch, seq, stamp } = refs.tell(ref)
    writer.raw(deviceIdToBytes(branch)).varint(seq).varint(stamp)
  }
  return (tell) => {
    tell(writer.reset(), { write, compare: (a, b) => refs.compare(a, b) })
    return writer.finish()
  }
}

const firstDifference = (
  a: BaseTable | undefined,
  b: BaseTable | undefined,
  left: Told,
  right: Told,
): Pick<BaseDifference, 'row' | 'column'> | undefined => {
  const columns = both(a?.columns ?? [], b?.columns ?? [], ({ law, path }) => columnKey(law, path))
  for (const [id, one, other] of both(a?.rows ?? [], b?.rows ?? [], (row) => row.id)) {
    if (one === undefined || other === undefined) return { row: id }
    if (!equalBytes(left(lifeOf(one)), right(lifeOf(other)))) return { row: id }
    for (const [, mine, theirs] of columns) {
      const own = left(cellOf(one, a, mine))
      if (!equalBytes(own, right(cellOf(other, b, theirs)))) return { row: id, column: mine ?? theirs }
    }
  }
  return undefined
}

const lifeOf =
  (row: BaseRow) =>
  (writer: ByteWriter, refs: RefWriter): void => {
    if (row.erased > 0) refs.write(row.erased)
    else writeLife(writer, row, refs)
  }

const cellOf =
  (row: BaseRow, table: BaseTable | undefined, column: Column | undefined) =>
  (writer: ByteWriter, refs: RefWriter): void => {
    const at = column === undefined ? -1 : table!.columns.indexOf(column)
    if (at < 0 || row.erased > 0) writer.byte(0)
    else writeCell(writer, column!.law, row.refs[at], row.values[at], refs)
  }

/** What is in one or both of two lists, by name, rising. */
const both = <T>(
  a: readonly T[],
  b: readonly T[],
  nameOf: (item: T) => string,
): [name: string, one: T | undefined, other: T | undefined][] => {
  const [left, right] = [a, b].map((items) => new Map(items.map((item) => [nameOf(item), item])))
  return [...new Set([...left.keys(), ...right.keys()])]
    .sort((x, y) => (x < y ? -1 : 1))
    .map((name) => [name, left.get(name), right.get(name)])
}
