/**
 * Writing ops: appends them to a run that is not sealed yet. The author's side of run.ts.
 */
import type { DeviceId, Dot } from '../clock/dot.ts'
import type { Hlc } from '../clock/hlc.ts'
import { textBytes } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import { Law } from './law.ts'
import { createRun, HANDLE, NEW_ROW, opCount, type Run, SAME_ROW, type Shape } from './run.ts'
import { CHANGE_OVERHEAD_BYTES, MAX_GROUP_OPS, MAX_OP_BYTES, OVER_DOT_BYTES } from './run-codec.ts'
import { type Value, valueBytes } from './value.ts'

export const MAX_ROW_ID_LENGTH = 128

/** A change as the author of an op states it. */
export interface NewChange {
  /** Told apart by identity: make each shape once and keep it. */
  readonly shape: Shape
  readonly rowId: string
  /** How an earlier op introduced the row; undefined where none did that is projected here. */
  readonly handle: { readonly device: DeviceId; readonly ordinal: number } | undefined
  readonly value: Value
  readonly over?: readonly Dot[]
}

/** What the ops of one mutation share. */
export interface OpContext {
  readonly hlc: Hlc
  readonly heads: readonly Dot[]
  readonly schemaVersion: number
  /** How much of the log of members the author knows; 0 by default, for a space without one. */
  readonly membership?: number
}

/** What a mutation does to one row: changes that stand together, without an object for each. */
export interface RowChanges {
  readonly rowId: string
  /** See `NewChange`. */
  readonly handle: NewChange['handle']
  /** All of one table. */
  readonly shapes: readonly Shape[]
  /** One a shape. */
  readonly values: readonly Value[]
  /** Sparse, by index; undefined: none says so. */
  readonly over: ReadonlyMap<number, readonly Dot[]> | undefined
}

/** Changes to the same row that follow each other are put together. */
export const byRow = (changes: readonly NewChange[]): RowChanges[] => {
  const rows: RowChanges[] = []
  for (let from = 0; from < changes.length; ) {
    const { rowId, handle, shape } = changes[from]
    let to = from + 1
    while (to < changes.length && changes[to].rowId === rowId && changes[to].shape.table === shape.table) to++
    const part = changes.slice(from, to)
    const over = new Map(part.flatMap((change, index) => (change.over === undefined ? [] : [[index, change.over]])))
    rows.push({
      rowId,
      handle,
      shapes: part.map((change) => change.shape),
      values: part.map(({ value }) => value),
      over: over.size === 0 ? undefined : over,
    })
    from = to
  }
  return rows
}

/** What the id of a row counts for in each change to it. Throws VALUE_INVALID. */
const idBytes = ({ rowId, handle }: RowChanges): number => {
  if (rowId === '' || rowId.length > MAX_ROW_ID_LENGTH || !rowId.isWellFormed()) {
    throw new DriftlogError('VALUE_INVALID', `row id: 1 to ${MAX_ROW_ID_LENGTH} characters of well-formed text`)
  }
  return handle === undefined ? textBytes(rowId) : 0
}

/** An upper bound of what a change counts for under OP7, without its row. Throws VALUE_INVALID for what cannot be represented. */
const changeBytes = ({ shapes, values, over }: RowChanges, index: number): number => {
  const value = values[index]
  if (shapes[index].law === Law.increment && !Number.isSafeInteger(value)) {
    throw new DriftlogError('VALUE_INVALID', 'an increment is a whole number')
  }
  const dots = over === undefined ? 0 : (over.get(index)?.length ?? 0)
  return CHANGE_OVERHEAD_BYTES + valueBytes(value) + dots * OVER_DOT_BYTES
}

/** How a mutation is divided into ops: the changes of each end before a number, and count for so much. */
interface Parts {
  readonly ends: number[]
  readonly sizes: number[]
}

const divide = (rows: readonly RowChanges[]): Parts => {
  const ends: number[] = []
  const sizes: number[] = []
  let bytes = 0
  // Of the changes from `from` on, which stand in one op.
  let size = 0
  let from = 0
  let at = 0
  for (const row of rows) {
    const { shapes } = row
    const perChange = idBytes(row)
    for (let index = 0; index < shapes.length; index++) {
      size += perChange + changeBytes(row, index)
      at++
      const { law, table, path } = shapes[index]
      // It is about the change that follows, and counts in the same op alone (CONF3).
      if (law === Law.resolve && index + 1 < shapes.length) continue
      if (size > MAX_OP_BYTES) {
        throw new DriftlogError('TOO_LARGE', `${table}.${path.join('.')}`, { bytes: size, limit: MAX_OP_BYTES })
      }
      if (bytes + size > MAX_OP_BYTES) {
        ends.push(from)
        sizes.push(bytes)
        bytes = 0
      }
      bytes += size
      size = 0
      from = at
    }
  }
  ends.push(at)
  sizes.push(bytes)
  return { ends, sizes }
}

/** Columns that grow by so many changes at once are made that long first: growing them step by step leaves copies behind. */
const MANY_CHANGES = 1024

const makeRoom = (run: Run, count: number): void => {
  if (count < MANY_CHANGES) return
  const length = run.shape.length + count
  for (const column of [run.shape, run.rowKind, run.rowOrdinal, run.rowId, run.value] as unknown[][])
    column.length = length
}

export class Author {
  run: Run
  readonly #devices = new Map<DeviceId, number>()
  readonly #shapes = new Map<Shape, number>()

  readonly #epoch: () => number

  /** `epoch`: the key epoch to write in, asked for each run. */
  constructor(device: DeviceId, fromSeq: number, epoch: () => number = () => 0) {
    this.#epoch = epoch
    this.run = createRun(device, fromSeq, epoch())
  }

  get nextSeq(): number {
    return this.run.fromSeq + opCount(this.run)
  }

  /** Whether the next op needs a run of its own: a run never mixes key epochs or membership positions. */
  needsNewRun(membership: number): boolean {
    const count = opCount(this.run)
    return this.run.keyEpoch !== this.#epoch() || (count > 0 && this.run.membership[count - 1] !== membership)
  }

  /** Goes on with an empty run, once what was written is sealed. */
  restart(): void {
    this.run = createRun(this.run.device, this.nextSeq, this.#epoch())
    this.#devices.clear()
    this.#shapes.clear()
  }

  /**
   * Appends one mutation: one op, or a group of ops where it is too large for one (OP6). `resolve` is in one op with the change
   * that it is about. Returns the number of ops. Throws VALUE_INVALID and TOO_LARGE before anything is appended.
   */
  append(rows: readonly RowChanges[], context: OpContext): number {
    const { ends, sizes } = divide(rows)
    if (ends.length > MAX_GROUP_OPS) {
      throw new DriftlogError('TOO_LARGE', 'one mutation', { ops: ends.length, limit: MAX_GROUP_OPS })
    }
    const { run } = this
    makeRoom(run, ends[ends.length - 1])
    for (const head of context.heads) {
      run.headDevice.push(this.#device(head.device))
      run.headSeq.push(head.seq)
    }
    const base = run.changeEnd.length === 0 ? 0 : run.changeEnd[run.changeEnd.length - 1]
    let row = 0
    let index = 0
    let at = base
    for (let part = 0; part < ends.length; part++) {
      const end = base + ends[part]
      while (at < end) {
        const { shapes } = rows[row]
        const to = Math.min(shapes.length, index + end - at)
        this.#appendChanges(rows[row], index, to, at)
        at += to - index
        index = to
        if (to < shapes.length) break
        row++
        index = 0
      }
      const left = ends.length - part
      run.hlc.push(context.hlc)
      run.schemaVersion.push(context.schemaVersion)
      run.membership.push(context.membership ?? 0)
      run.groupLeft.push(ends.length === 1 ? 0 : left)
      run.headEnd.push(run.headSeq.length)
      run.changeEnd.push(at)
      run.opBytes.push(sizes[part])
    }
    return ends.length
  }

  /** Changes `[from, to)` to a row, as those of the run from `at` on. */
  #appendChanges({ rowId, handle, shapes, values, over }: RowChanges, from: number, to: number, at: number): void {
    const { run } = this
    run.shape[at] = this.#shape(shapes[from])
    run.rowKind[at] = handle === undefined ? NEW_ROW : HANDLE + this.#device(handle.device)
    run.rowOrdinal[at] = handle === undefined ? 0 : handle.ordinal
    run.rowId[at] = handle === undefined ? rowId : ''
    run.value[at] = values[from]
    for (let index = from + 1, next = at + 1; index < to; index++, next++) {
      run.shape[next] = this.#shape(shapes[index])
      run.rowKind[next] = SAME_ROW
      run.rowOrdinal[next] = 0
      run.rowId[next] = ''
      run.value[next] = values[index]
    }
    if (over === undefined) return
    for (const [index, dots] of over) {
      if (index < from || index >= to) continue
      for (const dot of dots) this.#device(dot.device)
      run.over.set(at + index - from, [...dots])
    }
  }

  #device(device: DeviceId): number {
    let index = this.#devices.get(device)
    if (index === undefined) {
      index = this.run.devices.push(device) - 1
      this.#devices.set(device, index)
    }
    return index
  }

  #shape(shape: Shape): number {
    let index = this.#shapes.get(shape)
    if (index === undefined) {
      index = this.run.shapes.push(shape) - 1
      this.#shapes.set(shape, index)
    }
    return index
  }
}
