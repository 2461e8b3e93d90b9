import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addToCounter, type CounterTotal } from './counter.ts'

const increment = fc.oneof(
  fc.integer({ min: -5, max: 5 }),
  fc.maxSafeInteger(),
  fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 1, -1),
)

const sum = (increments: readonly number[]): CounterTotal => increments.reduce<CounterTotal>(addToCounter, 0)

describe('counter', () => {
  it('[CELL8] is the exact sum of its increments at any size, and the same value in any order', () => {
    fc.assert(
      fc.property(fc.array(increment, { maxLength: 40 }), fc.array(fc.nat()), (increments, swaps) => {
        const exact = increments.reduce((total, next) => total + BigInt(next), 0n)
        const total = sum(increments)
        expect(BigInt(total)).toBe(exact)
        // One representation: a safe integer wherever there is one.
        expect(typeof total).toBe(Number.isSafeInteger(Number(exact)) ? 'number' : 'bigint')
        const shuffled = [...increments]
        swaps.forEach((swap, at) => {
          if (shuffled.length === 0) return
          const [a, b] = [at % shuffled.length, swap % shuffled.length]
          ;[shuffled[a], shuffled[b]] = [shuffled[b], shuffled[a]]
        })
        expect(Object.is(sum(shuffled), total) || sum(shuffled) === total).toBe(true)
      }),
    )
  })

  it('[CELL8] goes past 2^53 and back without rounding', () => {
    const max = Number.MAX_SAFE_INTEGER
    expect(sum([max, 1])).toBe(2n ** 53n)
    expect(sum([max, 1, 1])).toBe(2n ** 53n + 1n)
    expect(sum([max, 1, 1, -2])).toBe(max)
    expect(sum([-max, -max, -max])).toBe(-3n * BigInt(max))
    expect(Object.is(sum([5, -5]), 0)).toBe(true)
  })
})
