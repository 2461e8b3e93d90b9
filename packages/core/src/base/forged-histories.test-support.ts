/**
 * Random histories as no honest device writes them: devices that fork, ops that are void, groups that are broken, shifts, heads that
 * say what was said.
 */
import fc from 'fast-check'
import { memoryStore } from '../log/memory-store.ts'
import type { Batch } from '../log/batch.ts'
import { Law } from '../op/law.ts'
import type { Shape } from '../op/run.ts'
import { type ForgedChange, type ForgedOp, SPACE } from '../testing/replicas.test-support.ts'
import { treeForger } from '../testing/tree-forger.test-support.ts'
import type { Held } from './bases.test-support.ts'

interface ForgedStep {
  readonly device: number
  /** 0: from the end that was written last; else from any point. */
  readonly from: number
  readonly ops: readonly {
    readonly ahead: number
    readonly head: number
    readonly group: number
    readonly kind: number
    readonly row: number
    readonly over: number
    /** Below 4: the number of a row that somebody introduced; else a row by its id. */
    readonly handle: number
  }[]
}

export interface ForgedPlan {
  readonly steps: readonly ForgedStep[]
  /** Of the run that is shifted; undefined: none is. */
  readonly shifted: { readonly run: number; readonly shift: number; readonly floor: number } | undefined
}

const DEVICES = 3

export const forgedPlans: fc.Arbitrary<ForgedPlan> = fc.record({
  steps: fc.array(
    fc.record({
      device: fc.nat(DEVICES - 1),
      from: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(20) }),
      ops: fc.array(
        fc.record({
          ahead: fc.integer({ min: -3, max: 8 }),
          head: fc.nat(30),
          group: fc.oneof(
            { weight: 6, arbitrary: fc.constant(0) },
            { weight: 3, arbitrary: fc.integer({ min: 1, max: 3 }) },
          ),
          kind: fc.nat(7),
          row: fc.nat(2),
          over: fc.nat(9),
          handle: fc.nat(11),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
    { minLength: 2, maxLength: 16 },
  ),
  shifted: fc.option(fc.record({ run: fc.nat(20), shift: fc.nat(30), floor: fc.nat(60) }), { nil: undefined, freq: 2 }),
})

const TABLE = 'tasks'
const field = (law: number, ...path: string[]): Shape => ({ law, table: TABLE, path })
const KINDS = [
  field(Law.insert),
  field(Law.set, 'title'),
  field(Law.set, 'title'),
  field(Law.increment, 'votes'),
  field(Law.delete),
  field(Law.add, 'tags'),
  field(Law.put, 'settings', 'a'),
  field(Law.set, 'title'),
]

/** As a store that took all of it in has it. */
export const forgeHistory = async ({ steps, shifted }: ForgedPlan): Promise<Held[]> => {
  const forgers = Array.from({ length: DEVICES }, (_, index) => treeForger(index + 1))
  interface Point {
    readonly device: number
    readonly seq: number
    readonly hash: Uint8Array
    readonly stamp: number
    readonly firstSeq: number
    /** Of the group that it ends in. */
    readonly left: number
  }
  const points: Point[] = []
  const batches: Batch[] = []
  const gone = new Set<Point>()
  const forge = (step: ForgedStep, onto?: Point): void => {
    const forger = forgers[step.device]
    const own = points.filter(({ device }) => device === step.device)
    const from =
      onto ?? (own.length === 0 ? undefined : step.from === 0 ? own[own.length - 1] : own[step.from % own.length])
    const references: Uint8Array[] = []
    let stamp = from?.stamp ?? 10
    // A group may go on in the next run.
    let left = step.from === 0 ? (from?.left ?? 0) : 0
    const ops = step.ops.map((op, at): ForgedOp => {
      const isLater = left > 1
      left = isLater ? left - 1 : op.group > 1 ? op.group : 0
      const others = points.filter(({ device }) => device !== step.device)
      const head = isLater || others.length === 0 || op.head > 18 ? undefined : others[op.head % others.length]
      if (head !== undefined) references.push(head.hash)
      if (!isLater) stamp = Math.max(1, Math.max(stamp, head?.stamp ?? 0) + op.ahead)
      const shape = KINDS[op.kind]
      const value = shape.law === Law.put ? [op.row] : shape.law === Law.increment ? op.row + 1 : op.kind
      const named = forgers[op.row === 0 && head !== undefined ? head.device : step.device].device
      const change: ForgedChange = {
        shape,
        row: op.handle < 4 ? { device: named, ordinal: op.handle } : { id: `row ${op.row}` },
        ...(shape.path.length === 0 ? {} : { value }),
        // Of its own alone: what others wrote it may not have seen.
        ...(op.over < 2 && shape.law === Law.set && from !== undefined && at === 0
          ? { over: [{ device: forger.device, seq: 1 + (op.over % from.seq) }] }
          : {}),
      }
      return {
        hlc: stamp,
        heads: head === undefined ? [] : [{ device: forgers[head.device].device, seq: head.seq }],
        changes: [change],
        groupLeft: left,
      }
    })
    // The stamps of a run must rise: those of groups may stay.
    let last = 0
    const rising = ops.map((op) => ({ ...op, hlc: (last = Math.max(last, op.hlc)) }))
    const { batch, end } = forger.seal(from ?? forger.root, [rising], { references })
    points.push({ device: step.device, ...end, stamp: last, firstSeq: (from?.seq ?? 0) + 1, left })
    if (from !== undefined) gone.add(from)
    batches.push(batch)
  }
  for (const step of steps) forge(step)
  // Nothing is to wait for the rest of a group.
  for (const point of points.filter((one) => one.left > 1 && !gone.has(one))) {
    const op = { ahead: 1, head: 30, group: 0, kind: 0, row: 0, over: 9, handle: 9 }
    forge({ device: point.device, from: 0, ops: Array.from({ length: 3 }, () => op) }, point)
  }
  if (shifted !== undefined) {
    const named = points[shifted.run % points.length]
    const { device, tag } = forgers[named.device]
    const { shift, floor } = shifted
    const shifts = [{ device, base: named.firstSeq - 1, firstTag: tag(named.hash), shift, floor }]
    const stating = treeForger(50)
    batches.push(stating.seal(stating.root, [[{ hlc: floor % 2 === 0 ? 1 : 500 }]], { shifts }).batch)
  }
  const store = memoryStore()
  await store.append(SPACE, batches)
  const page = await store.readAbove(SPACE, new Map(), { batches: 1_000_000, bytes: Number.MAX_SAFE_INTEGER })
  return page.batches.map(({ batch, branch }) => ({ batch, branch }))
}
