import { createContext, type ReactNode, useContext, useMemo } from 'react'
import { useNotify } from '../ui/notices.tsx'
import { useReplica } from './hooks.ts'
import { createMutations, type Mutations } from './mutations.ts'

const MutationsContext = createContext<Mutations | undefined>(undefined)

export const useMutations = (): Mutations => {
  const mutations = useContext(MutationsContext)
  if (mutations === undefined) throw new Error('Mutations are made below their provider.')
  return mutations
}

/** A mutation that is refused says why in a notice; the form that asked for it keeps what was typed. */
export const MutationsProvider = ({ children }: { readonly children: ReactNode }) => {
  const replica = useReplica()
  const notify = useNotify()
  const mutations = useMemo(
    () => createMutations(replica, ({ message }) => notify({ text: message, tone: 'problem' })),
    [replica, notify],
  )
  return <MutationsContext value={mutations}>{children}</MutationsContext>
}
