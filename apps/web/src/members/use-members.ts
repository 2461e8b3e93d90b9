import type { MemberList } from '@driftlog/client'
import { isDeviceId } from '@driftlog/core'
import { useCallback, useMemo, useSyncExternalStore } from 'react'
import { useQuery, useReplica, useStatus } from '../data/hooks.ts'
import { allPeople } from '../data/queries.ts'
import { memberNames } from './member-words.ts'
import { type Standing, standingIn } from './standing.ts'

/** The members as they are now; undefined: the space has none. */
export const useMemberList = (): MemberList | undefined => {
  const { members } = useReplica()
  const subscribe = useCallback(
    (listener: () => void) => {
      const subscription = members?.list$.subscribe(listener)
      return () => subscription?.unsubscribe()
    },
    [members],
  )
  return useSyncExternalStore(subscribe, () => members?.list)
}

export const useStanding = (): Standing => {
  const { error } = useStatus()
  return standingIn(useMemberList(), error)
}

/** Whether what is written here counts. In a space that was begun twice it is kept here. */
export const useMayWrite = (): boolean => {
  const standing = useStanding()
  return standing === 'writes' || standing === 'forked'
}

/** What to call the members, by id. */
export const useMemberNames = (): ReadonlyMap<string, string> => {
  const { members } = useReplica()
  const list = useMemberList()
  const people = useQuery(allPeople, [])
  return useMemo(() => {
    const named = (people ?? []).map(({ id, name }) => ({
      name,
      member: isDeviceId(id) ? members?.memberOf(id) : undefined,
    }))
    return memberNames(list?.members ?? [], named)
  }, [members, list, people])
}
