import type { InstallationInfo, MemberInfo } from '@driftlog/client'
import type { Role } from '@driftlog/core'
import { Icon } from '../ui/icons.tsx'
import { devicesInWords, markOf, roles, roleWords, YOU } from './member-words.ts'

export interface MemberItemProps {
  readonly member: MemberInfo
  readonly name: string
  /** Whether the person of this window is one. */
  readonly isAdmin: boolean
  readonly onRole: (role: Role) => void
  /** To take out the member, or one installation. */
  readonly onGone: (installation: InstallationInfo | undefined) => void
}

export const MemberItem = ({ member, name, isAdmin, onRole, onGone }: MemberItemProps) => (
  <li className="member">
    <div className="member-head">
      <span className="member-name">
        {name}
        {member.isMe && name !== YOU && <span className="chip">you</span>}
      </span>
      {isAdmin ? (
        <span className="member-rights">
          <select
            aria-label={`Role of ${name}`}
            value={member.role}
            onChange={({ target }) => onRole(roles.find((role) => role === target.value) ?? member.role)}
          >
            {roles.map((role) => (
              <option key={role} value={role}>
                {roleWords[role]}
              </option>
            ))}
          </select>
          {!member.isMe && (
            <button
              type="button"
              className="icon-button"
              aria-label={`Remove ${name}`}
              onClick={() => onGone(undefined)}
            >
              <Icon name="trash" />
            </button>
          )}
        </span>
      ) : (
        <span className="member-role">{roleWords[member.role]}</span>
      )}
    </div>
    <details className="member-devices">
      <summary>{devicesInWords(member.installations.length)}</summary>
      <ul aria-label={`Devices of ${name}`}>
        {member.installations.map((installation) => (
          <li key={installation.id}>
            <span>{installation.isThis ? 'This browser' : `Device ${markOf(installation.id)}`}</span>
            {/* Who takes out the last one takes out the member. */}
            {(isAdmin || member.isMe) && !installation.isThis && member.installations.length > 1 && (
              <button type="button" className="link-button" onClick={() => onGone(installation)}>
                Take out
                <span className="visually-hidden"> device {markOf(installation.id)}</span>
              </button>
            )}
          </li>
        ))}
      </ul>
    </details>
  </li>
)
