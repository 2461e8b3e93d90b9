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
}

/** An upper bound of what a change counts for under OP7. Throws VALUE_INVALID for what cannot be represented. */
const changeBytes = ({ rowId, shape, handle, value, over }: NewChange): number => {
  if (rowId === '' || rowId.length > MAX_ROW_ID_LENGTH || !rowId.isWellFormed()) {
    throw new DriftlogError('VALUE_INVALID', `row id: 1 to ${MAX_ROW_ID_LENGTH} characters of well-formed text`)
  }
  if (shape.law === Law.increment && !Number.isSafeInteger(value)) {
    throw new DriftlogError('VALUE_INVALID', 'an increment is a whole number')
  }
  const idBytes = handle === undefined ? textBytes(rowId) : 0
  return CHANGE_OVERHEAD_BYTES + idBytes + valueBytes(value) + (over?.length ?? 0) * OVER_DOT_BYTES
}

/** Changes `[from, to)` of a mutation, and what they count for. */
interface OpPart {
  readonly from: number
  readonly to: number
  readonly bytes: number
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

  /** A run never mixes epochs: a key that came counts from the next run on, and for one in which nothing is yet. */
  followEpoch(): void {
    if (opCount(this.run) === 0 && this.run.keyEpoch !== this.#epoch()) this.restart()
  }

  /** Goes on with an empty run, once what was written is sealed. */
  restart(): void {
    this.run = createRun(this.run.device, this.nextSeq, this.#epoch())
    this.#devices.clear()
    this.#shapes.clear()
  }

  /**
   * Appends one mutation: one op, or a group of ops where it is too large for one (OP6). Changes to one row stand
   * together, and `resolve` is in one op with the change that it is about. Returns the number of ops. Throws VALUE_INVALID and
   * TOO_LARGE before anything is appended.
   */
  append(changes: readonly NewChange[], context: OpContext): number {
    const ends: number[] = []
    const sizes: number[] = []
    let bytes = 0
    // Of the changes from `from` on, which stand in one op.
    let size = 0
    let from = 0
    for (let index = 0; index < changes.length; index++) {
      const { shape } = changes[index]
      size += changeBytes(changes[index])
      // It is about the change that follows, and counts in the same op alone (CONF3).
      if (shape.law === Law.resolve && index + 1 < changes.length) continue
      if (size > MAX_OP_BYTES) {
        throw new DriftlogError('TOO_LARGE', `${shape.table}.${shape.path.join('.')}`, {
          bytes: size,
          limit: MAX_OP_BYTES,
        })
      }
      if (bytes + size > MAX_OP_BYTES) {
        ends.push(from)
        sizes.push(bytes)
        bytes = 0
      }
      bytes += size
      size = 0
      from = index + 1
    }
    ends.push(changes.length)
    sizes.push(bytes)
    if (ends.length > MAX_GROUP_OPS) {
      throw new DriftlogError('TOO_LARGE', 'one mutation', { ops: ends.length, limit: MAX_GROUP_OPS })
    }
    makeRoom(this.run, changes.length)
    let start = 0
    for (let part = 0; part < ends.length; part++) {
      this.#appendOp(changes, { from: start, to: ends[part], bytes: sizes[part] }, context, ends.length - part)
      start = ends[part]
    }
    return ends.length
  }

  /** One op of the changes `[from, to)`. */
  #appendOp(changes: readonly NewChange[], part: OpPart, context: OpContext, groupLeft: number): void {
    const { run } = this
    const isFirst = part.from === 0
    if (isFirst) {
      for (const head of context.heads) {
        run.headDevice.push(this.#device(head.device))
        run.headSeq.push(head.seq)
      }
    }
    let previous: NewChange | undefined
    let at = run.changeEnd.length === 0 ? 0 : run.changeEnd[run.changeEnd.length - 1]
    for (let index = part.from; index < part.to; index++, at++) {
      const change = changes[index]
      const { shape, rowId, handle, over } = change
      run.shape[at] = this.#shape(shape)
      if (previous !== undefined && previous.rowId === rowId && previous.shape.table === shape.table) {
        run.rowKind[at] = SAME_ROW
        run.rowOrdinal[at] = 0
        run.rowId[at] = ''
      } else if (handle === undefined) {
        run.rowKind[at] = NEW_ROW
        run.rowOrdinal[at] = 0
        run.rowId[at] = rowId
      } else {
        run.rowKind[at] = HANDLE + this.#device(handle.device)
        run.rowOrdinal[at] = handle.ordinal
        run.rowId[at] = ''
      }
      run.value[at] = change.value
      if (over !== undefined) {
        for (const dot of over) this.#device(dot.device)
        run.over.set(at, [...over])
      }
      previous = change
    }
    run.hlc.push(context.hlc)
    run.schemaVersion.push(context.schemaVersion)
    run.membership.push(0)
    run.groupLeft.push(groupLeft === 1 && isFirst ? 0 : groupLeft)
    run.headEnd.push(run.headSeq.length)
    run.changeEnd.push(at)
    run.opBytes.push(part.bytes)
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
