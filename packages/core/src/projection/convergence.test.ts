import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { writesOf } from '../cells/cell-state.ts'
import { columnIndex, type Row } from '../cells/row.ts'
import { equalVectors } from '../clock/version-vector.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { isLive } from '../laws/life.ts'
import { decodeBatch } from '../log/batch.ts'
import { Law } from '../op/law.ts'
import type { Shape } from '../op/run.ts'
import { createReplica, type Replica, shapes, START_MS } from '../testing/replicas.test-support.ts'

const deliver = (to: Replica, bytes: Uint8Array): void => {
  to.receive(bytes)
}

const shapeNamed = (name: string): Shape => shapes[name as keyof typeof shapes]

type Step =
  | { kind: 'write'; replica: number; shape: string; row: number; value: number; skew: number }
  | { kind: 'sync'; from: number; to: number }

const steps = (replicas: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('write' as const),
          replica: fc.nat(replicas - 1),
          shape: fc.constantFrom(...Object.keys(shapes)),
          row: fc.nat(3),
          value: fc.integer({ min: -3, max: 3 }),
          skew: fc.integer({ min: -5000, max: 5000 }),
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
    { maxLength: 80 },
  )

/** Runs a history and returns the replicas and every sealed batch in an order in which causes come first. */
const runHistory = (history: Step[], count: number) => {
  const replicas = Array.from({ length: count }, (_, index) => createReplica(index + 1))
  const all: Uint8Array[] = []
  const sealAll = (replica: Replica): void => {
    for (const batch of replica.writer.seal()) all.push(batch.bytes)
  }
  const writes: {
    dot: string
    shape: string
    row: string
    value: number
    seen: Map<string, number>
    hlc: number
    device: string
    seq: number
  }[] = []
  history.forEach((step, index) => {
    if (step.kind === 'write') {
      const replica = replicas[step.replica]
      const seen = new Map<string, number>(replica.projector.projected)
      const shape = shapeNamed(step.shape)
      const value = shape.law === Law.set || shape.law === Law.increment ? step.value : null
      const rowId = `row ${step.row}`
      const written = replica.write(START_MS + index * 10 + step.skew, replica.change(shape, rowId, value))
      const { device } = replica.writer.identity
      writes.push({
        dot: `${device}/${written.fromSeq}`,
        shape: step.shape,
        row: rowId,
        value: step.value,
        seen,
        hlc: written.hlc,
        device,
        seq: written.fromSeq,
      })
    } else {
      sealAll(replicas[step.from])
      const to = replicas[step.to]
      const have = replicas[step.from].log.held()
      for (const bytes of all) {
        const { header } = decodeBatch(bytes)
        if ((have.get(header.device) ?? 0) >= header.toSeq && to.log.heldSeq(header.device) < header.toSeq)
          deliver(to, bytes)
      }
    }
  })
  for (const replica of replicas) sealAll(replica)
  return { replicas, all, writes }
}

/** The definitions, over the whole history at once: quadratic and obvious. */
const naive = (writes: ReturnType<typeof runHistory>['writes'], rowId: string) => {
  const saw = (a: (typeof writes)[number], b: (typeof writes)[number]) => (a.seen.get(b.device) ?? 0) >= b.seq
  const order = (a: (typeof writes)[number], b: (typeof writes)[number]) =>
    a.hlc - b.hlc || (a.device < b.device ? -1 : a.device > b.device ? 1 : a.seq - b.seq)
  const own = writes.filter((write) => write.row === rowId)
  const register = (shape: string) => {
    const sets = own.filter((write) => write.shape === shape)
    return sets
      .filter((write) => !sets.some((other) => saw(other, write)))
      .sort(order)
      .map((write) => write.value)
  }
  const deletes = own.filter((write) => write.shape === 'delete')
  const changes = own.filter((write) => write.shape !== 'delete')
  const lives = changes.some((change) => !deletes.some((other) => saw(other, change)))
  const inserts = own.filter((write) => write.shape === 'insert')
  const deleted = deletes.some((other) => !inserts.some((insert) => saw(insert, other)))
  return {
    title: register('title'),
    done: register('done'),
    votes: own.filter((write) => write.shape === 'votes').reduce((sum, write) => sum + write.value, 0),
    updateWins: lives,
    deleteWins: lives && !deleted,
  }
}

const view = (row: Row) => {
  const values = (shape: Shape) => {
    const column = columnIndex(row.table, shape.law, shape.path)
    const content = row.values[column]
    return row.refs[column] === -1
      ? (content as { value: number }[]).map((write) => write.value)
      : row.refs[column] === undefined || row.refs[column] === 0
        ? []
        : [content]
  }
  return {
    title: values(shapes.title),
    done: values(shapes.done),
    votes: row.values[columnIndex(row.table, shapes.votes.law, shapes.votes.path)] ?? 0,
    updateWins: isLive(row, 'update-wins'),
    deleteWins: isLive(row, 'delete-wins'),
  }
}

beforeAll(cryptoReady)

describe('projection', () => {
  it('[CELL2 CELL5 CELL7] any causal order, batching and duplication ends in the state of the definitions', () => {
    fc.assert(
      fc.property(steps(4), fc.array(fc.nat(), { maxLength: 40 }), (history, shuffle) => {
        const { replicas, all, writes } = runHistory(history, 4)
        const late = createReplica(99)
        // The late reader gets each device's batches in order, the devices in any interleaving, with duplicates.
        const queues = new Map<string, Uint8Array[]>()
        for (const bytes of all) {
          const { device } = decodeBatch(bytes).header
          queues.set(device, [...(queues.get(device) ?? []), bytes])
        }
        for (let at = 0; queues.size > 0; at++) {
          const keys = [...queues.keys()]
          const device = keys[(shuffle[at % Math.max(1, shuffle.length)] ?? at) % keys.length]
          const queue = queues.get(device)!
          deliver(late, queue[0])
          if ((shuffle[at % Math.max(1, shuffle.length)] ?? 0) % 3 === 0) deliver(late, queue[0])
          queue.shift()
          if (queue.length === 0) queues.delete(device)
        }
        for (const replica of replicas) for (const bytes of all) deliver(replica, bytes)
        for (const replica of replicas) {
          expect(equalVectors(replica.projector.projected, late.projector.projected)).toBe(true)
          expect(replica.digest()).toBe(late.digest())
        }
        expect(late.projector.voidCount).toBe(0)
        expect(late.log.backlog()).toMatchObject({ waiting: 0, parked: 0, locked: 0 })
        for (const [id, row] of late.projector.cells.table('tasks').rows) expect(view(row)).toEqual(naive(writes, id))
      }),
      { numRuns: 300 },
    )
  })

  it('[CELL7] the incremental digest equals the one from scratch', () => {
    fc.assert(
      fc.property(steps(3), (history) => {
        const { all } = runHistory(history, 3)
        const asked = createReplica(98)
        const once = createReplica(97)
        for (const bytes of all) {
          deliver(asked, bytes)
          asked.digest()
          deliver(once, bytes)
        }
        expect(asked.digest()).toBe(once.digest())
      }),
      { numRuns: 50 },
    )
  })

  it('[CELL2] last-writer-wins shows the write that is last in total order, a later write replaces all it saw', () => {
    const a = createReplica(1)
    const b = createReplica(2)
    a.write(START_MS, a.change(shapes.insert, 'x'), a.change(shapes.title, 'x', 'first'))
    for (const batch of a.writer.seal()) deliver(b, batch.bytes)
    a.write(START_MS + 2, a.change(shapes.title, 'x', 'from a'))
    b.write(START_MS + 1, b.change(shapes.title, 'x', 'from b'))
    for (const batch of a.writer.seal()) deliver(b, batch.bytes)
    for (const batch of b.writer.seal()) deliver(a, batch.bytes)
    for (const replica of [a, b]) {
      const row = replica.projector.cells.table('tasks').rows.get('x')!
      const writes = writesOf(row, columnIndex(row.table, Law.set, ['title']))
      expect(writes.map(({ value }) => value)).toEqual(['from b', 'from a'])
    }
    b.write(START_MS, b.change(shapes.title, 'x', 'settled'))
    for (const batch of b.writer.seal()) deliver(a, batch.bytes)
    for (const replica of [a, b]) {
      const row = replica.projector.cells.table('tasks').rows.get('x')!
      const writes = writesOf(row, columnIndex(row.table, Law.set, ['title']))
      expect(writes.map(({ value }) => value)).toEqual(['settled'])
    }
    expect(a.digest()).toBe(b.digest())
  })
})
