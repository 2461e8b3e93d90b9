/**
 * Faults 8: a server admits nothing stamped more than Δ ahead of its clock, a device takes in nothing by courier that is
 * more than Δ ahead of its own; and so no device's clock is dragged further ahead than that by others.
 */
import { hlcToMs, MAX_DRIFT_MS } from '@driftlog/core'
import type { FaultKind } from '../faults.ts'
import { START_MS } from '../time.ts'
import type { CheckerFactory } from './checker.ts'

/** A header tells its stamp in steps of 2^22, rounded up. */
const COARSE = 2 ** 22
const SLACK_MS = 1_100

export const clock: CheckerFactory = (report, { weights, devices }) => {
  const isOn = (fault: FaultKind): boolean => (weights[fault] ?? 0) > 0
  const far = new Set<number | undefined>()
  /** Devices of which some stamps count as less than they say, and the latest that the clock of who stated it had said. */
  const shifted = new Map<string, number>()
  const statements = new Set<string>()
  /** The latest that the server's clock had told when it took something in. */
  let serverMs = 0
  /** What a machine may stamp by: the latest that its own clock said to its log, and the latest stamp that it holds. */
  const reach = new Map<number, number>()
  const raise = (machine: number, ms: number): number => {
    const raised = Math.max(reach.get(machine) ?? 0, ms)
    reach.set(machine, raised)
    return raised
  }
  /** What each mutation may be stamped at most, by its marker. */
  const bounds = new Map<number, number>()
  let clones = 0
  return {
    name: 'clock',
    onEvent(event) {
      if (event.kind === 'fault') {
        if (event.fault === 'farClock') far.add(event.machine)
        // Its disk, and what is on it, goes along.
        if (event.fault === 'clone') raise(devices + clones++, reach.get(event.machine!) ?? 0)
      } else if (event.kind === 'mutated') {
        const { machine, marker, wallMs } = event.mutation
        bounds.set(marker, raise(machine, wallMs))
      } else if (event.kind === 'appended') {
        const { where, batches, latestMs } = event
        for (const { header } of batches) {
          if (header.shifts.length === 0 || statements.has(header.device)) continue
          // Who states it stores it first; a statement is in the first batch of its device.
          statements.add(header.device)
          for (const { device } of header.shifts) shifted.set(device, Math.max(shifted.get(device) ?? 0, latestMs))
        }
        if (where === 'server') serverMs = Math.max(serverMs, latestMs)
        // Whatever comes by the server was within its bound, whatever comes by courier within the receiver's.
        const mostMs = Math.max(latestMs, serverMs) + MAX_DRIFT_MS + SLACK_MS
        for (const { header } of batches) {
          const stampMs = hlcToMs(header.coarseMaxHlc * COARSE)
          if (where !== 'server') raise(where, Math.min(stampMs, mostMs))
          else if (stampMs > latestMs + MAX_DRIFT_MS + SLACK_MS && !shifted.has(header.device)) {
            const aheadMs = stampMs - latestMs
            report(`the server took in ${header.device} ${header.toSeq}, stamped ${aheadMs} ms ahead of its clock`)
          }
        }
      }
    },
    atHealed({ log, mutations }) {
      // A clone takes a high-water mark along.
      if (isOn('farClock') && isOn('clone')) return
      for (const { marker, stamp, branch, seq } of log.ops) {
        const mutation = marker === undefined ? undefined : mutations[marker - 1]
        if (mutation === undefined || far.has(mutation.machine)) continue
        const stampMs = hlcToMs(stamp)
        // What is shifted lies before the statement, and that may be made later than the mutation.
        const aheadMs = stampMs - Math.max(bounds.get(mutation.marker) ?? 0, shifted.get(mutation.device) ?? 0)
        if (aheadMs <= SLACK_MS) continue
        const when = `stamped ${stampMs - mutation.atMs} ms ahead of the true time (${mutation.atMs - START_MS})`
        report(`${branch} ${seq} is ${when}, and ${aheadMs} ms ahead of all that its author's clock or log said`)
      }
    },
  }
}
