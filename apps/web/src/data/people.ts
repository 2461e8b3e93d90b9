import type { DeviceId } from '@driftlog/core'
import { useCallback } from 'react'
import { useQuery, useReplica } from './hooks.ts'
import { allPeople } from './queries.ts'

/** What a device is called: by the name that was given to it, else by the beginning of its key. */
export const deviceName = (device: string, own: DeviceId, names: ReadonlyMap<string, string>): string => {
  if (device === own) return 'you'
  const mark = device.replace(/[^a-z\d]/gi, '').slice(0, 4)
  return names.get(device) ?? `device ${mark.toUpperCase()}`
}

/** Everybody who gave a name, and what to call the author of a change. */
export const usePeople = () => {
  const { device } = useReplica()
  const people = useQuery(allPeople, [])
  const nameOf = useCallback(
    (author: string) => deviceName(author, device, new Map(people?.map(({ id, name }) => [id, name]))),
    [device, people],
  )
  return { own: people?.find(({ id }) => id === device)?.name ?? '', names: namesIn(people ?? []), nameOf }
}

/** Each name once: somebody with two devices is one person. */
const namesIn = (people: readonly { readonly name: string }[]): readonly string[] =>
  [...new Set(people.map(({ name }) => name))].toSorted((a, b) => a.localeCompare(b))
