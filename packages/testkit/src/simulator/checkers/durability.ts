/** Faults 1: what a receipt called stored is held by every later run of that device, whatever ended the one before. */
import type { CheckerFactory } from './checker.ts'
import { mayFork } from './identity-faults.ts'

export const durability: CheckerFactory = (report, options) => {
  /** Machine → device → the last seq that was called stored. */
  const stored = new Map<number, Map<string, number>>()
  return {
    name: 'durability',
    onEvent(event) {
      if (mayFork(options)) return
      if (event.kind === 'stored') {
        const { machine, device, seq } = event.mutation
        const devices = stored.get(machine) ?? new Map<string, number>()
        stored.set(machine, devices)
        devices.set(device, Math.max(devices.get(device) ?? 0, seq))
      } else if (event.kind === 'opened') {
        // What another tab stored while this one opened, it reads a moment later; nobody else writes as this one's device.
        const { tab, device, held } = event
        const [least, most] = [stored.get(tab.machine)?.get(device) ?? 0, held.get(device as never) ?? 0]
        if (most < least) report(`d${tab.machine} opened with ${most} ops of ${device}; ${least} were called stored`)
      }
    },
  }
}
