/**
 * Writing slots across processes: a slot is an exclusive lock, by the operating system, on a small file of its own. Such
 * a lock ends with the process that has it, even by kill -9, which no row in a table does.
 *
 * The files stay, empty. Tempting, but wrong: deleting one at release. Who has opened it just before would lock the
 * deleted file while another process locks a new one of the same name.
 *
 * The file system must have locks that work; many network file systems do not.
 */
import { DriftlogError } from '@driftlog/core'
import Database from 'better-sqlite3'
import { isBusy } from './errors.ts'

/** Far above any number of processes that write to one file; reaching it means that locks are not freed. */
const MAX_SLOTS = 1024

export interface HeldSlot {
  readonly slot: number
  release(): void
}

/**
 * The lowest free slot. Callers must be serialised, across processes too: two that try the same file at once may both
 * see it as taken and leave a number free.
 */
export const claimFileSlot = (path: string, space: string): HeldSlot => {
  for (let slot = 0; slot < MAX_SLOTS; slot++) {
    const lock = new Database(`${path}-slot-${space}-${slot}`, { timeout: 0 })
    try {
      lock.exec('BEGIN EXCLUSIVE')
      return { slot, release: () => lock.close() }
    } catch (error) {
      lock.close()
      if (!isBusy(error)) throw error
    }
  }
  throw new DriftlogError('SLOT_TAKEN', `all ${MAX_SLOTS} slots of ${space}`, { space, slots: MAX_SLOTS })
}

/** For a database that only this connection can see. */
export const memorySlots = (): ((space: string) => HeldSlot) => {
  const taken = new Map<string, Set<number>>()
  return (space) => {
    const slots = taken.get(space) ?? new Set<number>()
    taken.set(space, slots)
    let slot = 0
    while (slots.has(slot)) slot++
    slots.add(slot)
    return { slot, release: () => void slots.delete(slot) }
  }
}
