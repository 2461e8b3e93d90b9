/**
 * Writing ops: appends them to a run that is not sealed yet. The author's side of run.ts.
 */
import type { DeviceId, Dot } from '../clock/dot.ts'
import type { Hlc } from '../clock/hlc.ts'
import { ByteWriter } from '../codec/bytes.ts'
import { DriftlogError } from '../errors.ts'
import { Law } from './law.ts'
import { createRun, HANDLE, NEW_ROW, opCount, type Run, SAME_ROW, type Shape } from './run.ts'
import { CHANGE_OVERHEAD_BYTES, MAX_GROUP_OPS, MAX_OP_BYTES, OVER_DOT_BYTES } from './run-codec.ts'
import { type Value, writeValue } from './value.ts'

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

// One buffer for all measuring: it runs for every change, and a new buffer would cost more than the writing.
const scratch = new ByteWriter(1024)

/** An upper bound of what a change counts for under OP7. Throws VALUE_INVALID for what cannot be represented. */
const changeBytes = (change: NewChange): number => {
  if (change.rowId === '' || change.rowId.length > MAX_ROW_ID_LENGTH || !change.rowId.isWellFormed()) {
    throw new DriftlogError('VALUE_INVALID', `row id: 1 to ${MAX_ROW_ID_LENGTH} characters of well-formed text`)
  }
  if (change.shape.law === Law.increment && !Number.isSafeInteger(change.value)) {
    throw new DriftlogError('VALUE_INVALID', 'an increment is a whole number')
  }
  scratch.reset()
  if (change.handle === undefined) scratch.string(change.rowId)
  writeValue(scratch, change.value)
  return CHANGE_OVERHEAD_BYTES + scratch.length + (change.over?.length ?? 0) * OVER_DOT_BYTES
}

export class Author {
  run: Run
  readonly #devices = new Map<DeviceId, number>()
  readonly #shapes = new Map<Shape, number>()

  constructor(device: DeviceId, fromSeq: number) {
    this.run = createRun(device, fromSeq)
  }

  get nextSeq(): number {
    return this.run.fromSeq + opCount(this.run)
  }

  /** Goes on with an empty run, once what was written is sealed. */
  restart(): void {
    this.run = createRun(this.run.device, this.nextSeq)
    this.#devices.clear()
    this.#shapes.clear()
  }

  /**
   * Appends one mutation: one op, or a group of ops where it is too large for one (OP6). Changes to one row stand
   * together, and `resolve` is in one op with the change that it is about. Returns the number of ops. Throws VALUE_INVALID and
   * TOO_LARGE before anything is appended.
   */
  append(changes: readonly NewChange[], context: OpContext): number {
    const sizes = changes.map(changeBytes)
    const ends: number[] = []
    let bytes = 0
    // Of the changes from `from` on, which stand in one op.
    let size = 0
    let from = 0
    changes.forEach(({ shape }, index) => {
      size += sizes[index]
      // It is about the change that follows, and counts in the same op alone (CONF3).
      if (shape.law === Law.resolve && index + 1 < changes.length) return
      if (size > MAX_OP_BYTES) {
        throw new DriftlogError('TOO_LARGE', `${shape.table}.${shape.path.join('.')}`, {
          bytes: size,
          limit: MAX_OP_BYTES,
        })
      }
      if (bytes + size > MAX_OP_BYTES) {
        ends.push(from)
        bytes = 0
      }
      bytes += size
      size = 0
      from = index + 1
    })
    ends.push(changes.length)
    if (ends.length > MAX_GROUP_OPS) {
      throw new DriftlogError('TOO_LARGE', 'one mutation', { ops: ends.length, limit: MAX_GROUP_OPS })
    }
    let start = 0
    ends.forEach((end, part) => {
      this.#appendOp(changes.slice(start, end), sizes.slice(start, end), context, ends.length - part, part === 0)
      start = end
    })
    return ends.length
  }

  #appendOp(
    changes: readonly NewChange[],
    sizes: readonly number[],
    context: OpContext,
    groupLeft: number,
    isFirst: boolean,
  ): void {
    const { run } = this
    if (isFirst) {
      for (const head of context.heads) {
        run.headDevice.push(this.#device(head.device))
        run.headSeq.push(head.seq)
      }
    }
    let previous: NewChange | undefined
    let bytes = 0
    changes.forEach((change, index) => {
      run.shape.push(this.#shape(change.shape))
      const isSame = previous?.rowId === change.rowId && previous.shape.table === change.shape.table
      const isNew = !isSame && change.handle === undefined
      run.rowKind.push(isSame ? SAME_ROW : isNew ? NEW_ROW : HANDLE + this.#device(change.handle!.device))
      run.rowOrdinal.push(isSame || isNew ? 0 : change.handle!.ordinal)
      run.rowId.push(isNew ? change.rowId : '')
      run.value.push(change.value)
      if (change.over !== undefined) {
        for (const dot of change.over) this.#device(dot.device)
        run.over.set(run.shape.length - 1, [...change.over])
      }
      bytes += sizes[index]
      previous = change
    })
    run.hlc.push(context.hlc)
    run.schemaVersion.push(context.schemaVersion)
    run.membership.push(0)
    run.groupLeft.push(groupLeft === 1 && isFirst ? 0 : groupLeft)
    run.headEnd.push(run.headSeq.length)
    run.changeEnd.push(run.shape.length)
    run.opBytes.push(bytes)
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
