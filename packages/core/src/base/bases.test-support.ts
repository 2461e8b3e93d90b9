/** Cuts of histories, and what can be told of a state from outside. */
import type { OpIndex } from '../cells/ops.ts'
import { SIBLINGS, type Write } from '../cells/row.ts'
import { compareDevices, type DeviceId, type Dot } from '../clock/dot.ts'
import type { Hlc } from '../clock/hlc.ts'
import type { VersionVector } from '../clock/version-vector.ts'
import { Keyring } from '../crypto/keyring.ts'
import { type Batch, decodeBatch } from '../log/batch.ts'
import { foreignReferences } from '../log/chain-index.ts'
import { OpLog } from '../log/op-log.ts'
import { dotRef } from '../op/dot-ref.ts'
import { firstHead, toSeqOf } from '../op/run.ts'
import { Projector } from '../projection/projector.ts'
import type { Conflict } from '../projection/view/conflict.ts'
import { SchemaView } from '../projection/view/schema-view.ts'
import { f } from '../schema/f.ts'
import { defineSchema, table } from '../schema/schema.ts'
import { hexOf, interleave, SPACE } from '../testing/replicas.test-support.ts'
import { decodeBase } from './base-bytes.ts'
import { type FoldedBase, foldBase } from './fold-base.ts'
import { openBase, type OpenedBase } from './open-base.ts'

export const keyring = Keyring.unencrypted(SPACE)

export interface Held {
  readonly batch: Batch
  readonly branch: DeviceId
}

export interface State {
  readonly log: OpLog
  readonly projector: Projector
}

export const heldOf = (batches: readonly Uint8Array[]): Held[] =>
  batches.map((bytes) => {
    const batch = decodeBatch(bytes)
    return { batch, branch: batch.header.device }
  })

/** Everything, replayed. `cut`: as a fold does it. */
export const replay = (held: readonly Held[], cut?: Hlc) => {
  const projector = new Projector()
  if (cut !== undefined) projector.watch = { cut, voids: [] }
  const runs: {
    device: DeviceId
    fromSeq: number
    references: readonly Dot[]
    heads: readonly Naming[]
    end: Dot
    isInsideGroup: boolean
    named: readonly Naming[]
  }[] = []
  const log = new OpLog(keyring, {
    projected: projector.projected,
    begin: (...of) => projector.begin(...of),
    shift: (...of) => projector.shift(...of),
    seenBy: (...of) => projector.seenBy(...of),
    project: (all) => {
      for (const run of all) {
        const { device, fromSeq } = run
        const heads = run.hlc.map((_, op): Naming => {
          const from = firstHead(run, op)
          const names = run.headSeq.slice(from, run.headEnd[op])
          const over = names.map((seq, at) => ({ device: run.devices[run.headDevice[from + at]], seq }))
          return { dot: { device, seq: fromSeq + op }, over }
        })
        // Of a group that crosses runs, all are projected at once.
        const end = { device, seq: toSeqOf(all[all.length - 1]) }
        const isInsideGroup = all[all.length - 1].groupLeft.at(-1)! > 1
        const named = [...run.over].map(([change, over]): Naming => {
          const op = run.changeEnd.findIndex((to) => change < to)
          return { dot: { device, seq: fromSeq + op }, over }
        })
        runs.push({ device, fromSeq, references: [...foreignReferences(run)], heads, end, isInsideGroup, named })
      }
      projector.project(all)
    },
  })
  receiveAll({ log, projector }, held)
  return { log, projector, runs }
}

/** The batches in another order: those of a branch in theirs, and after what it goes on from. */
export const shuffled = (held: readonly Held[], shuffle: readonly number[]): Held[] => {
  let at = 0
  const next = (): number => shuffle[at++ % Math.max(1, shuffle.length)] ?? 0
  const queues = [...Map.groupBy(held, ({ batch }) => batch.header.device).values()]
  return interleave(queues, next)
}

/** The last op of each branch that is stamped up to a cut. */
export const prefixOf = ({ projector: { ops } }: State, cut: Hlc): Map<number, number> => {
  const prefix = new Map<number, number>()
  ops.saved.forEach(({ base }, index) => {
    for (let seq = base + 1; seq <= ops.projectedSeq(index) && ops.stamp(dotRef(index, seq)) <= cut; seq++)
      prefix.set(index, seq)
  })
  return prefix
}

/** What names exactly what it replaces or settles. */
export interface Naming {
  readonly dot: Dot
  readonly over: readonly Dot[]
}

/** The ops that name something at or before a cut of which nothing is left there (CUT7). No honest device writes them later. */
const namingGone = (state: State, held: readonly Held[], cut: Hlc, naming: readonly Naming[]): Naming[] => {
  const { ops } = state.projector
  const base = decodeBase(folded(held, cut, state.log.held()).bytes)
  const left = new Set<string>()
  const add = (ref: number): void => {
    const { branch, seq } = base.refs.tell(ref)
    left.add(`${branch}/${seq}`)
  }
  for (const { rows } of base.tables) {
    for (const { touches, deletes, refs, values } of rows) {
      for (const ref of [...touches, ...deletes]) add(ref)
      refs.forEach((ref, column) => {
        if (ref > 0) add(ref)
        if (ref === SIBLINGS) for (const write of values[column] as Write[]) add(write.ref)
      })
    }
  }
  const isGone = (dot: Dot): boolean => {
    const ref = ops.refOf(dot)
    const { device, seq } = ops.dotOf(ref)
    return ops.stamp(ref) <= cut && !left.has(`${device}/${seq}`)
  }
  return naming.filter(({ over }) => over.some(isGone))
}

/**
 * The least vector for a cut: what had not seen the whole prefix is in it (CUT1), it ends where runs do, and holds what these
 * refer to. Void ops may be beyond it. `atLeast`: more that is to be in it.
 */
export const vectorFor = (
  held: readonly Held[],
  cut: Hlc,
  { atLeast = new Map(), naming = [] }: { readonly atLeast?: VersionVector; readonly naming?: readonly Naming[] } = {},
): Map<DeviceId, number> => {
  const state = replay(held, -1)
  const { ops } = state.projector
  const prefix = prefixOf(state, cut)
  const voids = new Set(state.projector.watch!.voids)
  const vector = new Map<DeviceId, number>(atLeast)
  let isMore = true
  const raise = (index: number, seq: number): void => {
    const id = ops.deviceId(index)
    if ((vector.get(id) ?? 0) >= seq) return
    vector.set(id, seq)
    isMore = true
  }
  const raiseTo = (dot: Dot): void => {
    const { device, seq } = ops.dotOf(ops.refOf(dot))
    raise(ops.deviceIndex(device), seq)
  }
  for (const { dot } of namingGone(state, held, cut, naming)) raiseTo(dot)
  while (isMore) {
    isMore = false
    const below = [...prefix].flatMap(([index, upTo]) => {
      let last = upTo
      while (last > (vector.get(ops.deviceId(index)) ?? 0) && voids.has(dotRef(index, last))) last--
      return last > ops.saved[index].base ? [[index, last] as const] : []
    })
    for (const [index, upTo] of below) raise(index, upTo)
    ops.saved.forEach(({ base }, index) => {
      for (let seq = ops.projectedSeq(index); seq > base; seq--) {
        if (voids.has(dotRef(index, seq))) continue
        if (!below.some(([other, upTo]) => !ops.saw(dotRef(index, seq), dotRef(other, upTo)))) continue
        raise(index, seq)
        break
      }
    })
    // What names an op of the prefix as a head that is none there is in it, too (CUT7).
    const isHead = (ref: number): boolean =>
      prefixEnds(prefix, vector, ops).every(
        ([other, upTo]) => dotRef(other, upTo) === ref || !ops.saw(dotRef(other, upTo), ref),
      )
    for (const { dot, over } of state.runs.flatMap(({ heads }) => heads)) {
      const refs = over.map((head) => ops.refOf(head))
      if (refs.some((ref) => ops.stamp(ref) <= cut && !isHead(ref))) raiseTo(dot)
    }
    for (const id of vector.keys()) {
      const index = ops.deviceIndex(id)
      const beginning = ops.beginningOf(index)
      if (beginning !== undefined) raiseTo(ops.dotOf(beginning))
    }
    for (const { device, fromSeq, references, end, isInsideGroup } of state.runs) {
      if ((vector.get(device) ?? 0) < fromSeq) continue
      for (const dot of [...references, end]) raiseTo(dot)
      // That a group goes no further is known by what goes on otherwise.
      const [child] = ops.childrenOf(ops.deviceIndex(device))
      const isStem = child !== undefined && ops.saved[child].base === end.seq
      if (isStem && isInsideGroup) raise(child, ops.saved[child].base + 1)
    }
  }
  return vector
}

/** The last ops of a prefix, as far as a vector has it. */
const prefixEnds = (prefix: ReadonlyMap<number, number>, vector: VersionVector, ops: OpIndex) =>
  [...prefix].flatMap(([index, upTo]) => {
    const last = Math.min(upTo, vector.get(ops.deviceId(index)) ?? 0)
    return last > ops.saved[index].base ? [[index, last] as const] : []
  })

export const folded = (held: readonly Held[], cut: Hlc, vector: VersionVector, base?: FoldedBase): FoldedBase =>
  foldBase({ keyring, cut, vector, batches: held, ...(base === undefined ? {} : { base: base.bytes }) })

export const opened = ({ bytes, digest }: FoldedBase): OpenedBase => openBase(bytes, keyring, { digest })

/** Of what is held, what is not wholly below the base. */
export const restOf = (held: readonly Held[], { log }: OpenedBase): Held[] =>
  held.filter(({ batch: { header }, branch }) => header.toSeq > log.heldSeq(branch))

export const receiveAll = ({ log }: State, held: readonly Held[]): void => {
  for (const { batch } of held) log.addStated(batch)
  for (const { batch, branch } of held) log.receive(log.open(batch), branch)
}

const sorted = (seqs: ReadonlyMap<DeviceId, number>) => [...seqs].sort(([a], [b]) => compareDevices(a, b))

/** What can be told of a state from outside. */
export const told = ({ log, projector }: State) => ({
  digest: hexOf(projector.cells.digest()),
  projected: sorted(projector.projected),
  held: sorted(log.held()),
  frontier: sorted(projector.frontier),
  highest: projector.highest,
  schemaVersion: projector.schemaVersion,
  voids: projector.voidCount,
  backlog: log.backlog(),
  damage: log.damage?.code,
  settled: projector.cells.settled
    .newest()
    .map(({ row, by, reason }) => ({ row: row.id, reason, by: projector.ops.dotOf(by) })),
})

const schema = defineSchema({
  version: 1,
  tables: {
    tasks: table(
      {
        title: f.string().optional().manual(),
        votes: f.counter(),
        seen: f.counter(),
        tags: f.set(f.string()),
        settings: f.json().deepMerge(),
        steps: f.list(f.string()),
      },
      { onDelete: 'manual' },
    ),
  },
})

/** What a schema shows, and its conflicts: of what a candidate had seen only its own branch is told after a base (CUT10). */
export const shownBy = ({ projector }: State) => {
  const view = new SchemaView(schema, projector.cells)
  view.refresh()
  const rows = [...projector.cells.table('tasks').rows.values()].filter(({ updated }) => updated > 0)
  const { tasks } = schema.tables
  const shown = rows.map((row) => [
    row.id,
    view.isShown(row, tasks),
    ...Object.values(tasks.fields).map((field) => view.value(row, field)),
  ])
  const conflicts = [...view.conflicts(), ...view.settled()].map((one: Conflict) => ({
    ...one,
    candidates: one.candidates.map((candidate) => ({ ...candidate, seen: undefined })),
  }))
  const byText = <T>(items: T[]): string[] => items.map((item) => JSON.stringify(item)).sort()
  return { shown: byText(shown), conflicts: byText(conflicts) }
}
