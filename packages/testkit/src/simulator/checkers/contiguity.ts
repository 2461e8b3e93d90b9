/** Faults 4: no store has a gap in what it holds of a device, and the held vector says exactly what is held. */
import { type CheckerFactory, vectorText } from './checker.ts'
import { mayFork } from './identity-faults.ts'

export const contiguity: CheckerFactory = (report, options) => {
  /** Place and device → the last seq. */
  const held = new Map<string, number>()
  return {
    name: 'contiguity',
    onEvent(event) {
      if (mayFork(options)) return
      if (event.kind === 'fault' && event.fault === 'serverRollback') {
        for (const key of held.keys()) if (key.startsWith('server ')) held.delete(key)
      }
      if (event.kind !== 'appended') return
      for (const { header } of event.batches) {
        const key = `${event.where} ${header.device}`
        const last = held.get(key)
        held.set(key, header.toSeq)
        // After a rollback its place is not known until the first append.
        if (last === undefined && (header.fromSeq === 1 || event.where === 'server')) continue
        if (header.fromSeq !== (last ?? 0) + 1) {
          report(`${event.where} stored ops of ${header.device} from ${header.fromSeq} after ${last ?? 0}`)
        }
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
