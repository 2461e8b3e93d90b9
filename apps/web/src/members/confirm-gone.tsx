import type { InstallationInfo, MemberInfo } from '@driftlog/client'
import type { ReactNode } from 'react'
import { Dialog } from '../ui/dialog.tsx'
import { markOf } from './member-words.ts'

/** Who is to be taken out. */
export interface Gone {
  readonly member: MemberInfo
  /** undefined: all of the member. */
  readonly installation: InstallationInfo | undefined
}

export interface ConfirmGoneProps {
  readonly gone: Gone
  readonly name: string
  readonly isBusy: boolean
  readonly onConfirm: () => void
  readonly onBack: () => void
  readonly onClose: () => void
  readonly children: ReactNode
}

export const ConfirmGone = ({ gone, name, isBusy, onConfirm, onBack, onClose, children }: ConfirmGoneProps) => {
  const isMember = gone.installation === undefined
  const whose = gone.member.isMe ? 'your' : `${name}’s`
  return (
    <Dialog
      key="gone"
      title={isMember ? `Remove ${name}?` : `Take out ${whose} device ${markOf(gone.installation.id)}?`}
      onClose={onClose}
    >
      <p>
        {isMember
          ? 'They do not get what is written from now on, and what they write reaches nobody.'
          : 'It does not get what is written from now on, and what is written on it reaches nobody.'}{' '}
        The space gets a new key for what comes.
      </p>
      <p className="dialog-warning">
        {isMember
          ? 'What they have seen they keep: what is on their devices stays there, and nobody can take it back.'
          : 'What is on the device stays on it. Whoever finds it can read that, unless a passphrase protects it.'}
      </p>
      {children}
      <div className="button-row">
        <button type="button" className="button" autoFocus onClick={onBack}>
          Keep
        </button>
        <button type="button" className="button button-danger" aria-disabled={isBusy} onClick={onConfirm}>
          {isBusy ? 'Removing …' : isMember ? `Remove ${name}` : 'Take it out'}
        </button>
      </div>
    </Dialog>
  )
}
