import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isPosition, positionsBetween, type PositionSource } from './positions.ts'

const authors = ['Ann', 'Bob', 'C-_9', 'Bo']

/** Where, how many, and whose: `at` of as many gaps as there are. */
const anyInsert = fc.record({
  at: fc.nat(),
  count: fc.integer({ min: 1, max: 3 }),
  author: fc.constantFrom(...authors),
})
type Insert = typeof anyInsert extends fc.Arbitrary<infer T> ? T : never

const insertAt = (positions: string[], at: number, count: number, source: PositionSource): string[] => {
  const made = positionsBetween(positions[at - 1], positions[at], count, source)
  positions.splice(at, 0, ...made)
  return made
}

const built = (inserts: readonly Insert[]): string[] => {
  const positions: string[] = []
  for (const [index, { at, count, author }] of inserts.entries())
    insertAt(positions, at % (positions.length + 1), count, { author, unique: `u${index}` })
  return positions
}

const expectRising = (positions: readonly string[]): void => {
  for (let index = 1; index < positions.length; index++) {
    if (!(positions[index - 1] < positions[index])) expect.fail(`${positions[index - 1]} before ${positions[index]}`)
  }
}

// Anything of the form, by whatever program: numbers of all lengths, a level's author named again or not.
const digit = fc.constantFrom('0', '9', 'A', 'Z', 'a', 'z')
const anyNumber = fc
  .tuple(fc.integer({ min: 3, max: 58 }), fc.array(digit, { minLength: 8, maxLength: 8 }))
  .map(([head, digits]) => {
    const more = head < 11 ? 11 - head : head >= 51 ? head - 50 : 0
    return '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'[head] + digits.join('').slice(0, more)
  })
const anyLevel = fc
  .tuple(
    anyNumber,
    fc.constantFrom(...authors, ''),
    anyNumber,
    fc.constantFrom('x', 'xy', '-'),
    fc.constantFrom('(', ')'),
  )
  .map(([run, author, place, unique, side]) => `${run}${author}!${place}${unique}${side}`)
const anyPosition = fc
  .array(anyLevel, { minLength: 1, maxLength: 3 })
  .map((levels) => levels.join('').replace(/.$/, ')'))
  .filter(isPosition)

describe('positions', () => {
  it('[CELL11] are strictly between their neighbours, rising, and a function of the arguments', () => {
    fc.assert(
      fc.property(fc.array(anyInsert, { maxLength: 60 }), (inserts) => {
        const positions = built(inserts)
        expectRising(positions)
        expect(positions.every(isPosition)).toBe(true)
        expect(built(inserts)).toEqual(positions)
      }),
      { numRuns: 300 },
    )
  })

  it('[CELL11] are found between any two positions, whoever made them', () => {
    fc.assert(
      fc.property(
        fc.option(anyPosition, { nil: undefined }),
        fc.option(anyPosition, { nil: undefined }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom(...authors),
        (one, other, count, author) => {
          fc.pre(one === undefined || one !== other)
          const [before, after] = one !== undefined && other !== undefined && one > other ? [other, one] : [one, other]
          const made = positionsBetween(before, after, count, { author, unique: 'u' })
          expect(made).toHaveLength(count)
          expect(made.every(isPosition)).toBe(true)
          expectRising([before, ...made, after].filter((position) => position !== undefined))
        },
      ),
      { numRuns: 2_000 },
    )
  })

  // How one who writes goes on: an insert into his own run, by itself, next to what he sees.
  const continuations = {
    forward: (length: number) => length,
    backward: () => 0,
    anywhere: (length: number, choice: number) => choice % (length + 1),
  }

  it.each(Object.entries(continuations))(
    '[CELL11] runs that authors write concurrently at one place, each %s in mutations of their own, stay together',
    (_, nextPlace) => {
      fc.assert(
        fc.property(
          fc.array(anyInsert, { maxLength: 20 }),
          fc.array(fc.nat(20), { maxLength: 6 }),
          fc.nat(),
          fc.array(fc.array(fc.record({ choice: fc.nat(), count: fc.integer({ min: 1, max: 3 }) }), { maxLength: 8 }), {
            minLength: 2,
            maxLength: 4,
          }),
          (inserts, gone, place, runs) => {
            // Some items have gone since.
            const positions = built(inserts).filter((_, index) => !gone.includes(index))
            const gap = place % (positions.length + 1)
            const writerOf = new Map<string, number>()
            for (const [writer, steps] of runs.entries()) {
              const seen = [...positions]
              let length = 0
              for (const [step, { choice, count }] of steps.entries()) {
                const at = gap + nextPlace(length, choice)
                const source = { author: authors[writer], unique: `run${writer}x${step}` }
                for (const made of insertAt(seen, at, count, source)) writerOf.set(made, writer)
                length += count
              }
            }
            const writers = [...writerOf.keys()].sort().map((position) => writerOf.get(position))
            const runStarts = writers.filter((writer, index) => writer !== writers[index - 1])
            expect(runStarts).toHaveLength(new Set(writers).size)
            expect(writerOf.size).toBe(runs.flat().reduce((sum, { count }) => sum + count, 0))
          },
        ),
        { numRuns: 500 },
      )
    },
  )

  const places: Record<string, (length: number, step: number) => number> = {
    'at the end': (length) => length,
    'at the start': () => 0,
    'after one item': (length) => Math.min(length, 1),
    'before one item': (length) => Math.max(length - 1, 0),
    'at random': (length, step) => Math.floor((step * 0.618_033_988_75 * 1e6) % (length + 1)),
  }

  it.each(Object.entries(places))(
    '[CELL11] 1,000 of them %s, each in its own mutation, stay short',
    (name, placeAt) => {
      for (const writers of [1, 3]) {
        const positions: string[] = []
        for (let step = 0; step < 1_000; step++) {
          const source = {
            author: `Bob${(step * 7) % writers}`,
            unique: (step * 7_919).toString(36).padStart(4, '0').slice(-4),
          }
          insertAt(positions, placeAt(positions.length, step), 1, source)
        }
        expectRising(positions)
        expect(Math.max(...positions.map(({ length }) => length))).toBeLessThan(name === 'at random' ? 150 : 32)
      }
    },
  )

  it('[CELL11] of one call are one run, and short: 10,000 at once, and as many before and behind them', () => {
    const source = { author: 'Bob', unique: 'u' }
    const middle = positionsBetween(undefined, undefined, 10_000, source)
    const front = positionsBetween(undefined, middle[0], 10_000, source)
    const positions = [...front, ...middle, ...positionsBetween(middle.at(-1), undefined, 10_000, source)]
    expect(middle[0]).toBe('VBob!Vu)')
    expectRising(positions)
    expect(Math.max(...positions.map(({ length }) => length))).toBeLessThan(12)
  })

  it('[CELL11] are behind both where two items share one position: there is nothing between', () => {
    const [shared, next] = positionsBetween(undefined, undefined, 2, { author: 'Ann', unique: 'u' })
    const made = positionsBetween(shared, shared, 3, { author: 'Ann', unique: 'v' })
    expectRising([shared, ...made, next])
  })

  it('[CELL11] are told from other texts', () => {
    const [position] = positionsBetween(undefined, undefined, 1, { author: 'Bob', unique: 'u' })
    for (const text of [
      '',
      'a',
      '~',
      position.slice(0, -1),
      position.slice(4),
      `${position.slice(0, -1)}(`,
      `${position})`,
      `${position} `,
      `${position}V!Vu`,
      'V!Vu)',
      'VBob!V)',
      'VBöb!Vu)',
      '0Bob!Vu)',
    ]) {
      expect(isPosition(text), text).toBe(false)
      expect(() => positionsBetween(text, undefined, 1, { author: 'Bob', unique: 'u' })).toThrow(RangeError)
    }
    expect(() => positionsBetween(undefined, undefined, 1, { author: 'B)', unique: 'u' })).toThrow(RangeError)
    expect(() => positionsBetween(undefined, undefined, 1, { author: 'B', unique: '' })).toThrow(RangeError)
  })
})
