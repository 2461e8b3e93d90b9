/**
 * Histories for the tests of the composed laws: ops of several devices, with real concurrency and causally closed seen
 * vectors, the causal orders in which they may come, and the state in which a law ends.
 */
import fc from 'fast-check'
import { ByteWriter } from '../codec/bytes.ts'
import { deviceOfRef, dotRef, type DotRef, seqOfRef } from '../op/dot-ref.ts'
import { hexOf } from '../testing/replicas.test-support.ts'
import type { Compare, ComposedLaw, Entering, LawChange } from './composed.ts'

export interface HistoryOp extends Entering {
  readonly device: number
  readonly seq: number
  /** Above the stamps of all that it saw. */
  readonly stamp: number
  /** By device: how many of its ops this one saw. Of its own device: all before it. */
  readonly seen: readonly number[]
  readonly changes: readonly LawChange[]
}

export interface History {
  /** In a causal order. */
  readonly ops: readonly HistoryOp[]
  readonly compare: Compare
}

/** `saw`: ops by their places in the list, all before this one; what they saw is seen as well. */
export interface Step {
  readonly device: number
  readonly saw?: readonly number[]
  readonly changes: readonly LawChange[]
  /** By how much the device's clock is ahead. 0 where it is not named. */
  readonly ahead?: number
}

export const historyOf = (steps: readonly Step[]): History => {
  const ops: HistoryOp[] = []
  const devices = 1 + Math.max(-1, ...steps.map(({ device }) => device))
  for (const { device, saw = [], changes, ahead = 0 } of steps) {
    const own = ops.filter((op) => op.device === device)
    const seenOps = [...own, ...saw.map((index) => ops[index])]
    const seen = Array.from({ length: devices }, (_, other) =>
      Math.max(0, ...seenOps.map((op) => Math.max(op.seen[other], op.device === other ? op.seq : 0))),
    )
    const seq = own.length + 1
    const ref = dotRef(device, seq)
    ops.push({
      ref,
      device,
      seq,
      stamp: 1 + ahead + Math.max(0, ...seenOps.map(({ stamp }) => stamp)),
      seen,
      changes,
      sees: (other) => other === ref || seqOfRef(other) <= seen[deviceOfRef(other)],
    })
  }
  const stamps = new Map(ops.map(({ ref, stamp }) => [ref, stamp]))
  return { ops, compare: (a, b) => stamps.get(a)! - stamps.get(b)! || a - b }
}

export interface HistoryShape {
  /** 3 unless told. */
  readonly devices?: number
  /** At most this many ops. */
  readonly ops: number
  /** At most this many changes in one op: 3 unless told. */
  readonly changes?: number
}

/** Random histories: each op saw any few of those before it, with all that these saw. */
export const histories = (
  change: fc.Arbitrary<LawChange>,
  { devices = 3, ops, changes = 3 }: HistoryShape,
): fc.Arbitrary<History> =>
  fc
    .array(
      fc.record({
        device: fc.nat(devices - 1),
        saw: fc.array(fc.nat(ops - 1), { maxLength: 2 }),
        changes: fc.array(change, { minLength: 1, maxLength: changes }),
        ahead: fc.nat(2),
      }),
      { minLength: 1, maxLength: ops },
    )
    .map((steps) =>
      historyOf(steps.map((step, index) => ({ ...step, saw: step.saw.filter((other) => other < index) }))),
    )

const isReady = (op: HistoryOp, counts: readonly number[]): boolean =>
  op.seq === counts[op.device] + 1 && op.seen.every((seq, device) => seq <= counts[device])

const countsOf = ({ ops }: History): number[] => Array.from({ length: ops[0]?.seen.length ?? 0 }, () => 0)

/** Every order in which what an op saw comes before it: up to n! many. */
export const causalOrders = (history: History): HistoryOp[][] => {
  const orders: HistoryOp[][] = []
  const goOn = (order: HistoryOp[], counts: readonly number[]): void => {
    if (order.length === history.ops.length) orders.push(order)
    for (const op of history.ops)
      if (isReady(op, counts)) goOn([...order, op], counts.with(op.device, counts[op.device] + 1))
  }
  goOn([], countsOf(history))
  return orders
}

/** One of the causal orders, told by `choices` (any whole numbers >= 0, used over and over). */
export const causalOrder = (history: History, choices: readonly number[]): HistoryOp[] => {
  const order: HistoryOp[] = []
  const counts = countsOf(history)
  while (order.length < history.ops.length) {
    const ready = history.ops.filter((op) => isReady(op, counts))
    const op = ready[(choices[order.length % choices.length] ?? 0) % ready.length]
    order.push(op)
    counts[op.device]++
  }
  return order
}

/** A history and several of its causal orders, the first as it was written: for histories too long for all orders. */
export const orderedHistories = (
  change: fc.Arbitrary<LawChange>,
  shape: HistoryShape,
): fc.Arbitrary<{ history: History; orders: HistoryOp[][] }> =>
  fc
    .tuple(
      histories(change, shape),
      fc.array(fc.array(fc.nat(1000), { minLength: 1, maxLength: shape.ops }), { minLength: 3, maxLength: 5 }),
    )
    .map(([history, choices]) => ({
      history,
      orders: [[...history.ops], ...choices.map((choice) => causalOrder(history, choice))],
    }))

export const runLaw = <State>(law: ComposedLaw<State>, order: readonly HistoryOp[]): State => {
  const state = law.create()
  for (const op of order)
    for (const change of op.changes) {
      if (!law.fits(change)) throw new Error(`does not fit: ${JSON.stringify(change)}`)
      law.enter(state, change, op)
    }
  return state
}

/** The bytes that the digest is over, in hex. */
export const digestBytes = <State>(law: ComposedLaw<State>, state: State, compare: Compare): string => {
  const writer = new ByteWriter()
  const writeRef = (ref: DotRef): void => void writer.varint(deviceOfRef(ref)).varint(seqOfRef(ref))
  law.write(state, writer, writeRef, compare)
  return hexOf(writer.finish())
}
