/** Where the person of this window stands with the space. */
import type { MemberList, Status } from '@driftlog/client'

/**
 * `out`: removed, as far as anyone told. `forked`: the server goes on with another beginning of this space, and nothing of what is
 * here reaches it.
 */
export type Standing = 'writes' | 'reads' | 'out' | 'forked'

/** `members` undefined: a space without any, where whoever has its key writes. */
export const standingIn = (members: MemberList | undefined, error: Status['error']): Standing => {
  if (members === undefined) return 'writes'
  if (error?.code === 'MEMBERS_FORKED') return 'forked'
  if (error?.code === 'NOT_A_MEMBER') return isAlone(members) ? 'forked' : 'out'
  if (members.role === undefined) return 'out'
  return members.role === 'reader' ? 'reads' : 'writes'
}

/** Who founded the space and let in nobody can have been removed by nobody: the server must know another beginning of it. */
const isAlone = ({ members, invitations, role }: MemberList): boolean =>
  role === 'admin' && members.length === 1 && members[0].installations.length === 1 && invitations.length === 0
