import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  COARSE_SPAN,
  coarseCeiling,
  HLC_COUNTER_SPAN,
  HLC_EPOCH_MS,
  hlcFromMs,
  hlcToMs,
  isCoarseWithinDrift,
  isWithinDrift,
  MAX_DRIFT_MS,
  MAX_HLC,
  receive,
  tick,
  toCoarse,
} from './hlc.ts'

/** The naive clock: two fields, compared one after the other, in integers that never round. */
interface Stamp {
  readonly ms: bigint
  readonly counter: bigint
}
const stampOf = (hlc: number): Stamp => ({ ms: BigInt(hlc) / 4096n, counter: BigInt(hlc) % 4096n })
const hlcOf = ({ ms, counter }: Stamp): bigint => ms * 4096n + counter
const naiveTick = (highest: Stamp, nowMs: bigint): Stamp => {
  if (nowMs > highest.ms) return { ms: nowMs, counter: 0n }
  if (highest.counter < 4095n) return { ms: highest.ms, counter: highest.counter + 1n }
  return { ms: highest.ms + 1n, counter: 0n }
}

const END_MS = HLC_EPOCH_MS + 2 ** 41 - 1
const ms = fc.oneof(
  fc.integer({ min: HLC_EPOCH_MS, max: END_MS }),
  fc.integer({ min: HLC_EPOCH_MS, max: HLC_EPOCH_MS + 5 }),
  fc.integer({ min: END_MS - 5, max: END_MS }),
)
const hlc = fc.oneof(
  fc.maxSafeNat(),
  fc.nat({ max: 3 * HLC_COUNTER_SPAN }),
  fc.nat({ max: 3 * COARSE_SPAN }),
  fc.nat({ max: 3 * HLC_COUNTER_SPAN }).map((below) => MAX_HLC - below),
)

describe('HLC stamps', () => {
  it('carry the millisecond that they were made from', () => {
    fc.assert(
      fc.property(ms, (at) => {
        expect(hlcToMs(hlcFromMs(at))).toBe(at)
      }),
    )
    expect(hlcFromMs(Date.UTC(2020, 0, 1))).toBe(0)
    expect(hlcFromMs(END_MS)).toBe(MAX_HLC - 4095)
  })

  it('stay in their range whatever the wall clock says', () => {
    const strange = [Number.NaN, -Infinity, Infinity, -1, 0, 0.5, HLC_EPOCH_MS - 1, END_MS + 1, 8.64e15, 1e300]
    for (const now of strange) {
      expect(Number.isSafeInteger(hlcFromMs(now))).toBe(true)
      expect(hlcFromMs(now)).toBeGreaterThanOrEqual(0)
    }
    fc.assert(
      fc.property(fc.double(), (now) => {
        const stamp = hlcFromMs(now)
        expect(Number.isSafeInteger(stamp) && stamp >= 0 && stamp % HLC_COUNTER_SPAN === 0).toBe(true)
      }),
    )
  })

  it('are ordered as their milliseconds, then as their counters', () => {
    fc.assert(
      fc.property(hlc, hlc, (a, b) => {
        const [x, y] = [stampOf(a), stampOf(b)]
        const naive = x.ms !== y.ms ? x.ms < y.ms : x.counter < y.counter
        expect(a < b).toBe(naive)
      }),
    )
  })
})

describe('HLC1 a new op is stamped by the wall clock where it leads, else one above the highest known', () => {
  it('does what the naive clock of two fields does', () => {
    fc.assert(
      fc.property(hlc, ms, (highest, now) => {
        fc.pre(highest < MAX_HLC)
        expect(BigInt(tick(highest, now))).toBe(hlcOf(naiveTick(stampOf(highest), BigInt(now - HLC_EPOCH_MS))))
      }),
    )
  })

  it('rises strictly under any clock, and a full counter carries', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(ms, fc.double())), (nows) => {
        let highest = 0
        for (const now of nows) {
          if (highest === MAX_HLC) break
          const next = tick(highest, now)
          expect(next).toBeGreaterThan(highest)
          highest = next
        }
      }),
    )
    const full = hlcFromMs(HLC_EPOCH_MS + 7) + 4095
    expect(tick(full, HLC_EPOCH_MS + 7)).toBe(hlcFromMs(HLC_EPOCH_MS + 8))
  })

  it('says so when the stamps are used up', () => {
    expect(tick(MAX_HLC - 1, 0)).toBe(MAX_HLC)
    expect(() => tick(MAX_HLC, 0)).toThrow(expect.objectContaining({ code: 'CLOCK_AHEAD' }))
  })
})

describe('HLC2 a batch advances the clock once, by its maximum, and never back', () => {
  it('is the same whatever the order of the batches', () => {
    fc.assert(
      fc.property(hlc, fc.array(hlc), (start, maxima) => {
        const after = maxima.reduce(receive, start)
        expect(after).toBe(Math.max(start, ...maxima))
        expect(maxima.toReversed().reduce(receive, start)).toBe(after)
        expect(receive(after, start)).toBe(after)
      }),
    )
  })
})

describe('HLC3 a server admits what is at most the bound ahead of its clock', () => {
  it('by the millisecond', () => {
    fc.assert(
      fc.property(
        ms,
        fc.integer({ min: -3 * MAX_DRIFT_MS, max: 3 * MAX_DRIFT_MS }),
        fc.nat({ max: 4095 }),
        (at, ahead, counter) => {
          expect(isWithinDrift(hlcFromMs(at) + counter, at - ahead)).toBe(ahead <= MAX_DRIFT_MS)
        },
      ),
    )
    const server = HLC_EPOCH_MS + 1_000_000
    expect(isWithinDrift(hlcFromMs(server + MAX_DRIFT_MS) + 4095, server)).toBe(true)
    expect(isWithinDrift(hlcFromMs(server + MAX_DRIFT_MS + 1), server)).toBe(false)
  })

  it('a coarse stamp bounds its stamps from above, by less than one step', () => {
    fc.assert(
      fc.property(hlc, (stamp) => {
        const coarse = toCoarse(stamp)
        expect(Number.isSafeInteger(coarse)).toBe(true)
        expect(coarseCeiling(coarse)).toBeGreaterThanOrEqual(stamp)
        expect(BigInt(coarse) * BigInt(COARSE_SPAN) - BigInt(stamp)).toBeLessThan(BigInt(COARSE_SPAN))
        expect(coarseCeiling(coarse)).toBeLessThanOrEqual(MAX_HLC)
      }),
    )
  })

  it('rounding is not held against the author, and lends less than one step', () => {
    fc.assert(
      fc.property(hlc, ms, (stamp, server) => {
        if (isWithinDrift(stamp, server)) expect(isCoarseWithinDrift(toCoarse(stamp), server)).toBe(true)
        if (!isWithinDrift(stamp, server + 1024)) expect(isCoarseWithinDrift(toCoarse(stamp), server)).toBe(false)
      }),
      { numRuns: 1000 },
    )
    // Near the bound, where it matters.
    fc.assert(
      fc.property(ms, fc.integer({ min: 55_000, max: 65_000 }), fc.nat({ max: 4095 }), (server, ahead, counter) => {
        const stamp = Math.min(hlcFromMs(server + ahead) + counter, MAX_HLC)
        if (isWithinDrift(stamp, server)) expect(isCoarseWithinDrift(toCoarse(stamp), server)).toBe(true)
        if (!isWithinDrift(stamp, server + 1024)) expect(isCoarseWithinDrift(toCoarse(stamp), server)).toBe(false)
      }),
      { numRuns: 1000 },
    )
  })

  it('a coarse stamp from the wire, however large, is judged and not trusted', () => {
    for (const coarse of [0, 1, 2 ** 31, 2 ** 32, MAX_HLC]) {
      expect(isCoarseWithinDrift(coarse, HLC_EPOCH_MS)).toBe(coarse <= 1)
      expect(coarseCeiling(coarse)).toBeLessThanOrEqual(MAX_HLC)
    }
  })
})
