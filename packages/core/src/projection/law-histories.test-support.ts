/** Random histories of devices that write under every law, concurrently; how they come to replicas; and what the definitions make of them. */
import fc from 'fast-check'
import { columnOf, writesOf } from '../cells/cell-state.ts'
import { lifeSides, lifeVerdict } from '../cells/settled.ts'
import type { Dot } from '../clock/dot.ts'
import { positionsBetween } from '../laws/positions.ts'
import { reopenedValue } from '../laws/reopened.ts'
import { decodeBatch } from '../log/batch.ts'
import type { NewChange } from '../op/author.ts'
import { Law } from '../op/law.ts'
import type { Shape } from '../op/run.ts'
import type { Value } from '../op/value.ts'
import { createReplica, identityOf, interleave, type Replica, START_MS } from '../testing/replicas.test-support.ts'

export const TABLE = 'tasks'
const row = (law: number): Shape => ({ law, table: TABLE, path: [] })
const field = (law: number, ...path: string[]): Shape => ({ law, table: TABLE, path })

export const lawShapes = {
  insert: row(Law.insert),
  delete: row(Law.delete),
  erase: row(Law.erase),
  verdict: field(Law.resolve, ''),
  set: field(Law.set, 'title'),
  reopen: field(Law.reopen, 'title'),
  resolve: field(Law.resolve, 'title'),
  increment: field(Law.increment, 'votes'),
  grow: field(Law.grow, 'seen'),
  add: field(Law.add, 'tags'),
  remove: field(Law.remove, 'tags'),
  item: field(Law.item, 'steps'),
  drop: field(Law.drop, 'steps'),
} as const

const putShapes = [[], ['a'], ['b'], ['a', 'b'], ['a', 'c']].map((keys) => field(Law.put, 'settings', ...keys))

const REGISTER = ['set', 'set', 'set over', 'settle', 'settle', 'settle blind', 'reopen'] as const
const LIFE = ['insert', 'delete', 'delete over', 'decide', 'set'] as const
const COMPOSED = ['add', 'remove', 'put', 'put', 'item', 'move', 'edit', 'drop'] as const

/** What histories are made of. Everything at once is seldom deep anywhere. */
export const lawKinds = {
  'registers and what settles them': REGISTER,
  'life and what decides about it': LIFE,
  'sets, lists and JSON': COMPOSED,
  'all laws': [...REGISTER, ...LIFE, ...COMPOSED, 'increment', 'grow', 'erase'],
} as const

/** What one change is, before it is known what its author sees. */
interface Intent {
  readonly kind: string
  readonly row: number
  /** Chooses values, and what to name. */
  readonly pick: number
}

export type Step =
  | { readonly kind: 'write'; readonly replica: number; readonly intents: readonly Intent[]; readonly skew: number }
  | { readonly kind: 'sync'; readonly from: number; readonly to: number }

export const lawSteps = (
  kinds: readonly string[],
  { replicas, rows, length }: { readonly replicas: number; readonly rows: number; readonly length: number },
): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('write' as const),
          replica: fc.nat(replicas - 1),
          intents: fc.array(
            fc.record({ kind: fc.constantFrom(...kinds), row: fc.nat(rows - 1), pick: fc.nat(1000) }).filter(
              // Erasure ends all that a row could show: seldom.
              ({ kind, pick }) => kind !== 'erase' || pick % 8 === 0,
            ),
            { minLength: 1, maxLength: 3 },
          ),
          skew: fc.integer({ min: -50, max: 50 }),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('sync' as const),
          from: fc.nat(replicas - 1),
          to: fc.nat(replicas - 1),
        }),
      },
    ),
    { maxLength: length, size: 'max' },
  )

const VALUES = ['x', 'y', 'z', null, 1] as const
const POSITIONS = positionsBetween(undefined, undefined, 3, { author: 'Ann', unique: 'x' })

const some = <T>(items: readonly T[], pick: number): T[] => items.filter((_, index) => (pick >> index) % 2 === 0)

const changesOf = (replica: Replica, { kind, row: number, pick }: Intent, all: readonly NaiveOp[]): NewChange[] => {
  const id = `row ${number}`
  const { ops, table: tableOf } = { ops: replica.projector.ops, table: replica.projector.cells.table(TABLE) }
  const known = tableOf.rows.get(id)
  const writes = known === undefined ? [] : writesOf(known, columnOf(tableOf, lawShapes.set))
  const dots = writes.map(({ ref }) => ops.dotOf(ref))
  const value = VALUES[pick % VALUES.length]
  const change = (shape: Shape, of: Value = null, over?: readonly Dot[]): NewChange =>
    replica.change(shape, id, of, over)
  const seen = all.filter(({ dot }) => replica.projected(dot.device) >= dot.seq).map(({ dot }) => dot)
  switch (kind) {
    case 'insert':
    case 'delete':
    case 'erase':
      return [change(lawShapes[kind])]
    case 'delete over':
      return [
        change(
          lawShapes.delete,
          null,
          some(known?.touches ?? [], pick).map((ref) => ops.dotOf(ref)),
        ),
      ]
    case 'set over':
      // Some of what is there, and something that may have been replaced long since.
      return [change(lawShapes.set, value, [...some(dots, pick), ...seen.slice(pick % 7, (pick % 7) + 1)])]
    case 'settle':
      if (dots.length < 2) return [change(lawShapes.set, value)]
      return [change(lawShapes.resolve, pick % 2 === 0 ? '' : 'why', dots), change(lawShapes.set, value)]
    // As no honest device does: names one thing and replaces another.
    case 'settle blind':
      return [
        change(lawShapes.resolve, 'blind', seen.slice(pick % 5, (pick % 5) + 3)),
        change(lawShapes.set, value, pick % 3 === 0 ? undefined : some(dots, pick)),
      ]
    case 'decide': {
      const isDeleted = pick % 2 === 0
      const verdict = known && lifeVerdict(lifeSides(known, ops), ops, 'so', isDeleted)
      const decision = change(isDeleted ? lawShapes.delete : lawShapes.insert)
      return verdict === undefined ? [decision] : [change(lawShapes.verdict, verdict.value, verdict.over), decision]
    }
    case 'reopen': {
      // Of one author: several who reopen at once vouch for the same.
      const candidates = ['p', 'q'].map((one, index) => ({ author: identityOf(1).device, stamp: index, value: one }))
      return [change(lawShapes.reopen, reopenedValue(candidates), dots)]
    }
    case 'increment':
      return [change(lawShapes.increment, (pick % 7) - 3)]
    case 'grow':
      return [change(lawShapes.grow, pick % 4)]
    case 'add':
    case 'remove':
      return [change(lawShapes[kind], VALUES[pick % 2])]
    case 'put':
      return [change(putShapes[pick % putShapes.length], pick % 4 === 0 ? [] : [pick % 3 === 0 ? { b: pick } : value])]
    case 'item':
      return [change(lawShapes.item, [`i${pick % 2}`, POSITIONS[pick % 3], value])]
    case 'move':
      return [change(lawShapes.item, [`i${pick % 2}`, POSITIONS[pick % 3]])]
    case 'edit':
      return [change(lawShapes.item, [`i${pick % 2}`, null, value])]
    default:
      return [change(lawShapes.drop, `i${pick % 2}`)]
  }
}

/** An op as the definitions see it: with all that it saw, written out. */
export interface NaiveOp {
  readonly dot: Dot
  readonly stamp: number
  readonly seen: ReadonlyMap<string, number>
  readonly changes: readonly NaiveChange[]
}

export interface NaiveChange {
  readonly shape: Shape
  readonly row: string
  readonly value: Value
  readonly over: readonly Dot[] | undefined
}

export interface LawHistory {
  readonly replicas: readonly Replica[]
  readonly ops: readonly NaiveOp[]
  /** Every batch, causes first. */
  readonly batches: readonly Uint8Array[]
}

export const runLawHistory = (steps: readonly Step[], count: number): LawHistory => {
  const replicas = Array.from({ length: count }, (_, index) => createReplica(index + 1))
  const batches: Uint8Array[] = []
  const ops: NaiveOp[] = []
  steps.forEach((step, index) => {
    if (step.kind === 'write') {
      const replica = replicas[step.replica]
      const changes = step.intents.flatMap((intent) => changesOf(replica, intent, ops))
      // Changes of one row stand together (see RunBuilder).
      changes.sort((a, b) => (a.rowId < b.rowId ? -1 : a.rowId > b.rowId ? 1 : 0))
      const seen = new Map<string, number>(replica.projector.projected)
      const { fromSeq, hlc } = replica.write(START_MS + index * 10 + step.skew, ...changes)
      ops.push({
        dot: { device: replica.device, seq: fromSeq },
        stamp: hlc,
        seen,
        changes: changes.map(({ shape, rowId, value, over }) => ({ shape, row: rowId, value, over })),
      })
      return
    }
    const from = replicas[step.from]
    batches.push(...from.seal())
    const have = from.log.held()
    for (const bytes of batches) {
      const { device, toSeq } = decodeBatch(bytes).header
      if ((have.get(device) ?? 0) >= toSeq && replicas[step.to].log.heldSeq(device) < toSeq)
        replicas[step.to].receive(bytes)
    }
  })
  for (const replica of replicas) batches.push(...replica.seal())
  return { replicas, ops, batches }
}

/** A reader that got all batches, those of each device in order, the devices interleaved as told, some twice. */
export const lateReader = ({ batches }: LawHistory, shuffle: readonly number[], number = 99): Replica => {
  const reader = createReplica(number)
  const queues = [...Map.groupBy(batches, (bytes) => decodeBatch(bytes).header.device).values()]
  let at = 0
  const next = (): number => shuffle[at++ % Math.max(1, shuffle.length)] ?? 0
  for (const bytes of interleave(queues, next)) {
    reader.receive(bytes)
    if (next() % 3 === 0) reader.receive(bytes)
  }
  return reader
}
