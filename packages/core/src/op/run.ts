/**
 * A run: consecutive ops of one device, by columns. Its author first sealed them together; its bytes are the canonical
 * bytes of its ops (SPEC OP2, OP3), so a run is never divided or re-encoded once anything of it has left.
 *
 * Ops and changes are rows of the columns below: op i has the heads `headEnd[i - 1] .. headEnd[i]` (half-open) and the
 * changes `changeEnd[i - 1] .. changeEnd[i]`. The author's side appends to the same columns that a reader decodes, and
 * one projector serves both.
 */
import type { DeviceId, Dot } from '../clock/dot.ts'
import type { Hlc } from '../clock/hlc.ts'
import type { Value } from './value.ts'

/** What a change addresses below its row: a law, a table, and a field (or a path of keys in its JSON). */
export interface Shape {
  readonly law: number
  readonly table: string
  /** Empty where the law concerns the row itself. */
  readonly path: readonly string[]
}

/** The row of a change, as written: the row of the change before it in the op, a row introduced here, or a handle. */
export const SAME_ROW = 0
export const NEW_ROW = 1
/** `HANDLE + n`: the row that device `devices[n]` of the run introduced as its `rowOrdinal`-th, from 0. */
export const HANDLE = 2

/** The app's own event. */
export interface AppEvent {
  readonly name: string
  readonly value: Value
}

export interface Run {
  readonly device: DeviceId
  readonly fromSeq: number
  /** The key epoch at writing; a run never mixes epochs. */
  readonly keyEpoch: number
  /** Dictionary for heads, handles and `over`. */
  readonly devices: DeviceId[]
  readonly shapes: Shape[]

  // One entry an op.
  readonly hlc: Hlc[]
  readonly schemaVersion: number[]
  /** The author's position in the space's membership log. */
  readonly membership: number[]
  /** 0: an op of its own. Otherwise how many ops of its group are left, this one included (OP6). */
  readonly groupLeft: number[]
  readonly headEnd: number[]
  readonly changeEnd: number[]
  /** Bytes of the op without its heads, as OP7 counts them. */
  readonly opBytes: number[]
  /** Sparse: op index → event. */
  readonly events: Map<number, AppEvent>
  /** Sparse: ops that are void for what their own bytes say (depth). */
  readonly voids: Set<number>

  // One entry a head: the author had seen `devices[headDevice]` up to `headSeq`.
  readonly headDevice: number[]
  readonly headSeq: number[]

  // One entry a change.
  readonly shape: number[]
  /** SAME_ROW, NEW_ROW or HANDLE + device index. */
  readonly rowKind: number[]
  /** Meaningful for handles. */
  readonly rowOrdinal: number[]
  /** The id of a row introduced here; empty otherwise. */
  readonly rowId: string[]
  /** null where the law carries none. */
  readonly value: Value[]
  /** Sparse: change index → exactly the dots that it replaces (CELL2). */
  readonly over: Map<number, Dot[]>
}

export const createRun = (device: DeviceId, fromSeq: number, keyEpoch = 0): Run => ({
  device,
  fromSeq,
  keyEpoch,
  devices: [],
  shapes: [],
  hlc: [],
  schemaVersion: [],
  membership: [],
  groupLeft: [],
  headEnd: [],
  changeEnd: [],
  opBytes: [],
  events: new Map(),
  voids: new Set(),
  headDevice: [],
  headSeq: [],
  shape: [],
  rowKind: [],
  rowOrdinal: [],
  rowId: [],
  value: [],
  over: new Map(),
})

export const opCount = (run: Run): number => run.hlc.length
export const toSeqOf = (run: Run): number => run.fromSeq + run.hlc.length - 1
export const firstHead = (run: Run, op: number): number => (op === 0 ? 0 : run.headEnd[op - 1])
export const firstChange = (run: Run, op: number): number => (op === 0 ? 0 : run.changeEnd[op - 1])
