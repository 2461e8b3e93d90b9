import { describe, expect, it } from 'vitest'
import { RateMeter, TokenBucket } from './token-bucket.ts'

describe('a token bucket', () => {
  it('lets a burst pass, then makes wait for exactly what is owed', () => {
    const bucket = new TokenBucket(10, 2, 0)
    expect(bucket.take(20, 0)).toBe(0)
    expect(bucket.take(5, 0)).toBe(500)
    expect(bucket.owedMs(499)).toBe(1)
    expect(bucket.owedMs(500)).toBe(0)
    expect(bucket.take(1, 600)).toBe(0)
  })

  it('does not fill beyond its size, nor by a clock that jumps back', () => {
    const bucket = new TokenBucket(10, 1, 1_000)
    expect(bucket.take(10, 1_000_000)).toBe(0)
    expect(bucket.take(10, 0)).toBe(1_000)
    expect(bucket.owedMs(0)).toBe(1_000)
  })

  it('SOCK3 never lets more pass than its rate and one burst, to who waits as told', () => {
    const bucket = new TokenBucket(100, 0.5, 0)
    let nowMs = 0
    let passed = 0
    for (let count = 0; count < 500; count++) {
      const amount = 1 + ((count * 37) % 50)
      const waitMs = bucket.take(amount, nowMs)
      passed += amount
      // Waited off before the next one, so at the time of each everything before it was within the rate.
      nowMs += waitMs
      expect(passed).toBeLessThanOrEqual(50 + 0.1 * nowMs + 1e-6)
    }
  })

  it('a meter waits for the slower of messages and bytes', () => {
    const meter = new RateMeter({ messagesPerSecond: 1, bytesPerSecond: 100, burstSeconds: 1 }, 0)
    expect(meter.take(1, 300, 0)).toBe(2_000)
    expect(meter.take(4, 0, 0)).toBe(4_000)
  })
})
