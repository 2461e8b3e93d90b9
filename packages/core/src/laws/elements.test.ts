import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteWriter } from '../codec/bytes.ts'
import { Law } from '../op/law.ts'
import { type Value, writeValue } from '../op/value.ts'
import { hexOf } from '../testing/replicas.test-support.ts'
import type { Compare, LawChange } from './composed.ts'
import {
  contestedElements,
  elements,
  type Elements,
  isContested,
  lastWrite,
  observedRemove,
  valueKey,
} from './elements.ts'
import {
  causalOrders,
  digestBytes,
  histories,
  type History,
  historyOf,
  type HistoryOp,
  orderedHistories,
  runLaw,
} from './history.test-support.ts'

const add = (value: Value): LawChange => ({ law: Law.add, keys: [], value })
const remove = (value: Value): LawChange => ({ law: Law.remove, keys: [], value })

const encoded = (value: Value): string => {
  const writer = new ByteWriter()
  writeValue(writer, value)
  return hexOf(writer.finish())
}
const inShownOrder = (values: readonly Value[]): Value[] =>
  values.toSorted((a, b) => (encoded(a) < encoded(b) ? -1 : encoded(a) > encoded(b) ? 1 : 0))

interface ModelWrite {
  readonly op: HistoryOp
  readonly index: number
  readonly law: number
}

/** All writes of each element, by its encoding. */
const writesByElement = (ops: readonly HistoryOp[]): { value: Value; writes: ModelWrite[] }[] => {
  const found = new Map<string, { value: Value; writes: ModelWrite[] }>()
  for (const op of ops)
    for (const [index, { law, value }] of op.changes.entries()) {
      const entry = found.get(encoded(value)) ?? { value, writes: [] }
      found.set(encoded(value), entry)
      entry.writes.push({ op, index, law })
    }
  return [...found.values()]
}

const hadSeen = (later: ModelWrite, earlier: ModelWrite): boolean =>
  later.op === earlier.op ? later.index > earlier.index : later.op.sees(earlier.op.ref)

/**
 * OR-Set, Shapiro et al. 2011, specification 15: an addition puts in a pair of element and unique tag; a removal takes out
 * all pairs of its element that are at its source when it is made.
 */
const naiveObservedRemove = (ops: readonly HistoryOp[]): Value[] =>
  inShownOrder(
    writesByElement(ops)
      .filter(({ writes }) => {
        const tags = new Set(writes.filter(({ law }) => law === Law.add))
        for (const removal of writes.filter(({ law }) => law === Law.remove))
          for (const tag of tags) if (hadSeen(removal, tag)) tags.delete(tag)
        return tags.size > 0
      })
      .map(({ value }) => value),
  )

/** LWW-Element-Set, ibid. 3.3.3: an element is in where its latest addition of all is later than its latest removal. */
const naiveLastWrite = (ops: readonly HistoryOp[], compare: Compare): Value[] =>
  inShownOrder(
    writesByElement(ops)
      .filter(({ writes }) => {
        const sorted = writes.toSorted((a, b) => compare(a.op.ref, b.op.ref) || a.index - b.index)
        return sorted.at(-1)?.law === Law.add
      })
      .map(({ value }) => value),
  )

const isSeenByAny = (write: ModelWrite, writes: readonly ModelWrite[]): boolean =>
  writes.some((other) => other !== write && hadSeen(other, write))

const naiveContested = (ops: readonly HistoryOp[], compare: Compare) => {
  const refsOf = (writes: readonly ModelWrite[], law: number): number[] =>
    writes
      .filter((write) => write.law === law && !isSeenByAny(write, writes))
      .map(({ op }) => op.ref)
      .sort(compare)
  const all = writesByElement(ops).map(({ value, writes }) => ({
    value,
    adds: refsOf(writes, Law.add),
    removes: refsOf(writes, Law.remove),
  }))
  const contested = all.filter(({ adds, removes }) => adds.length > 0 && removes.length > 0)
  const order = inShownOrder(contested.map(({ value }) => value)).map(encoded)
  return contested.sort((a, b) => order.indexOf(encoded(a.value)) - order.indexOf(encoded(b.value)))
}

const expectModel = (state: Elements, ops: readonly HistoryOp[], compare: Compare): void => {
  expect(observedRemove(state)).toEqual(naiveObservedRemove(ops))
  expect(lastWrite(state, compare)).toEqual(naiveLastWrite(ops, compare))
  expect(contestedElements(state, compare)).toEqual(naiveContested(ops, compare))
  expect(isContested(state)).toBe(naiveContested(ops, compare).length > 0)
}

const expectOneEnd = ({ ops, compare }: History, orders: readonly HistoryOp[][]): void => {
  const digests = orders.map((order) => {
    const state = runLaw(elements, order)
    expectModel(state, ops, compare)
    return digestBytes(elements, state, compare)
  })
  expect(new Set(digests).size).toBe(1)
}

const anyChange = (values: readonly Value[]): fc.Arbitrary<LawChange> =>
  fc.tuple(fc.constantFrom(add, remove), fc.constantFrom(...values)).map(([make, value]) => make(value))

const anyValue: fc.Arbitrary<Value> = fc
  .letrec<{ value: Value }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom<Value>(
        null,
        true,
        false,
        '',
        'a',
        'é',
        'a'.repeat(127),
        'a'.repeat(128),
        0,
        1,
        111,
        112,
        -1,
        0.5,
      ),
      fc.string(),
      fc.integer(),
      fc.uint8Array({ maxLength: 3 }),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'é'), tie('value'), { maxKeys: 3 }),
    ),
  }))
  .value.filter((value) => !JSON.stringify(value).includes('\\ud'))

describe('sets', () => {
  it('[CELL3] both views and the conflicts are those of the definitions, and the bytes equal, in every causal order', () => {
    fc.assert(
      fc.property(histories(anyChange(['a', 'b']), { devices: 3, ops: 5 }), (history) => {
        expectOneEnd(history, causalOrders(history))
      }),
      { numRuns: 300 },
    )
  })

  it('[CELL3] so they are for long histories of four devices, at every step of the way', () => {
    fc.assert(
      fc.property(
        orderedHistories(anyChange(['a', 'b', 7, null, ['a'], { x: 1 }]), { devices: 4, ops: 24 }),
        ({ history, orders }) => {
          expectOneEnd(history, orders)
          const state = elements.create()
          for (const [index, op] of orders[1].entries()) {
            for (const change of op.changes) elements.enter(state, change, op)
            expectModel(state, orders[1].slice(0, index + 1), history.compare)
          }
        },
      ),
      { numRuns: 100 },
    )
  })

  it('[CELL3] an addition that a removal has not seen outlives it under observed-remove; under last-write the later wins', () => {
    for (const [ahead, latest] of [
      [0, []],
      [5, ['a']],
    ] as const) {
      const history = historyOf([
        { device: 0, changes: [add('a')] },
        { device: 1, saw: [0], changes: [add('a')], ahead },
        { device: 2, saw: [0], changes: [remove('a')], ahead: 1 },
      ])
      for (const order of causalOrders(history)) {
        const state = runLaw(elements, order)
        expect(observedRemove(state)).toEqual(['a'])
        expect(lastWrite(state, history.compare)).toEqual(latest)
        const [, added, removed] = history.ops
        expect(contestedElements(state, history.compare)).toEqual([
          { value: 'a', adds: [added.ref], removes: [removed.ref] },
        ])
      }
    }
  })

  it('[CELL3] what one device alone puts in and takes out is a plain set, under both views and without conflict', () => {
    fc.assert(
      fc.property(fc.array(anyChange(['a', 'b', 'c']), { maxLength: 30 }), (changes) => {
        const plain = new Set<Value>()
        for (const { law, value } of changes) {
          if (law === Law.add) plain.add(value)
          else plain.delete(value)
        }
        // In ops of one change each, in one op, and every change twice.
        for (const steps of [
          changes.map((change) => ({ device: 0, changes: [change] })),
          [{ device: 0, changes }],
          changes.map((change) => ({ device: 0, changes: [change, change] })),
        ]) {
          const { ops, compare } = historyOf(steps)
          const state = runLaw(elements, ops)
          expect(observedRemove(state)).toEqual(inShownOrder([...plain]))
          expect(lastWrite(state, compare)).toEqual(inShownOrder([...plain]))
          expect(isContested(state)).toBe(false)
        }
      }),
    )
  })

  it('[CELL3] a write that has seen both sides settles the element', () => {
    for (const [settle, end] of [
      [add, ['a']],
      [remove, []],
    ] as const) {
      const history = historyOf([
        { device: 0, changes: [add('a')] },
        { device: 1, changes: [remove('a')] },
        { device: 2, saw: [0, 1], changes: [settle('a')] },
      ])
      for (const order of causalOrders(history)) {
        const state = runLaw(elements, order)
        expect([observedRemove(state), lastWrite(state, history.compare), isContested(state)]).toEqual([
          end,
          end,
          false,
        ])
      }
    }
  })

  it('[CELL3 OP2] an element is its canonical bytes, and its key is these', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(Buffer.from(valueKey(value), 'latin1').toString('hex')).toBe(encoded(value))
      }),
      { numRuns: 500 },
    )
    const { ops } = historyOf([{ device: 0, changes: [{ a: 1, b: 2 }, { b: 2, a: 1 }, 1, '1', true, [1]].map(add) }])
    expect(observedRemove(runLaw(elements, ops))).toHaveLength(5)
  })

  it('[CELL3 OP5] fits additions and removals of a field, and nothing below it', () => {
    expect(elements.fits(add(null))).toBe(true)
    expect(elements.fits(remove({ a: [] }))).toBe(true)
    expect(elements.fits({ ...add('a'), keys: ['below'] })).toBe(false)
    expect(elements.fits({ ...add('a'), law: Law.set })).toBe(false)
  })
})
