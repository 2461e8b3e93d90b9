import { constants } from 'node:os'
import process from 'node:process'

const signals = ['SIGINT', 'SIGTERM'] as const
const INTERRUPTED = 128 + constants.signals.SIGINT

/**
 * Calls `cleanUp` where the process ends before the returned function was called: by a signal, or because a progress bar,
 * which has the keyboard, took Ctrl+C for the end of the program. The exit code says so, whoever ended it. `cleanUp` must
 * be synchronous: nothing runs after it.
 */
export const onInterruption = (cleanUp: () => void): (() => void) => {
  const exiting = (): void => {
    cleanUp()
    if (process.exitCode === undefined || process.exitCode === 0) process.exitCode = INTERRUPTED
  }
  const listeners = signals.map((signal) => ({ signal, listener: () => process.exit(128 + constants.signals[signal]) }))
  for (const { signal, listener } of listeners) process.once(signal, listener)
  process.once('exit', exiting)
  return () => {
    process.off('exit', exiting)
    for (const { signal, listener } of listeners) process.off(signal, listener)
  }
}
