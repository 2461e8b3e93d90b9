import type { Ports } from './ports.ts'

/** The real clock, timers and randomness. The only file that may touch them (a lint rule keeps it so). */
export const systemPorts: Ports = {
  clock: { now: () => Date.now() },
  timers: {
    schedule(delayMs, run) {
      const handle = setTimeout(run, delayMs)
      return () => clearTimeout(handle)
    },
  },
  random: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
}
