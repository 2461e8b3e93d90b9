/** A log opened again, op by op, and projected from scratch: what the checkers compare everything with. */
import { type Batch, type CellState, OpLog, Projector } from '@driftlog/core'
import { SPACE } from './disk-copy.ts'

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
  readonly projected: ReadonlyMap<string, number>
  readonly voidCount: number
}

type Run = NonNullable<ReturnType<OpLog['open']>['runs']>[number]['run']

export const openLog = (batches: readonly Batch[]): FinalLog => {
  const projector = new Projector()
  const log = new OpLog(SPACE, projector)
  const ops: LoggedOp[] = []
  for (const batch of batches) {
    const checked = log.check(batch)
    for (const { run } of checked.runs ?? []) for (let op = 0; op < run.hlc.length; op++) ops.push(opOf(run, op))
    log.receive(checked)
  }
  return {
    ops,
    cells: projector.cells,
    digest: hexOf(projector.cells.digest()),
    projected: projector.projected,
    voidCount: projector.voidCount,
  }
}

const opOf = (run: Run, op: number): LoggedOp => {
  const heads: { device: string; seq: number }[] = []
  for (let head = op === 0 ? 0 : run.headEnd[op - 1]; head < run.headEnd[op]; head++) {
    heads.push({ device: run.devices[run.headDevice[head]], seq: run.headSeq[head] })
  }
  return { device: run.device, seq: run.fromSeq + op, stamp: run.hlc[op], heads, marker: markerOf(run, op) }
}

/** What the op writes as its mark into its author's journal. */
export const markerOf = (run: Run, op: number): number | undefined => {
  for (let change = op === 0 ? 0 : run.changeEnd[op - 1]; change < run.changeEnd[op]; change++) {
    const { table, path } = run.shapes[run.shape[change]]
    if (table === 'journals' && path[0] === 'mark') return run.value[change] as number
  }
  return undefined
}

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
