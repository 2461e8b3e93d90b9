/** Faults 6: what an op had seen is stamped below it, and whoever shows the op shows that too. */
import type { CheckerFactory } from './checker.ts'
import { mayFork } from './identity-faults.ts'

interface Shown {
  readonly by: string
  readonly projected: ReadonlyMap<string, number>
}

export const causality: CheckerFactory = (report, options) => {
  const shown: Shown[] = []
  return {
    name: 'causality',
    onEvent(event) {
      if (event.kind !== 'sampled') return
      shown.push({ by: `d${event.tab.machine}.${event.tab.tab}`, projected: event.projected })
    },
    atHealed({ log }) {
      const stamps = new Map(log.ops.map(({ device, seq, stamp }) => [`${device} ${seq}`, stamp]))
      /** What the ops of a device up to a seq had seen of others. */
      const seen = new Map<string, Map<string, number>>()
      for (const { device, seq, stamp, heads } of log.ops) {
        const known = new Map(seen.get(`${device} ${seq - 1}`))
        for (const head of heads) {
          known.set(head.device, Math.max(known.get(head.device) ?? 0, head.seq))
          const below = stamps.get(`${head.device} ${head.seq}`)
          if (below === undefined) report(`${device} ${seq} had seen ${head.device} ${head.seq}, which is missing`)
          else if (below >= stamp)
            report(`${device} ${seq} had seen ${head.device} ${head.seq} and is not stamped above it`)
        }
        seen.set(`${device} ${seq}`, known)
      }
      if (mayFork(options)) return
      for (const { by, projected } of shown) {
        for (const [device, seq] of projected) {
          for (const [other, least] of seen.get(`${device} ${seq}`) ?? []) {
            if ((projected.get(other) ?? 0) >= least) continue
            report(`${by} showed ${device} ${seq} without ${other} ${least}, which it had seen`)
          }
        }
      }
    },
  }
}
