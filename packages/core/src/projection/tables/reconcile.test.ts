import fc from 'fast-check'
import { expect, test } from 'vitest'
import { reconcileRows } from './reconcile.ts'

const row = (id: string, extra: object = {}): object => ({
  id,
  due: new Date(5),
  settings: { a: [1, { b: null }] },
  ...extra,
})

test('[Q8] rows that did not change keep their identity, wherever they stand now', () => {
  const previous = [row('a'), row('b'), row('c')]
  const next = reconcileRows(previous, [row('c'), row('a'), row('b', { due: new Date(6) }), row('d')])
  expect(next[0]).toBe(previous[2])
  expect(next[1]).toBe(previous[0])
  expect(next[2]).toEqual(row('b', { due: new Date(6) }))
})

test('[Q8] a result in which nothing changed is the result before', () => {
  const previous = [row('a'), row('b')]
  expect(reconcileRows(previous, [row('a'), row('b')])).toBe(previous)
  expect(reconcileRows(previous, [row('b'), row('a')])).not.toBe(previous)
  expect(reconcileRows(previous, [row('a')])).toHaveLength(1)
  expect(reconcileRows([], [])).toEqual([])
})

test('[Q8] rows without an id, or with one that repeats, are matched by position', () => {
  const previous = [{ n: 1 }, { n: 2 }, row('a', { n: 1 }), row('a', { n: 2 })]
  const next = reconcileRows(previous, [{ n: 1 }, { n: 3 }, row('a', { n: 1 }), row('a', { n: 2 })])
  expect([0, 2, 3].map((index) => next[index] === previous[index])).toEqual([true, true, true])
  expect(next[1]).toEqual({ n: 3 })
})

test('[Q8] tells values apart', () => {
  const values = [
    null,
    undefined,
    0,
    1,
    '',
    '0',
    false,
    new Date(0),
    new Date(1),
    [],
    [0],
    {},
    { a: undefined },
    { b: 0 },
    new Uint8Array(1),
    new Uint8Array(2),
    new Map(),
    new Map([['a', 1]]),
    new Map([['a', 2]]),
    new Map([['b', 1]]),
  ]
  values.forEach((a, i) => {
    values.forEach((b, j) => {
      const previous = [{ v: structuredClone(a) }]
      expect(reconcileRows(previous, [{ v: structuredClone(b) }]) === previous, `${i} ${j}`).toBe(i === j)
    })
  })
})

test('[Q8] of maps the entries count, not their order', () => {
  const entries: [string, number][] = [
    ['a', 1],
    ['b', 2],
  ]
  const previous = [{ seen: new Map(entries) }]
  expect(reconcileRows(previous, [{ seen: new Map(entries.toReversed()) }])).toBe(previous)
})

test('[Q8] always equals the new result', () => {
  const rows = fc.array(
    fc.record({ id: fc.constantFrom('a', 'b', 'c', null), json: fc.jsonValue({ maxDepth: 2 }) }, { requiredKeys: [] }),
  )
  fc.assert(
    fc.property(rows, rows, (previous, next) => {
      expect(reconcileRows(previous, next)).toEqual(next)
    }),
  )
})
