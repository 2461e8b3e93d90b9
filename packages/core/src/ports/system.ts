import type { Ports } from './ports.ts'

// Node has it, browsers have not.
declare const setImmediate: ((run: () => void) => unknown) | undefined
declare const clearImmediate: (handle: unknown) => void

/** In the next turn of the event loop; a timeout of 0 would be one of 1 to 4 ms. */
const soon = (run: () => void): (() => void) => {
  if (typeof setImmediate !== 'undefined') {
    const handle = setImmediate(run)
    return () => clearImmediate(handle)
  }
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => {
    port1.close()
    run()
  }
  port2.postMessage(undefined)
  return () => port1.close()
}

/** The real clock, timers and randomness. The only file that may touch them (a lint rule keeps it so). */
export const systemPorts: Ports = {
  clock: { now: () => Date.now() },
  timers: {
    schedule(delayMs, run) {
      if (delayMs === 0) return soon(run)
      const handle = setTimeout(run, delayMs)
      return () => clearTimeout(handle)
    },
  },
  random: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
}
