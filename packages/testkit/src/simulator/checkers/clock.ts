/**
 * Faults 8: a server admits nothing stamped more than Δ ahead of its clock, and so no device's clock is dragged further
 * ahead than that by others.
 */
import { hlcToMs, MAX_DRIFT_MS } from '@driftlog/core'
import type { FaultKind } from '../faults.ts'
import { START_MS } from '../time.ts'
import type { CheckerFactory } from './checker.ts'

/** A header tells its stamp in steps of 2^22, rounded up. */
const COARSE = 2 ** 22
const SLACK_MS = 1_100

export const clock: CheckerFactory = (report, { weights }) => {
  const isOn = (fault: FaultKind): boolean => (weights[fault] ?? 0) > 0
  const far = new Set<number | undefined>()
  /** Devices of which some stamps count as less than they say. */
  const shifted = new Set<string>()
  return {
    name: 'clock',
    onEvent(event) {
      if (event.kind === 'fault' && event.fault === 'farClock') far.add(event.machine)
      if (event.kind !== 'appended') return
      for (const { header } of event.batches) for (const { device } of header.shifts) shifted.add(device)
      if (event.where !== 'server') return
      for (const { header } of event.batches) {
        const aheadMs = hlcToMs(header.coarseMaxHlc * COARSE) - event.latestMs
        if (aheadMs <= MAX_DRIFT_MS + SLACK_MS || shifted.has(header.device)) continue
        report(`the server took in ${header.device} ${header.toSeq}, stamped ${aheadMs} ms ahead of its clock`)
      }
    },
    atHealed({ log, mutations }) {
      // A clone takes a high-water mark along.
      if (isOn('farClock') && isOn('clone')) return
      /** The latest that a machine's own clock ever said to its log. */
      const latest = new Map<number, number>()
      for (const { machine, wallMs } of mutations) latest.set(machine, Math.max(latest.get(machine) ?? 0, wallMs))
      for (const { marker, stamp, branch, seq } of log.ops) {
        const mutation = marker === undefined ? undefined : mutations[marker - 1]
        if (mutation === undefined || far.has(mutation.machine)) continue
        // By courier it takes in what its own clock allows.
        const ownMs = (latest.get(mutation.machine) ?? 0) + (isOn('courier') ? MAX_DRIFT_MS : 0)
        const boundMs = Math.max(ownMs, mutation.atMs + MAX_DRIFT_MS) + SLACK_MS
        const stampMs = hlcToMs(stamp)
        if (stampMs <= boundMs) continue
        report(
          `${branch} ${seq} is stamped ${stampMs - mutation.atMs} ms ahead of the true time (${mutation.atMs - START_MS})`,
        )
      }
    },
  }
}
