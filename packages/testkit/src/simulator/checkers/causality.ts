/** Faults 6: what an op had seen is stamped below it, and whoever shows the op shows that too. */
import type { BatchHeader } from '@driftlog/core'
import type { CheckerFactory } from './checker.ts'
import { mayFork } from './identity-faults.ts'

interface Shown {
  readonly by: string
  readonly own: string
  readonly projected: ReadonlyMap<string, number>
}

const isIn = ({ device, fromSeq, toSeq }: BatchHeader, dot: { readonly device: string; readonly seq: number }) =>
  device === dot.device && fromSeq <= dot.seq && dot.seq <= toSeq

export const causality: CheckerFactory = (report, options) => {
  const shown: Shown[] = []
  return {
    name: 'causality',
    onEvent(event) {
      if (event.kind !== 'sampled') return
      shown.push({ by: `d${event.tab.machine}.${event.tab.tab}`, own: event.device, projected: event.projected })
    },
    atHealed({ log, gone }) {
      // After a fork a head is named as its author knew it; that it is resolved rightly, convergence shows.
      if (mayFork(options)) return
      const stamps = new Map(log.ops.map(({ branch, seq, stamp }) => [`${branch} ${seq}`, stamp]))
      /** What the ops of a device up to a seq had seen of others. */
      const seen = new Map<string, Map<string, number>>()
      for (const { branch, seq, stamp, heads } of log.ops) {
        const known = new Map(seen.get(`${branch} ${seq - 1}`))
        for (const head of heads) {
          known.set(head.device, Math.max(known.get(head.device) ?? 0, head.seq))
          const below = stamps.get(`${head.device} ${head.seq}`)
          const isGone = below === undefined && gone.batches.some(({ header }) => isIn(header, head))
          if (isGone) continue
          if (below === undefined) report(`${branch} ${seq} had seen ${head.device} ${head.seq}, which is missing`)
          else if (below >= stamp)
            report(`${branch} ${seq} had seen ${head.device} ${head.seq}, and is not stamped above it`)
        }
        seen.set(`${branch} ${seq}`, known)
      }
      for (const { by, own, projected } of shown) {
        for (const [device, seq] of projected) {
          // What it had not stored may be gone with a crash, and another op have that seq.
          if (device === own) continue
          for (const [other, least] of seen.get(`${device} ${seq}`) ?? []) {
            if ((projected.get(other) ?? 0) >= least) continue
            report(`${by} showed ${device} ${seq} without ${other} ${least}, which it had seen`)
          }
        }
      }
    },
  }
}
