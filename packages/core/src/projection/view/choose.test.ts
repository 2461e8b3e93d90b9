import { describe, expect, it, vi } from 'vitest'
import { type Hlc, hlcFromMs } from '../../clock/hlc.ts'
import { cryptoReady } from '../../crypto/sodium.ts'
import type { Value } from '../../op/value.ts'
import { f } from '../../schema/f.ts'
import type { FieldBuilder } from '../../schema/field.ts'
import { defineSchema, table } from '../../schema/schema.ts'
import type { StrategyCandidate } from '../../schema/strategy.ts'
import { identityOf, permutations, START_MS } from '../../testing/replicas.test-support.ts'
import { candidatesOf, choose, type RegisterCandidate } from './choose.ts'

const fieldOf = (builder: FieldBuilder) =>
  defineSchema({ version: 1, tables: { t: table({ x: builder }) } }).tables.t.fields.x
const T = hlcFromMs(START_MS)

await cryptoReady()

/** By rising stamp. `ticks`: within the millisecond. */
const at = (ms: number, value: Value, ticks = 0): RegisterCandidate => {
  const stamp: Hlc = hlcFromMs(START_MS + ms) + ticks
  return { role: undefined, value, author: identityOf(1).device, stamp, ref: stamp }
}
const chosen = (builder: FieldBuilder, candidates: readonly RegisterCandidate[], isChecked = true) =>
  choose(fieldOf(builder), candidates, isChecked)
const merging = (merge: (candidates: readonly StrategyCandidate<string>[]) => unknown) =>
  f.string().custom({ name: 'mine', version: 1, merge: merge as () => string })

const three = [at(0, 'b'), at(1, 'c'), at(2, 'a')]

describe('strategies', () => {
  it('[STRAT1] last-writer-wins and manual show the last in total order', () => {
    for (const builder of [f.string(), f.string().lastWriterWins(), f.string().manual()]) {
      expect(chosen(builder, three)).toEqual({ value: 'a', shown: three[2], failure: undefined })
    }
  })

  it('[STRAT2] timestamp: the latest millisecond; within one, the text of the JSON decides, whatever the counter', () => {
    const tied = [at(0, 'z'), at(1, 'c', 0), at(1, 'b', 1), at(1, 'a', 2)]
    expect(chosen(f.string().timestamp(), tied).value).toBe('c')
    expect(chosen(f.string().timestamp({ tie: 'least' }), tied).value).toBe('a')
    // Of one value too the last is shown: a unique field goes by the write (UNIQ1).
    const twice = [at(1, 'c', 0), at(1, 'c', 1), at(2, 'b', 0), at(2, 'b', 1)]
    expect(chosen(f.string().timestamp(), twice).shown).toBe(twice[3])
    expect(chosen(f.string().timestamp({ tie: 'least' }), twice).shown).toBe(twice[3])
    // As text, not as numbers.
    const numbers = [at(1, 10), at(1, 9, 1)]
    expect(chosen(f.number().timestamp(), numbers).value).toBe(9)
    expect(chosen(f.number().timestamp({ tie: 'least' }), numbers).value).toBe(10)
    for (const order of permutations(tied.slice(1))) {
      expect(chosen(f.string().timestamp(), order).value).toBe('c')
    }
  })

  it('[STRAT3] priority: the highest rank, of equals the latest; it sees decoded values, author and time', () => {
    const seen: StrategyCandidate[] = []
    const rank = (candidate: StrategyCandidate<string>): number => {
      seen.push(candidate)
      return candidate.value === 'a' ? 0 : 1
    }
    expect(chosen(f.string().priority(rank), three).shown).toBe(three[1])
    expect(seen[0]).toEqual({ value: 'b', author: identityOf(1).device, at: new Date(START_MS), role: undefined })
    const due = [at(0, START_MS), at(1, 5)]
    expect(
      chosen(
        f.date().priority(({ value }) => value.getTime()),
        due,
      ).value,
    ).toBe(START_MS)
    expect(
      chosen(
        f.string().priority(() => Number.NEGATIVE_INFINITY),
        three,
      ).value,
    ).toBe('a')
  })

  it.each<[string, (candidate: StrategyCandidate) => unknown, RegExp]>([
    [
      'throws',
      () => {
        throw new Error('no rank')
      },
      /^no rank$/,
    ],
    ['returns NaN', () => Number.NaN, /NaN, not a number/],
    ['returns text', () => '1', /not a number/],
    ['returns what has no text', () => Object.create(null) as unknown, /./],
  ])('[STRAT6] a rank that %s: the latest is shown, and why is told', (_, rank, why) => {
    const choice = chosen(f.string().priority(rank as () => number), three)
    expect(choice).toMatchObject({ value: 'a', shown: three[2] })
    expect(choice.failure).toMatch(why)
  })

  it('[STRAT4] custom: the function of the values by rising stamp; a value of its own has no candidate', () => {
    const joined = merging((all) =>
      all
        .map(({ value }) => value)
        .sort()
        .join('+'),
    )
    expect(chosen(joined, three)).toEqual({ value: 'a+b+c', shown: undefined, failure: undefined })
    expect(
      chosen(
        merging((all) => all.map(({ value }) => value).sort()[0]),
        three,
      ).shown,
    ).toBe(three[2])
    const first = merging((all) => all[0].value)
    expect(chosen(first, three, false)).toMatchObject({ value: 'b', failure: undefined })
  })

  let calls = 0
  it.each<[string, (candidates: readonly StrategyCandidate<string>[]) => unknown, RegExp]>([
    [
      'throws',
      () => {
        throw new Error('broken')
      },
      /^broken$/,
    ],
    [
      'throws what has no text',
      () => {
        throw Object.create(null) as unknown
      },
      /no text/,
    ],
    ['returns a number', () => 1, /it returned a number/],
    [
      'throws half a character',
      () => {
        throw new Error('\ud83d')
      },
      /^\ufffd$/,
    ],
    ['returns nothing', () => undefined, /it returned undefined/],
    ['returns null', () => null, /it returned null/],
    ['returns a promise', () => Promise.resolve('x'), /it returned a Promise/],
    ['is not pure', () => String(calls++), /asked twice/],
    ['depends on the order', (all) => all[0].value, /another order/],
  ])('[STRAT6] a custom function that %s: the latest is shown, and why is told', (_, merge, why) => {
    const choice = chosen(merging(merge), three)
    expect(choice).toMatchObject({ value: 'a', shown: three[2] })
    expect(choice.failure).toMatch(why)
  })

  it('[STRAT4] a promise is refused, and where it fails somebody has heard it: no process ends for it', () => {
    const failing = (): { promise: never; isHeard: () => boolean } => {
      const promise = Promise.reject(new Error('later'))
      const heard = vi.spyOn(promise, 'then')
      return { promise: promise as never, isHeard: () => heard.mock.calls.length > 0 }
    }
    const [merged, rank] = [failing(), failing()]
    for (const builder of [merging(() => merged.promise), f.string().priority(() => rank.promise)])
      expect(chosen(builder, three)).toMatchObject({
        value: 'a',
        failure: expect.stringMatching(/promise/i) as unknown,
      })
    expect([merged.isHeard(), rank.isHeard()]).toEqual([true, true])
  })

  it('[STRAT1 CONF1] nobody is asked where all wrote the same; else of every write, equal ones with their authors too', () => {
    const asked: unknown[][] = []
    const sum = f.number().custom({
      name: 'sum',
      version: 1,
      merge: (all) => {
        asked.push(all.map(({ value }) => value))
        return all.reduce((total, { value }) => total + value, 0)
      },
    })
    const equal = [at(0, 5), at(1, 5)]
    expect(chosen(sum, equal)).toEqual({ value: 5, shown: equal[1], failure: undefined })
    expect(asked).toEqual([])
    expect(chosen(sum, [...equal, at(2, 3)], false).value).toBe(13)
    expect(asked).toEqual([[5, 5, 3]])
  })

  it('[STRAT6] a function that changes what it is given reaches neither the cells nor the next question', () => {
    const held = [at(0, { n: [1] }), at(1, { n: [2] })]
    const merge = (all: readonly StrategyCandidate<{ n: number[] }>[]) => {
      const list = all as StrategyCandidate<{ n: number[] }>[]
      const n = list.flatMap(({ value }) => value.n).sort((a, b) => a - b)
      for (const { value } of list) value.n.push(99)
      list.reverse()
      return { n }
    }
    const builder = f.json<{ n: number[] }>().custom({ name: 'sum', version: 1, merge })
    expect(chosen(builder, held)).toMatchObject({ value: { n: [1, 2] }, failure: undefined })
    expect(held.map(({ value }) => value)).toEqual([{ n: [1] }, { n: [2] }])
  })

  it('[STRAT5] values that the field cannot hold are shown to functions as it shows them', () => {
    const seen: unknown[] = []
    const builder = f
      .string()
      .default('none')
      .custom({
        name: 'spy',
        version: 1,
        merge: (all) => {
          seen.push(...all.map(({ value }) => value))
          return 'ok'
        },
      })
    chosen(builder, [at(0, 5), at(1, null), at(2, 'x')], false)
    expect(seen).toEqual(['none', 'none', 'x'])
  })
})

describe('candidates', () => {
  it('[CONF4] a reopened write stands for its candidates, each with its own author and stamp, sorted among the others', () => {
    const authors = [1, 2].map((number) => identityOf(number).device)
    const bytes = authors.map((author) => Uint8Array.from(Buffer.from(author, 'base64url')))
    const ops = {
      authorId: () => authors[0],
      roleOf: () => undefined,
      stamp: (ref: number) => ref,
      compare: (a: number, b: number) => a - b,
    } as never
    const reopened = {
      ref: T + 9,
      isReopened: true,
      value: [
        [bytes[1], T + 3, 'late'],
        [bytes[0], T + 1, 'early'],
      ],
    }
    const all = candidatesOf([{ ref: T + 2, value: 'plain' }, reopened], ops)
    expect(all.map(({ value, author, stamp }) => [value, authors.indexOf(author), stamp - T])).toEqual([
      ['early', 0, 1],
      ['plain', 0, 2],
      ['late', 1, 3],
    ])
    expect(all.map(({ ref }) => ref - T)).toEqual([9, 2, 9])
  })

  it('[CELL2] what an op claims to have been written after it counts as written with it', () => {
    const ops = { authorId: () => identityOf(1).device, stamp: (ref: Hlc) => ref, compare: (a: Hlc, b: Hlc) => a - b }
    const author = Uint8Array.from(Buffer.from(identityOf(2).device, 'base64url'))
    const value = [
      [author, T + 1, 'before'],
      [author, Number.MAX_SAFE_INTEGER, 'from the future'],
    ]
    const all = candidatesOf([{ ref: T + 9, value, isReopened: true }], ops as never)
    expect(all.map(({ stamp }) => stamp - T)).toEqual([1, 9])
  })

  it('[CONF4] what several reopened, or is there beside it, is one candidate: by author, stamp and value, in whatever order', () => {
    const authors = [1, 2].map((number) => identityOf(number).device)
    const bytes = authors.map((author) => Uint8Array.from(Buffer.from(author, 'base64url')))
    const ops = {
      authorId: () => authors[0],
      roleOf: () => undefined,
      stamp: (ref: number) => ref,
      compare: (a: number, b: number) => a - b,
    } as never
    const value: Value = [
      [bytes[0], T + 2, { n: 1 }],
      [bytes[1], T + 2, { n: 1 }],
      [bytes[0], T + 2, { n: 2 }],
    ]
    const writes = [
      { ref: T + 2, value: { n: 1 } },
      { ref: T + 8, isReopened: true, value },
      { ref: T + 9, isReopened: true, value: value.toReversed() },
    ]
    for (const order of permutations(writes)) {
      const all = candidatesOf(order, ops)
      const told = all.map(({ value: shown, author, ref }) => [shown, authors.indexOf(author), ref - T])
      expect(told.toSorted((a, b) => (a[1] as number) - (b[1] as number))).toEqual([
        [{ n: 1 }, 0, 2],
        [{ n: 2 }, 0, 8],
        [{ n: 1 }, 1, 8],
      ])
    }
  })
})
