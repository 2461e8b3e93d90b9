/** Random histories in which devices go away, write on alone or among each other, and come back when a base was made without them. */
import fc from 'fast-check'
import type { VersionVector } from '../clock/version-vector.ts'
import type { DeviceId, Dot } from '../clock/dot.ts'
import { columnOf, writesOf } from '../cells/cell-state.ts'
import { byRow, type NewChange } from '../op/author.ts'
import type { Shape } from '../op/run.ts'
import type { Value } from '../op/value.ts'
import { sealShifts, Writer } from '../log/writer.ts'
import { lawShapes, lawSteps, runLawHistory, type Step, TABLE } from '../projection/law-histories.test-support.ts'
import { identityOf, type Replica, seededRandom } from '../testing/replicas.test-support.ts'
import type { Conflict } from '../projection/view/conflict.ts'
import { type Held, heldOf, keyring, type Naming, type shownBy, type State } from './bases.test-support.ts'
import type { Base } from './base.ts'
import { findLate, type LateBranches } from './late-branch.ts'

const REPLICAS = 4

export interface LatePlan {
  readonly steps: readonly Step[]
  /** Who goes when (a share of the steps), and whether it syncs with others that are away. */
  readonly away: readonly { readonly replica: number; readonly at: number; readonly isAlone: boolean }[]
  /** The order in which they come back. */
  readonly back: readonly number[]
  readonly cut: number
}

export const latePlans = (kinds: readonly string[]): fc.Arbitrary<LatePlan> =>
  fc.record({
    steps: lawSteps(kinds, { replicas: REPLICAS, rows: 2, length: 50 }),
    away: fc.uniqueArray(fc.record({ replica: fc.nat(REPLICAS - 2), at: fc.nat(100), isAlone: fc.boolean() }), {
      minLength: 1,
      maxLength: 3,
      selector: ({ replica }) => replica,
    }),
    back: fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
    cut: fc.nat(),
  })

export interface LateHistory {
  readonly all: readonly Held[]
  readonly naming: readonly Naming[]
  /** What those have who were never away. */
  readonly present: readonly Held[]
  readonly cut: number
  /** What each has who comes back, in that order. */
  readonly returning: readonly (readonly Held[])[]
}

/** undefined where nothing was written by who stays. */
export const runLateHistory = ({ steps, away, back, cut }: LatePlan): LateHistory | undefined => {
  const goneAt = new Map(away.map(({ replica, at }) => [replica, Math.floor((at * steps.length) / 100)]))
  const alone = new Set(away.filter(({ isAlone }) => isAlone).map(({ replica }) => replica))
  const kept = steps.filter((step, index) => {
    if (step.kind === 'write') return true
    const [from, to] = [step.from, step.to].map((replica) => index >= (goneAt.get(replica) ?? steps.length))
    return from === to && !(from && (alone.has(step.from) || alone.has(step.to)))
  })
  const { replicas, batches, ops } = runLawHistory(kept, REPLICAS)
  const all = heldOf(batches)
  const heldBy = (some: readonly Replica[]): Held[] =>
    all.filter(({ batch: { header } }) => some.some(({ log }) => log.heldSeq(header.device) >= header.toSeq))
  const present = heldBy(replicas.filter((_, index) => !goneAt.has(index)))
  const known = new Map<DeviceId, number>()
  for (const { batch } of present) {
    known.set(batch.header.device, Math.max(known.get(batch.header.device) ?? 0, batch.header.toSeq))
  }
  const stamps = ops.filter(({ dot }) => (known.get(dot.device) ?? 0) >= dot.seq).map(({ stamp }) => stamp)
  if (stamps.length === 0) return undefined
  const naming = ops.flatMap(({ dot, changes }) => changes.flatMap(({ over }) => (over ? [{ dot, over }] : [])))
  const returning = back.filter((replica) => goneAt.has(replica)).map((replica) => heldBy([replicas[replica]]))
  return { all, naming, present, cut: stamps[cut % stamps.length], returning }
}

/** What comes back with a device: the statements as batches, and its own and others' late work. */
export const comeBack = (
  state: State,
  base: Base,
  batches: readonly Held[],
  number: number,
): { readonly found: LateBranches; readonly statements: readonly Held[]; readonly late: readonly Held[] } => {
  const found = findLate({ keyring, base, log: state.log, batches })
  const statements = found.statements.flatMap(({ shifts, records }, index) => {
    const identity = identityOf(number + index)
    const hlc = Math.max(base.cut, state.projector.highest) + 1
    return heldOf([sealShifts({ keyring, random: seededRandom(number) }, identity, hlc, shifts, records).bytes])
  })
  const entering = (held: Held): boolean =>
    found.entering.some(
      ({ branch, fromSeq, toSeq }) =>
        branch === held.branch && held.batch.header.fromSeq >= fromSeq && held.batch.header.toSeq <= toSeq,
    )
  return { found, statements, late: batches.filter(entering) }
}

export const naming = (held: readonly Held[], { naming: all }: Pick<LateHistory, 'naming'>): Naming[] => {
  const ends = new Map<DeviceId, number>()
  for (const { batch, branch } of held) ends.set(branch, Math.max(ends.get(branch) ?? 0, batch.header.toSeq))
  return all.filter(({ dot }) => (ends.get(dot.device) ?? 0) >= dot.seq)
}

/** What of the cells does not depend on stamps: everything but who wrote first, and in which order things stand. */
export const withoutStamps = ({ projector: { cells, ops } }: State): string => {
  const dots = (refs: readonly number[]): string[] =>
    refs.map((ref) => {
      const { device, seq } = ops.dotOf(ref)
      return `${device}/${seq}`
    })
  const plain = (value: unknown): unknown => {
    if (typeof value === 'bigint') return value.toString()
    if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
    if (Array.isArray(value))
      return value
        .map(plain)
        .map((item) => JSON.stringify(item))
        .sort()
    if (value instanceof Map) return [...value].map(([key, item]) => JSON.stringify([key, plain(item)])).sort()
    if (value instanceof Set) return undefined
    if (typeof value !== 'object' || value === null) return value
    return (
      Object.entries(value)
        // Which of the writes above it a put had seen matters of those that still stand (BASE4): the digest tells these.
        .filter(([key]) => key !== 'mayCollide' && key !== 'contested' && key !== 'sawAbove')
        .map(([key, item]): unknown => {
          if (key === 'ref') return [key, dots([item as number])]
          if (key === 'touches' || key === 'deletes') return [key, dots(item as number[]).sort()]
          return [key, plain(item)]
        })
        .map((entry) => JSON.stringify(entry))
        .sort()
    )
  }
  const rows = [...cells.tables()].flatMap(({ name, columns, rows: own }) =>
    [...own.values()].map(({ id, erased, touches, deletes, refs, values }) => {
      const cellsOf = refs
        .map((ref, column): unknown => [columns[column], ref > 0 ? dots([ref]) : ref, plain(values[column])])
        .filter((_, column) => refs[column] !== 0)
      const life = [dots(touches).sort(), dots(deletes).sort()]
      // Which erasure is first in total order is told by stamps; that there is one is not.
      return JSON.stringify([name, id, erased !== 0, life, cellsOf.map((cell) => JSON.stringify(cell)).sort()])
    }),
  )
  return rows.sort().join('\n')
}

/** The conflicts that are there and were settled, whatever rule or order chooses between the candidates. */
export const conflictsOf = ({ conflicts }: ReturnType<typeof shownBy>): string[] =>
  conflicts
    .map((text) => {
      const { kind, rowId, field, part, status, candidates } = JSON.parse(text) as Conflict
      const told = candidates.map(({ value, author }) => JSON.stringify([value, author])).sort()
      return JSON.stringify([kind, rowId, field, part, status === 'settled', told])
    })
    .sort()

export const joined = (a: VersionVector, b: VersionVector): Map<DeviceId, number> => {
  const join = new Map(a)
  for (const [id, seq] of b) join.set(id, Math.max(join.get(id) ?? 0, seq))
  return join
}

/** A device that writes on what a state shows: of some rows, over some of what it finds there. */
export const whoGoesOn = ({ log, projector }: State, number: number) => {
  const writer = new Writer(identityOf(number), log, projector, 0, seededRandom(number))
  const { device } = writer.identity
  return (picks: readonly number[]): { readonly written: readonly Held[]; readonly over: readonly Naming[] } => {
    const naming: Naming[] = []
    for (const pick of picks) {
      const rows = projector.cells.table(TABLE).rows
      const id = `row ${pick % 2}`
      const row = rows.get(id)
      const handle = row && projector.handleOf(row)
      const writes = row === undefined ? [] : writesOf(row, columnOf(row.table, lawShapes.set))
      const dots = writes.filter((_, index) => (pick >> index) % 2 === 0).map(({ ref }) => projector.ops.dotOf(ref))
      const change = (shape: Shape, value: Value = null, over?: readonly Dot[]): NewChange => ({
        shape,
        rowId: id,
        handle,
        value,
        ...(over === undefined ? {} : { over }),
      })
      const kinds = [
        [change(lawShapes.set, 'on', dots)],
        [change(lawShapes.increment, 1), change(lawShapes.set, 'plain')],
        [change(lawShapes.delete)],
        [change(lawShapes.remove, 'x'), change(lawShapes.add, 'y')],
        [change(lawShapes.insert)],
        dots.length < 2 ? [] : [change(lawShapes.resolve, 'why', dots), change(lawShapes.set, 'settled', dots)],
      ]
      const changes = kinds[pick % kinds.length]
      const { fromSeq } = writer.write(byRow(changes), writer.nextStamp(0), 1)
      const over = changes.flatMap((one) => one.over ?? [])
      if (over.length > 0) naming.push({ dot: { device, seq: fromSeq }, over })
    }
    return { written: heldOf(writer.seal().map(({ bytes }) => bytes)), over: naming }
  }
}
