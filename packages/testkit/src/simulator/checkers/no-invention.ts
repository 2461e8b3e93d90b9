/**
 * Faults 3: what is held anywhere is, byte for byte, what its author wrote, and was on its author's disk before it was
 * anywhere else. And no marker is in two ops.
 */
import { type Batch, equalBytes } from '@driftlog/core'
import type { CheckerFactory } from './checker.ts'

export const noInvention: CheckerFactory = (report) => {
  /** Device → the machines that wrote as it. */
  const owners = new Map<string, Set<number>>()
  /** Device and first seq → what its authors wrote there: more than one after a fork. */
  const written = new Map<string, Batch[]>()
  return {
    name: 'no invention',
    onEvent(event) {
      if (event.kind === 'opened' || event.kind === 'mutated') {
        // An id that was renewed and not written under yet goes into a clone like any other.
        const device = event.kind === 'opened' ? event.device : event.mutation.device
        const machines = owners.get(device) ?? new Set()
        owners.set(device, machines.add(event.tab.machine))
      } else if (event.kind === 'appended') {
        for (const batch of event.batches) {
          const { device, fromSeq } = batch.header
          const key = `${device} ${fromSeq}`
          const known = written.get(key) ?? []
          if (known.some(({ bytes }) => equalBytes(bytes, batch.bytes))) continue
          // A replica that finds its id taken goes on under a new one: whoever has it first is its author.
          if (event.where !== 'server' && !owners.has(device)) owners.set(device, new Set([event.where]))
          if (event.where !== 'server' && owners.get(device)?.has(event.where)) written.set(key, [...known, batch])
          else report(`${event.where} stored ops of ${device} from ${fromSeq} that their author had not stored`)
        }
      } else if (event.kind === 'mended') {
        const { header, bytes } = event.batch
        const known = written.get(`${header.device} ${header.fromSeq}`) ?? []
        if (known.some((batch) => equalBytes(batch.bytes, bytes))) return
        report(
          `${event.where} mended ops of ${header.device} from ${header.fromSeq} with what their author had not stored`,
        )
      }
    },
    atHealed({ log, mutations }) {
      const seen = new Set<number>()
      for (const { marker, branch, seq } of log.ops) {
        if (marker === undefined) continue
        if (seen.has(marker)) report(`mutation ${marker} is in the log twice, the second time as ${branch} ${seq}`)
        if (mutations[marker - 1] === undefined) report(`nobody made mutation ${marker} (${branch} ${seq})`)
        seen.add(marker)
      }
    },
  }
}
