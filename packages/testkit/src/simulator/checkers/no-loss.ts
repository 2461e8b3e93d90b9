/** Faults 2: after healing every acknowledged op is in every replica, and nothing that a surviving device stored is gone. */
import type { Mutation } from '../ledger.ts'
import { START_MS } from '../time.ts'
import { type CheckerFactory, vectorText } from './checker.ts'

export const noLoss: CheckerFactory = (report) => {
  /** Machines that went back to a backup: what nobody else had is gone. */
  const restored = new Set<number | undefined>()
  let isRolledBack = false
  return {
    name: 'no loss',
    onEvent(event) {
      if (event.kind !== 'fault') return
      if (event.fault === 'restore') restored.add(event.machine)
      if (event.fault === 'serverRollback') isRolledBack = true
    },
    atHealed({ mutations, log, replicas, gone, healedInMs }) {
      const present = new Set(log.ops.map(({ marker }) => marker))
      // Where the server and the author both went back, nobody may be left who has it.
      const mayBeLost = ({ isAcknowledged, machine }: Mutation): boolean =>
        restored.has(machine) && (!isAcknowledged || isRolledBack)
      // Nothing rots without another sound copy elsewhere, so it takes a disk that went back to lose the last one.
      if (gone.batches.length > 0 && restored.size === 0 && !isRolledBack) {
        report(`${gone.batches.length} batches are damaged wherever they are, though no disk went back`)
      }
      for (const mutation of mutations) {
        const { marker, isStored, isAcknowledged, device, seq, atMs } = mutation
        if (present.has(marker) || !(isStored || isAcknowledged) || mayBeLost(mutation)) continue
        if (gone.markers.has(marker)) continue
        // Where healing did not end, what is only stored may still be on its way.
        if (healedInMs === undefined && !isAcknowledged) continue
        const what = isAcknowledged ? 'acknowledged' : 'stored'
        report(`mutation ${marker} (${device} ${seq}, made at ${(atMs - START_MS) / 1_000} s) was ${what} and is lost`)
      }
      if (healedInMs === undefined) return
      const all = vectorText(log.projected)
      for (const { name, projected } of replicas) {
        if (vectorText(projected) !== all) report(`${name} shows ${vectorText(projected)}, the server's log has ${all}`)
      }
    },
  }
}
