import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dotRef } from '../op/dot-ref.ts'
import { Law } from '../op/law.ts'
import type { Value } from '../op/value.ts'
import { canonicalJson } from '../schema/kinds/json.ts'
import type { LawChange } from './composed.ts'
import {
  causalOrder,
  digestBytes,
  histories,
  type History,
  type HistoryOp,
  historyOf,
  runLaw,
  type Step,
} from './history.test-support.ts'
import { diff, type PathChange } from './tree-diff.ts'
import { isContested, shown, tree } from './tree.ts'

const key = fc.constantFrom('a', 'b', 'c', '', '__proto__')
const leaf = fc.constantFrom<Value[]>(null, true, 0, 1, -1.5, '', 'x', [], [1], [{ a: 1 }], {})
const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, leaf, fc.dictionary(key, tie('value'), { maxKeys: 3 })),
}))
/** Writes of any shape, not only those of `diff`: values may hold whole objects. */
const anyPut: fc.Arbitrary<LawChange> = fc.record({
  law: fc.constant(Law.put),
  keys: fc.array(key, { maxLength: 3 }),
  value: fc.oneof({ weight: 4, arbitrary: fc.tuple(value) }, { weight: 1, arbitrary: fc.constant([]) }),
})

const text = (it: Value | undefined): string => (it === undefined ? 'nothing' : canonicalJson(it))

const puts = (changes: readonly PathChange[]): LawChange[] => changes.map((change) => ({ law: Law.put, ...change }))

const shownIn = (history: History, order: readonly HistoryOp[] = history.ops): Value | undefined =>
  shown(runLaw(tree, order), history.compare)

/** Steps of authors that each want a value, and know of what they saw only. */
interface Wish {
  readonly device: number
  readonly saw?: readonly number[]
  readonly ahead?: number
  readonly after: Value
}

const historyOfWishes = (wishes: readonly Wish[]): History => {
  const steps: Step[] = []
  for (const { after, ...wish } of wishes) {
    const { ops, compare } = historyOf([...steps, { ...wish, changes: [] }])
    const author = ops[ops.length - 1]
    const before = shown(
      runLaw(
        tree,
        ops.filter(({ ref }) => author.sees(ref)),
      ),
      compare,
    )
    steps.push({ ...wish, changes: puts(diff(before, after)) })
    // Whatever its author has seen: with its op, it shows what it wants.
    const renewed = historyOf(steps)
    expect(
      text(
        shownIn(
          renewed,
          renewed.ops.filter(({ ref }) => author.sees(ref)),
        ),
      ),
    ).toBe(text(after))
  }
  return historyOf(steps)
}

const shownAfter = (...wishes: Wish[]): Value | undefined => shownIn(historyOfWishes(wishes))

const at = (whole: Value | undefined, keys: readonly string[]): Value | undefined =>
  keys.reduce<Value | undefined>((within, part) => {
    const isMap = typeof within === 'object' && within !== null && !Array.isArray(within)
    return isMap && Object.hasOwn(within, part) ? (within as Record<string, Value>)[part] : undefined
  }, whole)

describe('the author of JSON under deep merge', () => {
  it('[CELL4] makes of what any history shows the value that it wants', () => {
    const own = dotRef(4, 1)
    fc.assert(
      fc.property(histories(anyPut, { devices: 4, ops: 12 }), value, (history, after) => {
        const state = runLaw(tree, history.ops)
        const before = shown(state, history.compare)
        for (const change of puts(diff(before, after))) {
          expect(tree.fits(change)).toBe(true)
          tree.enter(state, change, { ref: own, sees: () => true })
        }
        const ownLast = (a: number, b: number): number =>
          a === b ? 0 : a === own ? 1 : b === own ? -1 : history.compare(a, b)
        expect(text(shown(state, ownLast))).toBe(text(after))
      }),
      { numRuns: 2000 },
    )
  })

  it('[CELL4] does so for each of several authors, whose histories show one value in every order', () => {
    const wishes = fc.array(
      fc.record({
        device: fc.nat(3),
        saw: fc.array(fc.nat(12), { maxLength: 2 }),
        ahead: fc.nat(2),
        after: value,
      }),
      { minLength: 1, maxLength: 12 },
    )
    const choices = fc.array(fc.array(fc.nat(1000), { minLength: 1, maxLength: 12 }), { minLength: 3, maxLength: 3 })
    fc.assert(
      fc.property(wishes, choices, (list, orders) => {
        const history = historyOfWishes(
          list.map((wish, index) => ({ ...wish, saw: wish.saw.filter((other) => other < index) })),
        )
        for (const order of orders.map((choice) => causalOrder(history, choice))) {
          expect(text(shownIn(history, order))).toBe(text(shownIn(history)))
          expect(digestBytes(tree, runLaw(tree, order), history.compare)).toBe(
            digestBytes(tree, runLaw(tree, history.ops), history.compare),
          )
        }
      }),
      { numRuns: 300 },
    )
  })

  it('[CELL4] writes only where values differ, no path at or above another', () => {
    fc.assert(
      fc.property(fc.option(value, { nil: undefined }), value, (before, after) => {
        const changes = diff(before, after)
        expect(changes.length === 0).toBe(text(before) === text(after))
        for (const { keys, value: written } of changes) {
          expect(text(at(before, keys))).not.toBe(text(at(after, keys)))
          expect(text(written[0])).toBe(text(at(after, keys)))
        }
        for (const { keys } of changes) {
          const above = changes.filter((other) => other.keys.every((part, depth) => keys[depth] === part))
          expect(above).toHaveLength(1)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('[CELL4] changes of different keys at once all stay, in either total order', () => {
    const object = fc.dictionary(key, value)
    const chosen = fc.record({ a: fc.boolean(), b: fc.boolean(), c: fc.boolean() })
    fc.assert(
      fc.property(object, object, object, chosen, fc.nat(2), (base, left, right, isLeft, ahead) => {
        const keys = ['a', 'b', 'c'] as const
        /** `base`, but for the keys of one side: those are as in `wanted`. */
        const edited = (wanted: Record<string, Value>, isOwn: (part: 'a' | 'b' | 'c') => boolean): Value =>
          Object.fromEntries([
            ...Object.entries(base).filter(([part]) => !keys.some((own) => own === part && isOwn(own))),
            ...keys.filter((own) => isOwn(own) && Object.hasOwn(wanted, own)).map((own) => [own, wanted[own]] as const),
          ])
        const history = historyOfWishes([
          { device: 0, after: base },
          { device: 1, saw: [0], ahead, after: edited(left, (part) => isLeft[part]) },
          { device: 2, saw: [0], ahead: 1, after: edited(right, (part) => !isLeft[part]) },
        ])
        const merged = Object.fromEntries([
          ...Object.entries(base).filter(([part]) => !keys.some((own) => own === part)),
          ...keys.flatMap((part) => {
            const from = isLeft[part] ? left : right
            return Object.hasOwn(from, part) ? [[part, from[part]] as const] : []
          }),
        ])
        expect(text(shownIn(history))).toBe(text(merged))
        expect(isContested(runLaw(tree, history.ops))).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  it('[CELL4] writes a new object by its leaves: what others add to the same object meanwhile stays', () => {
    expect(diff(undefined, { a: { b: 1, c: { d: [2] } } })).toEqual([
      { keys: ['a', 'b'], value: [1] },
      { keys: ['a', 'c', 'd'], value: [[2]] },
    ])
    const none: Wish = { device: 0, after: { other: 0 } }
    const one: Wish = { device: 1, saw: [0], after: { other: 0, a: { b: 1 } } }
    const other: Wish = { device: 2, saw: [0], after: { other: 0, a: { c: 2 } } }
    expect(shownAfter(none, one, other)).toEqual({ other: 0, a: { b: 1, c: 2 } })
  })

  it('[CELL4] an object that takes the place of a scalar is written by its leaves too, and merges', () => {
    expect(diff({ a: 5 }, { a: { b: 1 } })).toEqual([{ keys: ['a', 'b'], value: [1] }])
    const scalar: Wish = { device: 0, after: { a: 5 } }
    const one: Wish = { device: 1, saw: [0], after: { a: { b: 1 } } }
    const other: Wish = { device: 2, saw: [0], after: { a: { c: 2 } } }
    expect(shownAfter(scalar, one, other)).toEqual({ a: { b: 1, c: 2 } })
    // The scalar is beneath, and does not come back.
    expect(shownAfter(scalar, one, { device: 1, after: { a: {} } })).toEqual({ a: {} })
    expect(shownAfter(scalar, one, { device: 1, after: {} })).toEqual({})
  })

  it('[CELL4] a scalar or an array takes the place of an object at its path', () => {
    expect(diff({ a: { b: 1, c: 2 } }, { a: 5 })).toEqual([{ keys: ['a'], value: [5] }])
    expect(diff({ a: { b: 1 } }, { a: [] })).toEqual([{ keys: ['a'], value: [[]] }])
    expect(diff({ a: 1 }, null)).toEqual([{ keys: [], value: [null] }])
  })

  it('[CELL4] an object that loses its last key goes on as {}, and additions that were not seen stay', () => {
    expect(diff({ a: { b: 1 } }, { a: {} })).toEqual([{ keys: ['a', 'b'], value: [] }])
    const base: Wish = { device: 0, after: { a: { b: 1 } } }
    const adds: Wish = { device: 1, saw: [0], after: { a: { b: 1, c: 2 } } }
    const empties: Wish = { device: 2, saw: [0], ahead: 1, after: { a: {} } }
    expect(shownAfter(base, empties)).toEqual({ a: {} })
    expect(shownAfter(base, adds, empties)).toEqual({ a: { c: 2 } })
    expect(shownAfter(base, { device: 0, after: {} })).toEqual({})
  })

  it('[CELL4] an empty object is a leaf where there was none', () => {
    expect(diff(undefined, {})).toEqual([{ keys: [], value: [{}] }])
    expect(diff({ a: 1 }, { a: {} })).toEqual([{ keys: ['a'], value: [{}] }])
    expect(diff({ a: [] }, { a: {} })).toEqual([{ keys: ['a'], value: [{}] }])
    expect(diff({}, {})).toEqual([])
  })

  it('[CELL4] compares arrays and bytes by what they hold', () => {
    expect(diff({ a: [1, { b: 2, c: 3 }] }, { a: [1, { c: 3, b: 2 }] })).toEqual([])
    expect(diff({ a: new Uint8Array([1]) }, { a: new Uint8Array([1]) })).toEqual([])
    expect(diff({ a: new Uint8Array([1]) }, { a: new Uint8Array([2]) })).toHaveLength(1)
    expect(diff({ a: [1, 2] }, { a: [2, 1] })).toEqual([{ keys: ['a'], value: [[2, 1]] }])
  })

  it('[CELL4] keys that objects inherit are told from those that they have', () => {
    const odd = JSON.parse('{ "__proto__": { "b": 4 }, "toString": 1 }') as Value
    expect(diff({}, odd)).toEqual([
      { keys: ['__proto__', 'b'], value: [4] },
      { keys: ['toString'], value: [1] },
    ])
    expect(diff(odd, {})).toEqual([
      { keys: ['__proto__'], value: [] },
      { keys: ['toString'], value: [] },
    ])
    expect(diff(odd, odd)).toEqual([])
  })
})
