import { useCallback, useSyncExternalStore } from 'react'
import type { MemberInfo, MemberList } from '@driftlog/client'
import { isDeviceId } from '@driftlog/core'
import { useQuery, useReplica, useStatus } from '../data/hooks.ts'
import { allPeople } from '../data/queries.ts'
import { memberName } from './member-words.ts'
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

/** What to call a member. */
export const useMemberName = (): ((member: Pick<MemberInfo, 'id' | 'isMe'>) => string) => {
  const { members } = useReplica()
  const people = useQuery(allPeople, [])
  return (member) =>
    memberName(
      member,
      (people ?? []).map(({ id, name }) => ({ name, member: isDeviceId(id) ? members?.memberOf(id) : undefined })),
    )
}
