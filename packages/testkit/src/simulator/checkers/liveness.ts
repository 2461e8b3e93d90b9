/** Faults 9: after healing all is sent and all are equal within a bounded time, and then there is quiet. */
import { type CheckerFactory, vectorText } from './checker.ts'

/** Heartbeats, pings and polls of one replica in a minute, there and back. */
const QUIET_PER_REPLICA = 24

export const liveness: CheckerFactory = (report) => ({
  name: 'liveness',
  atHealed({ healedInMs, replicas, gone, quietMessages, options }) {
    if (healedInMs === undefined) {
      const left = replicas.map(
        ({ name, pending, error, held }) => `${name}: ${pending} pending, ${error ?? 'no error'}, ${vectorText(held)}`,
      )
      report(`not healed after ${options.healMs / 60_000} minutes\n${left.join('\n')}`)
      return
    }
    // What nobody has any more stays in quarantine, and is told.
    const isTold = (error: string): boolean => error === 'STORAGE_DAMAGED' && gone.batches.length > 0
    for (const { name, error } of replicas)
      if (error !== undefined && !isTold(error)) report(`${name} is healed, but says ${error}`)
    if (quietMessages > replicas.length * QUIET_PER_REPLICA) {
      report(`${quietMessages} messages in a minute in which there was nothing to say`)
    }
  },
})
