import { createContext, type ReactNode, useContext, useMemo } from 'react'
import { DriftlogError } from '@driftlog/core'
import { type Standing, standingIn } from '../members/standing.ts'
import { useNotify } from '../ui/notices.tsx'
import { useReplica } from './hooks.ts'
import { createMutations, type Mutations } from './mutations.ts'

const MutationsContext = createContext<Mutations | undefined>(undefined)

export const useMutations = (): Mutations => {
  const mutations = useContext(MutationsContext)
  if (mutations === undefined) throw new Error('Mutations are made below their provider.')
  return mutations
}

/** Who was removed may not have been told so: then the replica would still write, and nobody would take it in. */
const objectionIn = (standing: Standing): DriftlogError | undefined =>
  standing === 'out' ? new DriftlogError('NOT_A_MEMBER') : undefined

/** A mutation that is refused says why in a notice; the form that asked for it keeps what was typed. */
export const MutationsProvider = ({ children }: { readonly children: ReactNode }) => {
  const replica = useReplica()
  const notify = useNotify()
  const mutations = useMemo(
    () =>
      createMutations(
        replica,
        () => objectionIn(standingIn(replica.members?.list, replica.status.error)),
        ({ message }) => notify({ text: message, tone: 'problem' }),
      ),
    [replica, notify],
  )
  return <MutationsContext value={mutations}>{children}</MutationsContext>
}
