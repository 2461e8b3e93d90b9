import { inflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { deflateSync, inflateSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import { deflate, inflate } from './deflate.ts'

const bodies = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  fc.array(fc.constantFrom('milk', 'bread', 'Käse', '0123'), { maxLength: 300 }).map((words) => {
    return new TextEncoder().encode(words.join(' '))
  }),
)

describe('deflate', () => {
  it('[ENV1] what one compressed the other inflates', () => {
    fc.assert(
      fc.property(bodies, (body) => {
        expect(inflate(deflate(body), body.length)).toEqual(body)
        expect(inflate(deflateSync(body), body.length)).toEqual(body)
        expect(inflateSync(deflate(body), { out: new Uint8Array(body.length) })).toEqual(body)
      }),
    )
  })

  it('[ENV1] what zlib takes fflate takes as well, with the same result: so no two runtimes differ', () => {
    const damaged = fc
      .tuple(bodies, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), fc.nat(20))
      .map(([body, changes, cut]) => {
        const stream = deflateSync(body, { level: 4 })
        for (const [at, value] of changes) stream[at % stream.length] = value
        return stream.subarray(0, Math.max(1, stream.length - cut))
      })
    fc.assert(
      fc.property(damaged, (stream) => {
        let taken: Uint8Array
        try {
          taken = new Uint8Array(inflateRawSync(stream, { maxOutputLength: 100_000 }))
        } catch {
          return
        }
        expect(inflateSync(stream, { out: new Uint8Array(taken.length + 1) })).toEqual(taken)
      }),
      { numRuns: 5000 },
    )
  })

  it('[ENV5] a stream of another length than announced is refused, and a bomb is not followed', () => {
    const bomb = deflate(new Uint8Array(50_000_000))
    expect(() => inflate(bomb, 10)).toThrow(expect.objectContaining({ code: 'MALFORMED' }))
    expect(() => inflate(deflate(new Uint8Array(9)), 10)).toThrow(expect.objectContaining({ code: 'MALFORMED' }))
    expect(() => inflate(Uint8Array.of(7, 7, 7), 10)).toThrow()
  })
})
