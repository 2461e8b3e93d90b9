/** Faults 4: no store has a gap in what it holds of a device, and the held vector says exactly what is held. */
import { type CheckerFactory, vectorText } from './checker.ts'
import { mayFork } from './identity-faults.ts'

export const contiguity: CheckerFactory = (report, options) => {
  /** Place and device → the last seq. */
  const held = new Map<string, number>()
  return {
    name: 'contiguity',
    onEvent(event) {
      if (mayFork(options) || event.kind !== 'appended') return
      // After a rollback its place is not known.
      if (event.where === 'server' && (options.weights.serverRollback ?? 0) > 0) return
      for (const { header } of event.batches) {
        const key = `${event.where} ${header.device}`
        const last = held.get(key) ?? 0
        held.set(key, header.toSeq)
        if (header.fromSeq === last + 1) continue
        report(`${event.where} stored ops of ${header.device} from ${header.fromSeq} after ${last}`)
      }
    },
    atHealed({ stores, replicas }) {
      if (mayFork(options)) return
      for (const { where, batches } of stores) {
        const vector = new Map<string, number>()
        for (const { batch, branch } of batches) vector.set(branch, batch.header.toSeq)
        for (const { name, machine, held: claimed } of replicas) {
          if (machine !== where || vectorText(claimed) === vectorText(vector)) continue
          report(`${name} says it holds ${vectorText(claimed)}; its disk holds ${vectorText(vector)}`)
        }
      }
    },
  }
}
