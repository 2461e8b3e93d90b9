/**
 * What the laws of composed cells share: cells that hold more than one register (sets, lists, JSON under deep merge). Each
 * law is a file: how a change enters the cell, the bytes that its digest is over, and what views of it show.
 */
import type { ByteWriter } from '../codec/bytes.ts'
import type { DotRef } from '../op/dot-ref.ts'
import type { Value } from '../op/value.ts'

/** The op whose change enters a cell. */
export interface Entering {
  readonly ref: DotRef
  /** Whether the op had seen another one, or is it. */
  sees(ref: DotRef): boolean
}

/** A change as its law reads it: its law number, the keys below the field, and the value that it carries. */
export interface LawChange {
  readonly law: number
  readonly keys: readonly string[]
  readonly value: Value
}

/** The total order of ops (CELL10). */
export type Compare = (a: DotRef, b: DotRef) => number

export interface ComposedLaw<State> {
  /** Whether a change has the shape that the law asks for; an op with one that has not is void (OP5). */
  fits(change: LawChange): boolean
  create(): State
  /** Changes of one op come in their order. Any causal order of ops ends in an equal state. */
  enter(state: State, change: LawChange, op: Entering): void
  /** Equal bytes for equal states, whatever the order in which ops came. */
  write(state: State, writer: ByteWriter, writeRef: (ref: DotRef) => void, compare: Compare): void
}
