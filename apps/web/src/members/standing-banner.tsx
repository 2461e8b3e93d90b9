import { useState } from 'react'
import { BackupDialog } from '../backup/backup-dialog.tsx'
import { useStanding } from './use-members.ts'

/** Why one does not write here, or why nobody will see it; and how nothing is lost. */
export const StandingBanner = () => {
  const standing = useStanding()
  const [isBackingUp, setBackingUp] = useState(false)
  if (standing === 'writes') return null
  if (standing === 'reads') return <p className="banner">You can read this space. An admin of it can let you write.</p>
  return (
    <div className="banner" role="alert">
      {standing === 'out' ? (
        <p>
          <strong>You are not a member of this space any more.</strong> What is here stays here, for you to read and to
          back up. To come in again, open a new invitation.
        </p>
      ) : (
        <p>
          <strong>This space was begun elsewhere first.</strong> The server goes on with that one, and what you write
          here stays on this device. Back it up; then ask a member for an invitation, and open it here.
        </p>
      )}
      <button type="button" className="button" onClick={() => setBackingUp(true)}>
        Back up
      </button>
      {isBackingUp && <BackupDialog onClose={() => setBackingUp(false)} />}
    </div>
  )
}
