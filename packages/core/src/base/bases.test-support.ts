/** Cuts of histories, and what can be told of a state from outside. */
import { SIBLINGS, type Write } from '../cells/row.ts'
import { compareDevices, type DeviceId, type Dot } from '../clock/dot.ts'
import type { Hlc } from '../clock/hlc.ts'
import type { VersionVector } from '../clock/version-vector.ts'
import { Keyring } from '../crypto/keyring.ts'
import { type Batch, decodeBatch } from '../log/batch.ts'
import { OpLog } from '../log/op-log.ts'
import { dotRef } from '../op/dot-ref.ts'
import { Projector } from '../projection/projector.ts'
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

/** Everything, replayed. */
export const replay = (held: readonly Held[]): State => {
  const projector = new Projector()
  const log = new OpLog(keyring, projector)
  for (const { batch } of held) log.addShifts(batch.header.shifts)
  for (const { batch, branch } of held) log.receive(log.open(batch), branch)
  return { log, projector }
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
 * The least vector for a cut: what had not seen the whole prefix is in it (CUT1), it ends where runs do, and holds what it saw.
 * `atLeast`: more that is to be in it.
 */
export const vectorFor = (
  held: readonly Held[],
  cut: Hlc,
  { atLeast = new Map(), naming = [] }: { readonly atLeast?: VersionVector; readonly naming?: readonly Naming[] } = {},
): Map<DeviceId, number> => {
  const state = replay(held)
  const { ops } = state.projector
  const prefix = prefixOf(state, cut)
  const vector = new Map<DeviceId, number>(atLeast)
  const raise = (index: number, seq: number): boolean => {
    const id = ops.deviceId(index)
    if ((vector.get(id) ?? 0) >= seq) return false
    vector.set(id, seq)
    return true
  }
  ops.saved.forEach(({ base }, index) => {
    for (let seq = ops.projectedSeq(index); seq > base; seq--) {
      const lacks = [...prefix].some(([other, upTo]) => !ops.saw(dotRef(index, seq), ops.refAt(other, upTo)))
      if (lacks || seq <= (prefix.get(index) ?? 0)) {
        raise(index, seq)
        break
      }
    }
  })
  for (const { dot } of namingGone(state, held, cut, naming)) {
    const { device, seq } = ops.dotOf(ops.refOf(dot))
    raise(ops.deviceIndex(device), seq)
  }
  for (let isMore = true; isMore; ) {
    isMore = false
    for (let index = 0; index < ops.deviceCount; index++) {
      const id = ops.deviceId(index)
      const seq = vector.get(id)
      if (seq === undefined) continue
      const end = state.log.chain.runOf(id, seq)!.toSeq
      if (raise(index, end)) isMore = true
      for (let other = 0; other < ops.deviceCount; other++) {
        if (other === index) continue
        for (let upTo = ops.projectedSeq(other); upTo > ops.saved[other].base; upTo--) {
          if (!ops.saw(dotRef(index, end), dotRef(other, upTo))) continue
          if (raise(other, upTo)) isMore = true
          break
        }
      }
    }
  }
  return vector
}

export const folded = (held: readonly Held[], cut: Hlc, vector: VersionVector, base?: FoldedBase): FoldedBase =>
  foldBase({ keyring, cut, vector, batches: held, ...(base === undefined ? {} : { base: base.bytes }) })

export const opened = ({ bytes, digest }: FoldedBase): OpenedBase => openBase(bytes, keyring, { digest })

/** Of what is held, what is not wholly below the base. */
export const restOf = (held: readonly Held[], { log }: OpenedBase): Held[] =>
  held.filter(({ batch: { header }, branch }) => header.toSeq > log.heldSeq(branch))

export const receiveAll = ({ log }: State, held: readonly Held[]): void => {
  for (const { batch } of held) log.addShifts(batch.header.shifts)
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
  settled: projector.cells.settled.newest().map(({ row, by, reason }) => ({ row: row.id, reason, by: projector.ops.dotOf(by) })),
})
