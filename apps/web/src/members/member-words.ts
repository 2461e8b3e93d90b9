/** Members, in words. */
import type { MemberInfo } from '@driftlog/client'
import { DriftlogError, type Role } from '@driftlog/core'

/** From the one who may do least. */
export const roles = ['reader', 'writer', 'admin'] as const satisfies readonly Role[]

export const roleWords: Readonly<Record<Role, string>> = { reader: 'Reader', writer: 'Writer', admin: 'Admin' }

export const roleMeaning: Readonly<Record<Role, string>> = {
  reader: 'sees everything and changes nothing',
  writer: 'sees and changes everything',
  admin: 'the same, and decides who is a member',
}

/** What whoever gave no name is called for themselves. */
export const YOU = 'You'

/** What tells apart those without a name. */
export const markOf = (id: string): string =>
  id
    .replace(/[^a-z\d]/gi, '')
    .slice(0, 4)
    .toUpperCase()

/**
 * What to call members, by id: by the names given on their devices, else `YOU`, or by the beginning of the id. Anybody can give any
 * name, so those who share one are told apart.
 */
export const memberNames = (
  members: readonly Pick<MemberInfo, 'id' | 'isMe'>[],
  people: readonly { readonly name: string; readonly member: string | undefined }[],
): ReadonlyMap<string, string> => {
  const given = members.map(({ id, isMe }) => {
    const names = new Set(people.filter(({ name, member }) => member === id && name !== '').map(({ name }) => name))
    if (names.size > 0) return [...names].join(', ')
    return isMe ? YOU : `Member ${markOf(id)}`
  })
  return new Map(
    members.map(({ id }, at) => {
      const name = given[at]
      return [id, given.indexOf(name) === given.lastIndexOf(name) ? name : `${name} (${markOf(id)})`]
    }),
  )
}

export const devicesInWords = (devices: number): string => (devices === 1 ? '1 device' : `${devices} devices`)

/** What a person is told where members are not changed, or an invitation does not let in. */
export const membersProblem = (error: unknown): string => {
  if (!(error instanceof DriftlogError)) return error instanceof Error ? error.message : 'It failed.'
  switch (error.code) {
    case 'UNAVAILABLE':
    case 'RATE_LIMITED':
      return 'This needs the server, and it does not answer just now. Nothing was changed; try again in a while.'
    case 'INVITATION_INVALID':
      return 'This invitation lets nobody in any more: it was used, taken back, or is over a week old. Ask for another one.'
    case 'MEMBERS_FORKED':
      return 'The server has another space under this name than the one that you were invited to. Nothing was changed.'
    case 'MEMBERS_REFUSED':
      return error.details['why'] === 'the last admin' || error.details['why'] === 'the last of the last admin'
        ? 'A space needs an admin. Make somebody else one first.'
        : 'Somebody changed the members at the same time, or you may not do this any more. Nothing was changed.'
    case 'NOT_A_MEMBER':
      return 'You are not a member of this space any more. Nothing was changed.'
    case 'OPTION_INVALID':
      return 'This browser has something of the space already, so it cannot join by an invitation. Nothing was changed.'
    default:
      return error.message
  }
}
