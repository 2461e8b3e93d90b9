/** A log opened again, op by op, and projected from scratch: what the checkers compare everything with. */
import type { CellState } from '@driftlog/core'

export interface LoggedOp {
  readonly device: string
  readonly seq: number
  readonly stamp: number
  readonly heads: readonly { readonly device: string; readonly seq: number }[]
  /** The marker that it writes, where it writes one. */
  readonly marker: number | undefined
}

export interface FinalLog {
  readonly ops: readonly LoggedOp[]
  readonly cells: CellState
  readonly digest: string
  readonly voidCount: number
}
