/** Faults 9: after healing all is sent and all are equal within a bounded time, and then there is quiet. */
import { type CheckerFactory, vectorText } from './checker.ts'
import { mayFork } from './identity-faults.ts'

/** Heartbeats, pings and polls of one replica in a minute, there and back. */
const QUIET_PER_REPLICA = 24

export const liveness: CheckerFactory = (report) => ({
  name: 'liveness',
  atHealed({ healedInMs, replicas, stores, gone, quietMessages, options }) {
    if (healedInMs === undefined) {
      const left = replicas.map(
        ({ name, pending, error, held }) => `${name}: ${pending} pending, ${error ?? 'no error'}, ${vectorText(held)}`,
      )
      report(`not healed after ${options.healMs / 60_000} minutes\n${left.join('\n')}`)
      return
    }
    // What nobody has any more stays in quarantine; and what saw one side of a fork, of which only another is left, fits none (BR4).
    const told = ['STORAGE_DAMAGED', ...(mayFork(options) ? ['CHAIN_BROKEN'] : [])]
    for (const { name, machine, error, damaged } of replicas) {
      if (error !== undefined && !(gone.batches.length > 0 && told.includes(error)))
        report(`${name} is healed, but says ${error}`)
      const onDisk = stores.find(({ where }) => where === machine)?.damaged
      if (damaged !== onDisk)
        report(`${name} tells of ${damaged} damaged batches, of its disk ${onDisk} do not read back`)
    }
    if (quietMessages > replicas.length * QUIET_PER_REPLICA) {
      report(`${quietMessages} messages in a minute in which there was nothing to say`)
    }
  },
})
