/** A replica shows right after a mutation what it was to do: an edit, an undo, a form that was saved, a conflict that was settled. */
import type { CheckerFactory } from './checker.ts'

export const edits: CheckerFactory = (report) => ({
  name: 'edits',
  onEvent(event) {
    if (event.kind !== 'edited' || event.expected === event.shown) return
    const { tab, what, expected, shown } = event
    report(`d${tab.machine}.${tab.tab}: ${what} is ${shown}, and should be ${expected}`)
  },
})
