/** Faults 7: a mutation is seen whole: the two rows of the pair always bear the mark of one mutation. */
import type { CheckerFactory } from './checker.ts'

export const atomicity: CheckerFactory = (report) => ({
  name: 'atomicity',
  onEvent(event) {
    if (event.kind !== 'sampled' || event.pair[0] === event.pair[1]) return
    report(
      `d${event.tab.machine}.${event.tab.tab} shows ${String(event.pair[0])} and ${String(event.pair[1])} in the pair`,
    )
  },
})
