/**
 * Writing slots across tabs, by Web Locks: the browser frees them when the tab ends, however it ends.
 *
 * Where there are no Web Locks (insecure contexts, older runtimes) slots are exclusive within this script context only:
 * then one tab must not be opened twice on one store.
 */
import { DriftlogError } from '@driftlog/core'

/** Far above any number of tabs; reaching it means that locks are not freed. */
const MAX_SLOTS = 1024

export interface HeldSlot {
  readonly slot: number
  release(): Promise<void>
}

/** The lowest free slot. */
export const claimTabSlot = async (name: string, space: string): Promise<HeldSlot> => {
  // The types promise both; an insecure context lacks the one, an older Node the other.
  const locks = (globalThis.navigator as Partial<Navigator> | undefined)?.locks
  const claim = locks === undefined ? claimInContext : (lockName: string) => claimLock(locks, lockName)
  for (let slot = 0; slot < MAX_SLOTS; slot++) {
    const release = await claim(`driftlog:${name}:${space}:slot:${slot}`)
    if (release !== undefined) return { slot, release }
  }
  throw new DriftlogError('SLOT_TAKEN', `all ${MAX_SLOTS} slots of ${space}`, { space, slots: MAX_SLOTS })
}

type Release = () => Promise<void>

/** A Web Lock is held for as long as the promise that its callback returned is pending. */
const claimLock = (locks: LockManager, lockName: string): Promise<Release | undefined> =>
  new Promise((resolve, reject) => {
    const ended = locks.request(lockName, { ifAvailable: true }, (lock) => {
      if (lock === null) {
        resolve(undefined)
        return undefined
      }
      return new Promise<void>((free) =>
        resolve(async () => {
          free()
          await ended
        }),
      )
    })
    ended.catch(reject)
  })

const heldInContext = new Set<string>()

const claimInContext = async (lockName: string): Promise<Release | undefined> => {
  if (heldInContext.has(lockName)) return undefined
  heldInContext.add(lockName)
  return async () => void heldInContext.delete(lockName)
}
