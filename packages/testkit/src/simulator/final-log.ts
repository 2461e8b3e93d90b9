/** A log opened again, op by op, and projected from scratch: what the checkers compare everything with. */
import {
  type Batch,
  type CellState,
  type DeviceId,
  type Dot,
  Law,
  OpLog,
  Projector,
  type StoredBatch,
  type Value,
} from '@driftlog/core'
import type { SpaceOpened } from './space-keys.ts'

export interface LoggedOp {
  /** The branch that it is part of: where nothing forked, the device that wrote it. */
  readonly branch: DeviceId
  readonly seq: number
  /** Whether what it saw is there too. */
  readonly isShown: boolean
  /** The stamp that counts, after any shift. */
  readonly stamp: number
  /** As its author named them. */
  readonly heads: readonly { readonly device: string; readonly seq: number }[]
  /** The marker that it writes, where it writes one. */
  readonly marker: number | undefined
}

/** A change to a row of the tables with laws, as it was written. */
export interface LoggedChange {
  readonly table: string
  readonly row: string
  readonly law: number
  readonly path: readonly string[]
  readonly value: Value
  readonly over: readonly Dot[] | undefined
}

/** What names the mutations that bear no marker: `device seq` → marker. */
export type Unmarked = ReadonlyMap<string, number>

export interface FinalLog {
  readonly ops: readonly LoggedOp[]
  /** By `branch seq`. */
  readonly lawChanges: ReadonlyMap<string, readonly LoggedChange[]>
  readonly cells: CellState
  readonly digest: string
  readonly projected: ReadonlyMap<string, number>
  readonly voidCount: number
}

type Run = NonNullable<ReturnType<OpLog['open']>['runs']>[number]['run']

export const openLog = (
  stored: readonly StoredBatch[],
  unmarked: Unmarked,
  { keyring, members }: SpaceOpened,
): FinalLog => {
  const projector = new Projector()
  const lawChanges = listen(projector)
  const log = new OpLog(keyring, projector, members)
  for (const { batch } of stored) log.addStated(batch)
  const runs: { readonly run: Run; readonly branch: DeviceId }[] = []
  for (const { batch, branch } of stored) {
    const checked = log.check(batch)
    for (const { run } of checked.runs ?? []) runs.push({ run, branch })
    log.receive(checked, branch)
  }
  const { ops: index } = projector
  const ops: LoggedOp[] = []
  for (const { run, branch } of runs) {
    for (let op = 0; op < run.hlc.length; op++) {
      const seq = run.fromSeq + op
      const isShown = (projector.projected.get(branch) ?? 0) >= seq
      const stamp = isShown ? index.stamp(index.refOf({ device: branch, seq })) : run.hlc[op]
      ops.push({
        branch,
        seq,
        isShown,
        stamp,
        heads: headsOf(run, op),
        marker: markerOf(run, op) ?? unmarked.get(`${branch} ${seq}`),
      })
    }
  }
  return {
    ops,
    lawChanges,
    cells: projector.cells,
    digest: hexOf(projector.cells.digest()),
    projected: projector.projected,
    voidCount: projector.voidCount,
  }
}

/** The markers that batches bear, whether or not they can be part of any log. */
export const markersOf = (
  batches: readonly Batch[],
  unmarked: Unmarked,
  { keyring }: SpaceOpened,
): ReadonlySet<number> => {
  const log = new OpLog(keyring, new Projector())
  const markers = new Set<number>()
  for (const batch of batches) {
    for (const { run } of log.open(batch).runs ?? []) {
      for (let op = 0; op < run.hlc.length; op++) {
        const marker = markerOf(run, op) ?? unmarked.get(`${batch.header.device} ${run.fromSeq + op}`)
        if (marker !== undefined) markers.add(marker)
      }
    }
  }
  return markers
}

const listen = (projector: Projector): Map<string, LoggedChange[]> => {
  const changes = new Map<string, LoggedChange[]>()
  projector.onApply = (row, { shape, value, over }, op) => {
    const { law, table, path } = shape
    if (table !== 'things' && table !== 'folders') return
    const { device, seq } = projector.ops.dotOf(op.ref)
    const key = `${device} ${seq}`
    const known = changes.get(key) ?? []
    changes.set(key, known)
    known.push({ table, row: row.id, law, path, value, over })
  }
  return changes
}

const headsOf = (run: Run, op: number): LoggedOp['heads'] => {
  const heads: { device: string; seq: number }[] = []
  for (let head = op === 0 ? 0 : run.headEnd[op - 1]; head < run.headEnd[op]; head++) {
    heads.push({ device: run.devices[run.headDevice[head]], seq: run.headSeq[head] })
  }
  return heads
}

/** What the op writes as its mark into its author's journal. */
const markerOf = (run: Run, op: number): number | undefined => {
  for (let change = op === 0 ? 0 : run.changeEnd[op - 1]; change < run.changeEnd[op]; change++) {
    const { law, table, path } = run.shapes[run.shape[change]]
    // A change may also say that another one of its op settles a conflict of the field.
    if (law === Law.set && table === 'journals' && path[0] === 'mark') return run.value[change] as number
  }
  return undefined
}

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
