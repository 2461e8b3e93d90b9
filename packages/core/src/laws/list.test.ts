import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Law } from '../op/law.ts'
import type { Value } from '../op/value.ts'
import type { Compare, LawChange } from './composed.ts'
import {
  causalOrder,
  causalOrders,
  digestBytes,
  histories,
  type History,
  historyOf,
  type HistoryOp,
  orderedHistories,
  runLaw,
  type Step,
} from './history.test-support.ts'
import { contestedItems, isContested, items, list, type List, placedItems } from './list.ts'
import { positionsBetween } from './positions.ts'

const change = (law: number, value: Value): LawChange => ({ law, keys: [], value })
const insert = (id: string, position: string, value: Value): LawChange => change(Law.item, [id, position, value])
const move = (id: string, position: string): LawChange => change(Law.item, [id, position])
const edit = (id: string, value: Value): LawChange => change(Law.item, [id, null, value])
const drop = (id: string): LawChange => change(Law.drop, id)

const places = positionsBetween(undefined, undefined, 4, { author: 'Ann', unique: 'u' })

interface ModelWrite {
  readonly op: HistoryOp
  readonly index: number
  readonly law: number
  readonly position: string | null | undefined
  readonly value: Value | undefined
}

const hadSeen = (later: ModelWrite, earlier: ModelWrite): boolean =>
  later.op === earlier.op ? later.index > earlier.index : later.op.sees(earlier.op.ref)

const writesById = (ops: readonly HistoryOp[]): Map<string, ModelWrite[]> => {
  const found = new Map<string, ModelWrite[]>()
  for (const op of ops)
    for (const [index, { law, value: content }] of op.changes.entries()) {
      const [id, position, value] = Array.isArray(content)
        ? (content as [string, string | null, Value?])
        : [content as string]
      found.set(id, [...(found.get(id) ?? []), { op, index, law, position, value }])
    }
  return found
}

const inTotalOrder = (writes: readonly ModelWrite[], compare: Compare): ModelWrite[] =>
  writes.toSorted((a, b) => compare(a.op.ref, b.op.ref) || a.index - b.index)

const changesOf = (writes: readonly ModelWrite[]) => writes.filter(({ law }) => law === Law.item)
const dropsOf = (writes: readonly ModelWrite[]) => writes.filter(({ law }) => law === Law.drop)

const isLive = (writes: readonly ModelWrite[]): boolean =>
  changesOf(writes).some((touch) => !dropsOf(writes).some((dropped) => hadSeen(dropped, touch)))

/**
 * Kleppmann 2020, 'Moving Elements in List CRDTs': the list is a set of (value, position) pairs of registers, each
 * last-writer-wins over all its writes. The set: add-wins, by id.
 */
const naiveItems = (ops: readonly HistoryOp[], compare: Compare) => {
  const shown: { id: string; position: string; value: Value }[] = []
  for (const [id, writes] of writesById(ops)) {
    const sorted = inTotalOrder(changesOf(writes), compare)
    const position = sorted.findLast((write) => typeof write.position === 'string')?.position
    const value = sorted.findLast((write) => write.value !== undefined)?.value
    if (isLive(writes) && typeof position === 'string' && value !== undefined) shown.push({ id, position, value })
  }
  const keyOf = ({ id, position }: { id: string; position: string }): string => `${position}\0${id}`
  return shown
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0))
    .map(({ id, value }) => ({ id, value }))
}

/** The writes that no other has seen. */
const latest = (writes: readonly ModelWrite[], compare: Compare): ModelWrite[] =>
  inTotalOrder(
    writes.filter((write) => !writes.some((other) => other !== write && hadSeen(other, write))),
    compare,
  )

const naiveContested = (ops: readonly HistoryOp[], compare: Compare) =>
  [...writesById(ops)]
    .filter(([, writes]) => isLive(writes))
    .map(([id, writes]) => {
      const contentOf = (kind: 'position' | 'value') => {
        const written = writes.filter((write) => write[kind] !== undefined && write[kind] !== null)
        const siblings = latest(written, compare).map((write) => ({ ref: write.op.ref, value: write[kind] }))
        return new Set(siblings.map(({ value }) => JSON.stringify(value))).size > 1 ? siblings : []
      }
      const refsOf = (kind: readonly ModelWrite[]) => kind.map(({ op }) => op.ref)
      const lasting = latest(writes, compare)
      const isDropped = dropsOf(lasting).length > 0
      return {
        id,
        positions: contentOf('position'),
        values: contentOf('value'),
        touches: isDropped ? refsOf(changesOf(lasting)) : [],
        drops: isDropped ? refsOf(dropsOf(lasting)) : [],
      }
    })
    .filter(({ positions, values, drops }) => positions.length + values.length + drops.length > 0)
    .sort((a, b) => (a.id < b.id ? -1 : 1))

const expectModel = (state: List, ops: readonly HistoryOp[], compare: Compare): void => {
  expect(items(state, compare)).toEqual(naiveItems(ops, compare))
  expect(contestedItems(state, compare)).toEqual(naiveContested(ops, compare))
  expect(isContested(state)).toBe(naiveContested(ops, compare).length > 0)
}

const expectOneEnd = ({ ops, compare }: History, orders: readonly HistoryOp[][]): void => {
  const digests = orders.map((order) => {
    const state = runLaw(list, order)
    expectModel(state, ops, compare)
    return digestBytes(list, state, compare)
  })
  expect(new Set(digests).size).toBe(1)
}

// Values that are never null: the model tells an absent one by that.
const anyChange = (ids: readonly string[]): fc.Arbitrary<LawChange> =>
  fc
    .record({
      make: fc.constantFrom(insert, move, edit, drop),
      id: fc.constantFrom(...ids),
      position: fc.constantFrom(...places),
      value: fc.constantFrom<Value>('a', 'b', { x: 1 }),
    })
    .map(({ make, id, position, value }) =>
      make === edit
        ? edit(id, value)
        : make === drop
          ? drop(id)
          : make === move
            ? move(id, position)
            : insert(id, position, value),
    )

const inAllOrders = (steps: readonly Step[], see: (state: List, history: History) => void): void => {
  const history = historyOf(steps)
  for (const order of causalOrders(history)) see(runLaw(list, order), history)
}

/** What a person does to the list that is before him: at an index, of as many as there are. */
const anyAction = fc.record({
  device: fc.nat(3),
  saw: fc.array(fc.nat(30), { maxLength: 2 }),
  kind: fc.constantFrom('insert', 'insert', 'move', 'edit', 'drop'),
  from: fc.nat(),
  to: fc.nat(),
  count: fc.integer({ min: 1, max: 3 }),
})
type Action = typeof anyAction extends fc.Arbitrary<infer T> ? T : never

/** The ops of honest devices: each acts on the list that it sees. */
const played = (actions: readonly Action[]): Step[] => {
  const steps: Step[] = []
  for (const [index, { device, saw, kind, from, to, count }] of actions.entries()) {
    const step: Step = { device, saw: saw.filter((other) => other < index), changes: [] }
    const { ops, compare } = historyOf([...steps, step])
    const mine = ops.slice(0, -1).filter(({ ref }) => ops[index].sees(ref))
    const seen = placedItems(runLaw(list, mine), compare)
    const source = { author: `dev${device}`, unique: `m${index}` }
    if (kind === 'insert' || seen.length === 0) {
      const at = to % (seen.length + 1)
      const made = positionsBetween(seen[at - 1]?.position, seen[at]?.position, count, source)
      const inserts = made.map((position, nth) => insert(`i${index}-${nth}`, position, index))
      steps.push({ ...step, changes: inserts })
      continue
    }
    const { id } = seen[from % seen.length]
    const others = seen.filter((item) => item.id !== id)
    const at = to % (others.length + 1)
    const [position] = positionsBetween(others[at - 1]?.position, others[at]?.position, 1, source)
    steps.push({
      ...step,
      changes: [kind === 'move' ? move(id, position) : kind === 'edit' ? edit(id, index) : drop(id)],
    })
  }
  return steps
}

describe('lists', () => {
  it('[CELL11] items, order and conflicts are those of the definitions, and the bytes equal, in every causal order', () => {
    fc.assert(
      fc.property(histories(anyChange(['x', 'y']), { devices: 3, ops: 5 }), (history) => {
        expectOneEnd(history, causalOrders(history))
      }),
      { numRuns: 300 },
    )
  })

  it('[CELL11] so they are for long histories of four devices, at every step of the way', () => {
    fc.assert(
      fc.property(orderedHistories(anyChange(['x', 'y', 'z', 'é']), { devices: 4, ops: 24 }), ({ history, orders }) => {
        expectOneEnd(history, orders)
        const state = list.create()
        for (const [index, op] of orders[1].entries()) {
          for (const entering of op.changes) list.enter(state, entering, op)
          expectModel(state, orders[1].slice(0, index + 1), history.compare)
        }
      }),
      { numRuns: 100 },
    )
  })

  it('[CELL11] four devices insert, move, edit and drop what they see: one list, of every live item once', () => {
    fc.assert(
      fc.property(
        fc.array(anyAction, { minLength: 1, maxLength: 30 }),
        fc.array(fc.array(fc.nat(100), { minLength: 1, maxLength: 10 }), { minLength: 2, maxLength: 3 }),
        (actions, choices) => {
          const steps = played(actions)
          const history = historyOf(steps)
          expectOneEnd(history, [[...history.ops], ...choices.map((choice) => causalOrder(history, choice))])
          const ids = items(runLaw(list, history.ops), history.compare).map(({ id }) => id)
          const live = [...writesById(history.ops)].filter(([, writes]) => isLive(writes)).map(([id]) => id)
          expect(ids.toSorted()).toEqual(live.sort())
        },
      ),
      { numRuns: 100 },
    )
  })

  it('[CELL11] one device alone has a plain array', () => {
    fc.assert(
      fc.property(fc.array(anyAction, { maxLength: 30 }), (actions) => {
        const steps = played(actions.map((action) => ({ ...action, device: 0 })))
        const plain: { id: string; value: Value }[] = []
        for (const [index, { kind, from, to, count }] of actions.entries()) {
          if (kind === 'insert' || plain.length === 0) {
            const made = Array.from({ length: count }, (_, nth) => ({ id: `i${index}-${nth}`, value: index }))
            plain.splice(to % (plain.length + 1), 0, ...made)
            continue
          }
          const at = from % plain.length
          const [item] = plain.splice(at, 1)
          if (kind === 'move') plain.splice(to % (plain.length + 1), 0, item)
          else if (kind === 'edit') plain.splice(at, 0, { ...item, value: index })
        }
        const { ops, compare } = historyOf(steps)
        const state = runLaw(list, ops)
        expect(items(state, compare)).toEqual(plain)
        expect(isContested(state)).toBe(false)
      }),
      { numRuns: 100 },
    )
  })

  const first: Step = { device: 0, changes: [insert('x', places[1], 'a'), insert('y', places[2], 'b')] }

  it('[CELL11] an item that two devices move at once shows once, where the later one put it', () => {
    inAllOrders(
      [
        first,
        { device: 1, saw: [0], changes: [move('x', places[3])], ahead: 1 },
        { device: 2, saw: [0], changes: [move('x', places[0])] },
      ],
      (state, { ops, compare }) => {
        expect(items(state, compare).map(({ id }) => id)).toEqual(['y', 'x'])
        expect(contestedItems(state, compare)).toEqual([
          {
            id: 'x',
            positions: [
              { ref: ops[2].ref, value: places[0] },
              { ref: ops[1].ref, value: places[3] },
            ],
            values: [],
            touches: [],
            drops: [],
          },
        ])
      },
    )
  })

  it('[CELL11] a move and an edit at once are both kept, and no conflict', () => {
    inAllOrders(
      [
        first,
        { device: 1, saw: [0], changes: [move('x', places[3])] },
        { device: 2, saw: [0], changes: [edit('x', 'c')] },
      ],
      (state, { compare }) => {
        expect(items(state, compare)).toEqual([
          { id: 'y', value: 'b' },
          { id: 'x', value: 'c' },
        ])
        expect(isContested(state)).toBe(false)
      },
    )
  })

  it('[CELL11] a change that a drop has not seen keeps the item, with what it does not carry itself', () => {
    for (const [changes, shown] of [
      [move('x', places[3]), ['b', 'a']],
      [edit('x', 'c'), ['c', 'b']],
    ] as const)
      inAllOrders(
        [first, { device: 1, saw: [0], changes: [drop('x')], ahead: 3 }, { device: 2, saw: [0], changes: [changes] }],
        (state, { ops, compare }) => {
          expect(items(state, compare).map(({ value }) => value)).toEqual(shown)
          expect(contestedItems(state, compare)).toEqual([
            { id: 'x', positions: [], values: [], touches: [ops[2].ref], drops: [ops[1].ref] },
          ])
        },
      )
  })

  it('[CELL11] a dropped item is gone for all, and comes back by any later change to it', () => {
    const dropped: Step[] = [first, { device: 1, saw: [0], changes: [drop('x')] }]
    inAllOrders(dropped, (state, { compare }) => expect(items(state, compare)).toEqual([{ id: 'y', value: 'b' }]))
    for (const back of [move('x', places[1]), edit('x', 'a'), insert('x', places[1], 'a')])
      inAllOrders([...dropped, { device: 2, saw: [1], changes: [back] }], (state, { compare }) => {
        expect(items(state, compare).map(({ value }) => value)).toEqual(['a', 'b'])
        expect(isContested(state)).toBe(false)
      })
  })

  it('[CELL11 CELL7] a dropped item counts with its life alone', () => {
    const of = (value: Value) => {
      const { ops, compare } = historyOf([{ device: 0, changes: [insert('x', places[0], value), drop('x')] }])
      return digestBytes(list, runLaw(list, ops), compare)
    }
    expect(of('a')).toBe(of('b'))
  })

  it('[CELL11 OP5] fits items and drops of a field that say enough, and no more', () => {
    for (const fitting of [insert('x', places[0], null), move('x', places[0]), edit('x', null), drop('x')])
      expect(list.fits(fitting), JSON.stringify(fitting)).toBe(true)
    for (const value of [
      'x',
      [],
      ['x'],
      ['x', null],
      ['', places[0]],
      [1, places[0]],
      ['x', 'a', 1],
      ['x', 1, 1],
      ['x', null, 1, 1],
    ])
      expect(list.fits(change(Law.item, value)), JSON.stringify(value)).toBe(false)
    for (const value of ['', 1, null, ['x']]) expect(list.fits(change(Law.drop, value))).toBe(false)
    expect(list.fits({ ...drop('x'), keys: ['below'] })).toBe(false)
    expect(list.fits(change(Law.add, 'x'))).toBe(false)
  })
})
