/** Faults 9: no loop asks the server again and again without getting anywhere. */
import type { CheckerFactory } from './checker.ts'

const WINDOW_MS = 10_000
/** Who gets on makes a dozen: a hello, what is pulled, what is pushed, one exchange each where it goes by round trips. */
const MOST = 100

export const patience: CheckerFactory = (report) => {
  /** Process → when it dialled last, at most MOST times. */
  const dialled = new Map<string, number[]>()
  const reported = new Set<string>()
  return {
    name: 'patience',
    onEvent(event) {
      if (event.kind !== 'dials') return
      const { name, atMs } = event
      const times = dialled.get(name) ?? []
      dialled.set(name, times)
      times.push(atMs)
      if (times.length <= MOST) return
      const sinceMs = atMs - times.shift()!
      if (sinceMs >= WINDOW_MS || reported.has(name)) return
      reported.add(name)
      report(`${name} dialled the server ${MOST + 1} times within ${Math.round(sinceMs)} ms`)
    },
  }
}
