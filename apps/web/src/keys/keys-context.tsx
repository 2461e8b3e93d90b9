import { createContext, type ReactNode, useContext, useSyncExternalStore } from 'react'
import type { KeyKeeper } from './key-keeper.ts'

const KeysContext = createContext<KeyKeeper | undefined>(undefined)

export const KeysProvider = ({ keys, children }: { readonly keys: KeyKeeper; readonly children: ReactNode }) => (
  <KeysContext value={keys}>{children}</KeysContext>
)

export const useSpaceKeys = (): { readonly keys: KeyKeeper; readonly isProtected: boolean } => {
  const keys = useContext(KeysContext)
  if (keys === undefined) throw new Error('Keys are used below their provider.')
  return { keys, isProtected: useSyncExternalStore(keys.subscribe, keys.isProtected) }
}
