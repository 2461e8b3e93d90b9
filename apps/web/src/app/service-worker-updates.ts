/** Registers the service worker and knows whether a newer version of the app waits. */
import { useSyncExternalStore } from 'react'
import { registerSW } from 'virtual:pwa-register'

let isWaiting = false
const listeners = new Set<() => void>()

const update = registerSW({
  immediate: true,
  onNeedRefresh() {
    isWaiting = true
    for (const listener of listeners) listener()
  },
})

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export const useUpdateWaits = (): boolean => useSyncExternalStore(subscribe, () => isWaiting)

/** Lets the waiting version take over; the page reloads. */
export const takeUpdate = (): void => void update()
