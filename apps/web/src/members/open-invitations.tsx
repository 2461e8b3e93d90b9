import type { InvitationInfo, MemberList } from '@driftlog/client'
import { useId } from 'react'
import { useNow } from '../ui/use-now.ts'
import { roleWords } from './member-words.ts'

export interface OpenInvitationsProps {
  readonly list: MemberList
  readonly onWithdraw: (invitation: string) => void
}

/** What still lets somebody in, and can be taken back: by an admin, or by whose device it is for. */
export const OpenInvitations = ({ list: { invitations, members, role }, onWithdraw }: OpenInvitationsProps) => {
  const heading = useId()
  const now = useNow()
  const me = members.find(({ isMe }) => isMe)?.id
  const shown = invitations.filter(
    ({ member, expires }) => expires > now && (role === 'admin' || (me !== undefined && member === me)),
  )
  if (shown.length === 0) return null
  return (
    <section className="dialog-apart" aria-labelledby={heading}>
      <h3 id={heading}>Open invitations</h3>
      <ul className="invitations">
        {shown.map((invitation) => (
          <li key={invitation.id}>
            <span>
              {guestOf(invitation, me)}
              <span className="invitation-end">
                until{' '}
                <time dateTime={invitation.expires.toISOString()}>
                  {invitation.expires.toLocaleDateString(undefined, {
                    weekday: 'short',
                    day: 'numeric',
                    month: 'short',
                  })}
                </time>
              </span>
            </span>
            <button type="button" className="link-button" onClick={() => onWithdraw(invitation.id)}>
              Take back
              <span className="visually-hidden"> the invitation: {guestOf(invitation, me)}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  )
}

const guestOf = ({ member, role }: InvitationInfo, me: string | undefined): string => {
  if (member === undefined) return roleWords[role]
  return member === me ? 'A device of mine' : 'A device of another member'
}
