/** Faults 1 and 2: a receipt tells what is so when it tells it: stored is on this disk, acknowledged is on the server's. */
import type { CheckerFactory } from './checker.ts'

export const receipts: CheckerFactory = (report) => {
  /** Place and device → the last seq that was ever on its disk. After a fork that is less than all there is to say. */
  const durable = new Map<string, number>()
  return {
    name: 'receipts',
    onEvent(event) {
      if (event.kind === 'appended') {
        for (const { header } of event.batches) {
          const key = `${event.where} ${header.device}`
          durable.set(key, Math.max(durable.get(key) ?? 0, header.toSeq))
        }
      } else if (event.kind === 'stored' || event.kind === 'acknowledged') {
        const { machine, device, seq, marker } = event.mutation
        const where = event.kind === 'stored' ? machine : 'server'
        if ((durable.get(`${where} ${device}`) ?? 0) >= seq) return
        const place = event.kind === 'stored' ? 'the disk' : 'the server'
        report(`mutation ${marker} (${device} ${seq}) is called ${event.kind}, but ${place} does not hold it`)
      }
    },
  }
}
