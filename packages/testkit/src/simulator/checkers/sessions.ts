/** Faults 7: a replica shows what was written in it at once, and never shows less than before. */
import { type CheckerFactory, vectorText } from './checker.ts'
import { mayFork } from './identity-faults.ts'

export const sessions: CheckerFactory = (report, options) => {
  /** Run of a tab → what it showed last, and how many damaged batches had been mended on its disk. */
  const shown = new Map<string, { readonly projected: ReadonlyMap<string, number>; readonly mended: number }>()
  return {
    name: 'sessions',
    onEvent(event) {
      if (event.kind === 'readBack') {
        const { tab, mutation, mark } = event
        if (mark !== mutation.marker)
          report(`d${tab.machine}.${tab.tab} reads ${String(mark)} after it wrote ${mutation.marker}`)
      } else if (event.kind === 'sampled') {
        // A vector goes by branches, and a fork names anew what was shown.
        if (mayFork(options)) return
        const key = `${event.tab.machine}.${event.tab.tab}.${event.tab.run}`
        const { projected, rot } = event
        const last = shown.get(key)
        shown.set(key, { projected, mended: rot.mended })
        // Where a batch was damaged between the two, it is left out, with what saw it, until it is mended.
        if (last === undefined || rot.damaged > 0 || rot.mended > last.mended) return
        for (const [device, seq] of last.projected) {
          if ((projected.get(device as never) ?? 0) >= seq) continue
          report(`d${key} showed ${device} ${seq}, and then only ${vectorText(projected)}`)
        }
      }
    },
  }
}
