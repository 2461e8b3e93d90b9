import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DeviceId, Dot } from './dot.ts'
import { advanceFrontier, type Frontier } from './frontier.ts'

const deviceOf = (index: number): DeviceId => `device ${index}` as DeviceId
const nameOf = (dot: Dot): string => `${dot.device}/${dot.seq}`

/** An op and the names of all that it had seen, itself not included. */
interface NaiveOp {
  readonly dot: Dot
  readonly seen: ReadonlySet<string>
}

/** The definition: the ops that no other op of the set had seen. */
const headsOf = (ops: readonly NaiveOp[]): Dot[] =>
  ops.filter(({ dot }) => !ops.some((other) => other.seen.has(nameOf(dot)))).map(({ dot }) => dot)

const sortedNames = (dots: readonly Dot[]): string[] => dots.map(nameOf).sort()

describe('frontier', () => {
  it('[SEEN1] over random causal histories it is the ops that no other op had seen, on every replica', () => {
    const step = fc.record({ replica: fc.nat(4), learnsFrom: fc.option(fc.nat(4), { nil: undefined }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const replicas = Array.from({ length: 5 }, () => ({ known: [] as NaiveOp[], frontier: new Map() as Frontier }))
        const learn = (to: (typeof replicas)[number], op: NaiveOp, heads: readonly Dot[]): void => {
          to.known.push(op)
          advanceFrontier(to.frontier, op.dot.device, op.dot.seq, heads)
        }
        const headsWritten = new Map<string, Dot[]>()
        const seqs = [0, 0, 0, 0, 0]
        for (const { replica: index, learnsFrom } of steps) {
          const replica = replicas[index]
          if (learnsFrom !== undefined) {
            // The other's ops in the order in which it learnt them: causes come first.
            for (const op of replicas[learnsFrom].known) {
              const isKnown = replica.known.some((known) => nameOf(known.dot) === nameOf(op.dot))
              if (!isKnown) learn(replica, op, headsWritten.get(nameOf(op.dot))!)
            }
          } else {
            const device = deviceOf(index)
            const heads = [...replica.frontier].map(([other, seq]) => ({ device: other, seq }))
            const beyondOwn = heads.filter((head) => head.device !== device)
            const dot = { device, seq: ++seqs[index] }
            headsWritten.set(nameOf(dot), beyondOwn)
            learn(replica, { dot, seen: new Set(replica.known.map((op) => nameOf(op.dot))) }, beyondOwn)
          }
          const frontier = [...replica.frontier].map(([device, seq]) => ({ device, seq }))
          expect(sortedNames(frontier)).toEqual(sortedNames(headsOf(replica.known)))
        }
      }),
      { numRuns: 200 },
    )
  })

  it('[SEEN1] an op that names a head which is none any more takes away nothing', () => {
    const frontier: Frontier = new Map()
    advanceFrontier(frontier, deviceOf(1), 1, [])
    advanceFrontier(frontier, deviceOf(1), 2, [])
    advanceFrontier(frontier, deviceOf(2), 1, [{ device: deviceOf(1), seq: 1 }])
    expect([...frontier]).toEqual([
      [deviceOf(1), 2],
      [deviceOf(2), 1],
    ])
  })
})
