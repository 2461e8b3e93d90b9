import type { Role } from '@driftlog/core'
import { type ReactNode, useState } from 'react'
import { roleMeaning, roles, roleWords } from './member-words.ts'

export interface InviteFormProps {
  readonly isBusy: boolean
  readonly onInvite: (role: Role) => void
  readonly onBack: () => void
  /** What went wrong. */
  readonly children: ReactNode
}

/** What the guest may do. */
export const InviteForm = ({ isBusy, onInvite, onBack, children }: InviteFormProps) => {
  const [role, setRole] = useState<Role>('writer')
  return (
    <form
      className="invite-form"
      onSubmit={(event) => {
        event.preventDefault()
        onInvite(role)
      }}
    >
      <fieldset>
        <legend>What may they do?</legend>
        {roles.map((each) => (
          <label key={each} className="role-choice">
            <input
              type="radio"
              name="role"
              autoFocus={each === role}
              checked={each === role}
              onChange={() => setRole(each)}
            />
            <span>
              <strong>{roleWords[each]}</strong> {roleMeaning[each]}
            </span>
          </label>
        ))}
      </fieldset>
      {children}
      <div className="button-row">
        <button type="submit" className="button button-primary" aria-disabled={isBusy}>
          {isBusy ? 'Inviting …' : 'Make an invitation'}
        </button>
        <button type="button" className="button" onClick={onBack}>
          Back
        </button>
      </div>
    </form>
  )
}
