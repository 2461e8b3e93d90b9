import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Arrival, mergeArrivals } from './arrival-merge.ts'

interface Queued extends Arrival {
  readonly run: readonly number[]
  readonly index: number
}

const queued = (run: readonly number[], index: number): Queued | undefined =>
  index < run.length ? { position: run[index], run, index } : undefined

it('merges rising runs into one, and looks no further ahead than it must', () => {
  const runs = fc
    .uniqueArray(fc.nat({ max: 200 }))
    .chain((positions) =>
      fc
        .array(fc.nat({ max: 5 }), { minLength: positions.length, maxLength: positions.length })
        .map((owners) =>
          Array.from({ length: 6 }, (_, run) => positions.filter((_, at) => owners[at] === run).sort((a, b) => a - b)),
        ),
    )
  fc.assert(
    fc.property(runs, fc.nat({ max: 30 }), (all, enough) => {
      const heads = all.flatMap((run) => queued(run, 0) ?? [])
      let lookedUp = 0
      const next = ({ run, index }: Queued): Queued | undefined => {
        lookedUp++
        return queued(run, index + 1)
      }
      const sorted = all.flat().sort((a, b) => a - b)
      expect([...mergeArrivals(heads, next)].map(({ position }) => position)).toEqual(sorted)
      lookedUp = 0
      const taken: number[] = []
      for (const { position } of enough === 0 ? [] : mergeArrivals(heads, next)) {
        if (taken.push(position) === enough) break
      }
      expect(taken).toEqual(sorted.slice(0, enough))
      expect(lookedUp).toBeLessThanOrEqual(enough)
    }),
  )
})
