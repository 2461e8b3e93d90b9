import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Law } from '../op/law.ts'
import { MAX_DEPTH, type Value } from '../op/value.ts'
import { canonicalJson } from '../schema/kinds/json.ts'
import type { LawChange } from './composed.ts'
import {
  causalOrders,
  digestBytes,
  histories,
  type History,
  type HistoryOp,
  historyOf,
  orderedHistories,
  runLaw,
  type Step,
} from './history.test-support.ts'
import { collisions, isContested, type Put, shown, tree, type Tree, type TreeWrite } from './tree.ts'

const put = (keys: string[], ...value: Put): LawChange => ({ law: Law.put, keys, value })

/** Few paths, so that they meet; what an object inherits is among the keys. */
const key = fc.constantFrom('a', 'b', '__proto__')
const keys = fc.array(key, { maxLength: 3 })
const leaf = fc.constantFrom<Value[]>(null, 1, 2, 'x', [], [1], [{ a: 1 }], {})
const value: fc.Arbitrary<Value> = fc.oneof(
  leaf,
  fc.dictionary(key, fc.oneof(leaf, fc.dictionary(key, leaf, { maxKeys: 2 })), { maxKeys: 2 }),
)
const change: fc.Arbitrary<LawChange> = fc.record({
  law: fc.constant(Law.put),
  keys,
  value: fc.oneof({ weight: 4, arbitrary: fc.tuple(value) }, { weight: 1, arbitrary: fc.constant([]) }),
})

const text = (shownValue: Value | undefined): string =>
  shownValue === undefined ? 'nothing' : canonicalJson(shownValue)

/** CELL4, word for word, over all writes at once. */
interface NaiveWrite {
  readonly op: HistoryOp
  readonly index: number
  readonly keys: readonly string[]
  readonly put: Put
}

const isAtOrBelow = (path: readonly string[], other: readonly string[]): boolean =>
  other.every((part, index) => path[index] === part)

const saw = (later: NaiveWrite, earlier: NaiveWrite): boolean =>
  later.op === earlier.op ? later.index > earlier.index : later.op.sees(earlier.op.ref)

const naiveSurvivors = (ops: readonly HistoryOp[], { compare }: History): NaiveWrite[] => {
  const writes = ops.flatMap((op) =>
    op.changes.map((it, index) => ({ op, index, keys: it.keys, put: it.value as unknown as Put })),
  )
  return writes
    .filter((write) => !writes.some((other) => saw(other, write) && isAtOrBelow(write.keys, other.keys)))
    .sort((a, b) => compare(a.op.ref, b.op.ref) || a.index - b.index)
}

const isNaiveObject = (it: Value | undefined): it is { readonly [key: string]: Value } =>
  Object.prototype.toString.call(it) === '[object Object]'

const naiveApply = (before: Value | undefined, path: readonly string[], written: Put): Value | undefined => {
  if (path.length === 0) return written[0]
  const [first, ...rest] = path
  const { [first]: at, ...others } = isNaiveObject(before) ? before : {}
  const has = isNaiveObject(before) && Object.hasOwn(before, first)
  const after = naiveApply(has ? at : undefined, rest, written)
  return after === undefined ? others : { ...others, [first]: after }
}

const naiveShown = (writes: readonly NaiveWrite[]): Value | undefined => {
  let result: Value | undefined
  for (const write of writes) result = naiveApply(result, write.keys, write.put)
  return result
}

const nameOf = ({ keys: path, put: written }: Pick<TreeWrite, 'keys' | 'put'>, ref: number): string =>
  `${ref} ${JSON.stringify(path)} ${canonicalJson(written)}`

/** Each set of writes that collide, directly or by way of others, as sorted names. */
const naiveCollisions = (writes: readonly NaiveWrite[]): string[][] => {
  const collide = (a: NaiveWrite, b: NaiveWrite): boolean =>
    !saw(a, b) &&
    !saw(b, a) &&
    (isAtOrBelow(a.keys, b.keys) || isAtOrBelow(b.keys, a.keys)) &&
    text(naiveShown([a, b])) !== text(naiveShown([b, a]))
  let sets = writes.map((write) => [write])
  for (const a of writes) {
    for (const b of writes) {
      if (a === b || !collide(a, b)) continue
      const met = sets.filter((set) => set.includes(a) || set.includes(b))
      if (met.length === 2) sets = [...sets.filter((set) => !met.includes(set)), met.flat()]
    }
  }
  return sets
    .filter((set) => set.length > 1)
    .map((set) => set.map((write) => nameOf(write, write.op.ref)).sort())
    .sort((a, b) => (a.join() < b.join() ? -1 : 1))
}

const collisionNames = (state: Tree, { compare }: History): string[][] =>
  collisions(state, compare)
    .map(({ writes }) => writes.map((write) => nameOf(write, write.ref)).sort())
    .sort((a, b) => (a.join() < b.join() ? -1 : 1))

/** Against the definition after each op: its order may bring about states that no other order passes. */
const expectDefined = (history: History, order: readonly HistoryOp[]): void => {
  const state = tree.create()
  order.forEach((op, at) => {
    for (const it of op.changes) tree.enter(state, it, op)
    const writes = naiveSurvivors(order.slice(0, at + 1), history)
    expect(text(shown(state, history.compare))).toBe(text(naiveShown(writes)))
    expect(collisionNames(state, history)).toEqual(naiveCollisions(writes))
    expect(isContested(state)).toBe(naiveCollisions(writes).length > 0)
  })
}

const digestOf = (history: History, order: readonly HistoryOp[] = history.ops): string =>
  digestBytes(tree, runLaw(tree, order), history.compare)

const shownOf = (history: History): Value | undefined => shown(runLaw(tree, history.ops), history.compare)
const shownAfter = (...steps: Step[]): Value | undefined => shownOf(historyOf(steps))
const collisionsAfter = (...steps: Step[]): { keys: readonly string[]; puts: Put[] }[] => {
  const history = historyOf(steps)
  return collisions(runLaw(tree, history.ops), history.compare).map(({ keys: at, writes }) => ({
    keys: at,
    puts: writes.map((write) => write.put),
  }))
}

describe('JSON under deep merge', () => {
  it('[CELL4] shows and collides as in the definition, in every causal order, which all end in equal bytes', () => {
    fc.assert(
      fc.property(histories(change, { devices: 3, ops: 5, changes: 2 }), (history) => {
        const orders = causalOrders(history)
        for (const order of orders) expectDefined(history, order)
        expect(new Set(orders.map((order) => digestOf(history, order))).size).toBe(1)
      }),
      { numRuns: 300 },
    )
  })

  it('[CELL4] does so in long histories of four devices', () => {
    fc.assert(
      fc.property(orderedHistories(change, { devices: 4, ops: 24, changes: 3 }), ({ history, orders }) => {
        for (const order of orders) expectDefined(history, order)
        expect(new Set(orders.map((order) => digestOf(history, order))).size).toBe(1)
      }),
      { numRuns: 200 },
    )
  })

  it('[CELL7] has equal bytes for equal survivors alone', () => {
    fc.assert(
      fc.property(histories(change, { devices: 3, ops: 8, changes: 2 }), (history) => {
        const bySurvivors = new Map<string, string>()
        for (let length = 1; length <= history.ops.length; length++) {
          const ops = history.ops.slice(0, length)
          const survivors = naiveSurvivors(ops, history).map((write) => nameOf(write, write.op.ref))
          // Writes of one op at paths of which none is above the other have no order.
          const name = survivors.sort().join('\n')
          const digest = digestOf(history, ops)
          expect(bySurvivors.get(name) ?? digest).toBe(digest)
          bySurvivors.set(name, digest)
        }
        expect(new Set(bySurvivors.values()).size).toBe(bySurvivors.size)
      }),
      { numRuns: 300 },
    )
  })

  it('[CELL4] a write replaces what it saw at or below its path, and what its own op wrote there before', () => {
    expect(
      shownAfter(
        { device: 0, changes: [put(['a', 'b'], 1), put(['a', 'c'], 2), put(['d'], 3)] },
        { device: 1, saw: [0], changes: [put(['a'], { e: 4 })] },
      ),
    ).toEqual({ a: { e: 4 }, d: 3 })
    const history = historyOf([{ device: 0, changes: [put(['a', 'b'], 1), put(['a'], 2), put(['a'], 3)] }])
    expect(digestOf(history)).toBe(digestOf(historyOf([{ device: 0, changes: [put(['a'], 3)] }])))
  })

  it('[CELL4] a write below stands on what its own op wrote above', () => {
    expect(shownAfter({ device: 0, changes: [put([], { a: 1, b: 1 }), put(['b'], 2), put(['a'])] })).toEqual({ b: 2 })
  })

  it('[CELL4] concurrent writes of different keys both stay, a key that is gone too', () => {
    const base: Step = { device: 0, changes: [put([], { theme: 'dark', size: 1, old: true })] }
    const one: Step = { device: 1, saw: [0], changes: [put(['size'], 2)] }
    const other: Step = { device: 2, saw: [0], changes: [put(['lang'], 'de'), put(['old'])] }
    expect(shownAfter(base, one, other)).toEqual({ theme: 'dark', size: 2, lang: 'de' })
    expect(collisionsAfter(base, one, other)).toEqual([])
  })

  it('[CELL4] of one key shows the last in total order; both stay until a write has seen them', () => {
    const early: Step = { device: 0, changes: [put(['a'], 'early')] }
    const late: Step = { device: 1, ahead: 1, changes: [put(['a'], 'late')] }
    for (const steps of [
      [early, late],
      [late, early],
    ]) {
      expect(shownAfter(...steps)).toEqual({ a: 'late' })
      expect(collisionsAfter(...steps)).toEqual([{ keys: ['a'], puts: [['early'], ['late']] }])
      const sawOne: Step = { device: 2, saw: [0], changes: [put(['a'], 'third')] }
      expect(collisionsAfter(...steps, sawOne)[0].puts).toHaveLength(2)
      const sawBoth: Step = { device: 2, saw: [0, 1], changes: [put(['a'], 'both')] }
      expect(collisionsAfter(...steps, sawBoth)).toEqual([])
      expect(shownAfter(...steps, sawBoth)).toEqual({ a: 'both' })
    }
  })

  it('[CELL4] a scalar, an array or null in the way becomes an object, and stays beneath', () => {
    for (const inTheWay of [5, 'x', false, null, [1, 2], [{ b: 1 }]]) {
      const first: Step = { device: 0, changes: [put(['a'], inTheWay)] }
      const second: Step = { device: 1, saw: [0], changes: [put(['a', 'b'], 1)] }
      expect(shownAfter(first, second)).toEqual({ a: { b: 1 } })
      expect(collisionsAfter(first, second)).toEqual([])
    }
    expect(shownAfter({ device: 0, changes: [put([], 7), put(['a'], 1)] })).toEqual({ a: 1 })
  })

  it('[CELL4] arrays are leaves: nothing in them merges', () => {
    const steps: Step[] = [
      { device: 0, changes: [put(['a'], [1])] },
      { device: 1, saw: [0], changes: [put(['a'], [1, 2])] },
      { device: 2, saw: [0], ahead: 1, changes: [put(['a'], [1, 3])] },
    ]
    expect(shownAfter(...steps)).toEqual({ a: [1, 3] })
    expect(collisionsAfter(...steps)).toEqual([{ keys: ['a'], puts: [[[1, 2]], [[1, 3]]] }])
  })

  it('[CELL4] an object that loses its last key stays; taken away itself, it is gone, and so is the whole', () => {
    const leaf: Step = { device: 0, changes: [put(['a', 'b'], 1)] }
    expect(shownAfter(leaf, { device: 0, changes: [put(['a', 'b'])] })).toEqual({ a: {} })
    expect(shownAfter(leaf, { device: 0, changes: [put(['a'])] })).toEqual({})
    expect(shownAfter(leaf, { device: 0, changes: [put([])] })).toBeUndefined()
    expect(shownAfter({ device: 0, changes: [put(['a', 'b'], 1), put(['a'], 5), put(['a', 'b'])] })).toEqual({ a: {} })
    expect(shown(tree.create(), () => 0)).toBeUndefined()
  })

  it('[CELL4] a removal does not take what it had not seen', () => {
    const base: Step = { device: 0, changes: [put(['a', 'b'], 1)] }
    const removes: Step = { device: 1, saw: [0], changes: [put(['a'])] }
    const adds = (ahead: number): Step => ({ device: 2, saw: [0], ahead, changes: [put(['a', 'c'], 2)] })
    expect(shownAfter(base, removes, adds(1))).toEqual({ a: { c: 2 } })
    // Later in total order, the removal is shown; the addition waits in the collision.
    expect(shownAfter(base, { ...removes, ahead: 2 }, adds(0))).toEqual({})
    expect(collisionsAfter(base, removes, adds(1))).toEqual([{ keys: ['a'], puts: [[], [2]] }])
  })

  it('[CELL4] collide: writes above each other of which the order decides, in one set with all they collide with', () => {
    const first: Step = { device: 0, changes: [put([], { a: { x: 1 }, b: 1 })] }
    const whole: Step = { device: 1, saw: [0], changes: [put(['a'], 'gone')] }
    const parts: Step = {
      device: 2,
      saw: [0],
      ahead: 1,
      changes: [put(['a', 'x'], 2), put(['a', 'y'], 3), put(['b'], 2)],
    }
    expect(collisionsAfter(first, whole, parts)).toEqual([{ keys: ['a'], puts: [['gone'], [2], [3]] }])
  })

  it('[CELL4] do not collide: writes that say the same, or of which one has seen the other', () => {
    const base: Step = { device: 0, changes: [put([], {})] }
    const same = (device: number): Step => ({ device, saw: [0], changes: [put(['a'], { x: [1], y: {} })] })
    expect(collisionsAfter(base, same(1), same(2))).toEqual([])
    const part: Step = { device: 2, saw: [0], changes: [put(['a', 'x'], [1]), put(['a', 'z'])] }
    expect(collisionsAfter(base, same(1), part)).toEqual([])
    expect(collisionsAfter(base, same(1), { ...part, saw: [1], changes: [put(['a', 'x'], 2)] })).toEqual([])
  })

  it('[CELL4] keys that objects inherit are ordinary ones', () => {
    const result = shownAfter(
      { device: 0, changes: [put(['__proto__', 'polluted'], 1), put(['constructor', 'prototype'], 2)] },
      { device: 1, changes: [put(['toString'], 3), put(['a'], JSON.parse('{ "__proto__": { "b": 4 } }') as Value)] },
      { device: 1, saw: [0], changes: [put(['a', '__proto__', 'c'], 5)] },
    )
    expect(text(result)).toBe(
      '{"__proto__":{"polluted":1},"a":{"__proto__":{"b":4,"c":5}},"constructor":{"prototype":2},"toString":3}',
    )
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype)
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })

  it('[CELL4] what is shown does not touch what was written', () => {
    const whole = { a: { b: 1 } }
    const history = historyOf([{ device: 0, changes: [put([], whole), put(['a', 'b'], 2)] }])
    expect(shownOf(history)).toEqual({ a: { b: 2 } })
    expect(whole).toEqual({ a: { b: 1 } })
  })

  it('[OP7] fits: one value or none, nested no deeper than MAX_DEPTH with its path', () => {
    const nested = (depth: number, inner: Value = 1): Value =>
      Array.from({ length: depth }).reduce<Value>((it, _, at) => (at % 2 === 0 ? [it] : { a: it }), inner)
    const path = (length: number): string[] => Array.from({ length }, () => 'a')
    expect(tree.fits(put([], 1))).toBe(true)
    expect(tree.fits(put([]))).toBe(true)
    expect(tree.fits(put(path(MAX_DEPTH), 1))).toBe(true)
    expect(tree.fits(put(path(MAX_DEPTH)))).toBe(true)
    expect(tree.fits(put(path(MAX_DEPTH), {}))).toBe(false)
    expect(tree.fits(put(path(MAX_DEPTH + 1)))).toBe(false)
    expect(tree.fits(put(path(4), nested(MAX_DEPTH - 4)))).toBe(true)
    expect(tree.fits(put(path(4), nested(MAX_DEPTH - 3)))).toBe(false)
    // What carries it in its op is a level, too.
    expect(tree.fits(put([], nested(MAX_DEPTH - 1)))).toBe(true)
    expect(tree.fits(put([], nested(MAX_DEPTH)))).toBe(false)
    for (const wrong of [1, null, 'x', {}, [1, 2]] as Value[])
      expect(tree.fits({ law: Law.put, keys: [], value: wrong })).toBe(false)
    expect(tree.fits({ law: Law.set, keys: [], value: [1] })).toBe(false)
  })
})
