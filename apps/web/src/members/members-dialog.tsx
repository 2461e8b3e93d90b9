import type { InvitationCode, MemberInfo, MemberList, Members } from '@driftlog/client'
import type { Role } from '@driftlog/core'
import { type ReactNode, useState } from 'react'
import { ShareLink } from '../keys/share-link.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { ConfirmGone, type Gone } from './confirm-gone.tsx'
import { InviteForm } from './invite-form.tsx'
import { MemberItem } from './member-item.tsx'
import { OpenInvitations } from './open-invitations.tsx'
import { type RunDeed, useDeed } from './use-deed.ts'
import { useMemberNames } from './use-members.ts'

type Step =
  | { readonly at: 'invite' }
  /** `done`: what was just done. */
  | { readonly at: 'overview'; readonly done?: string }
  | { readonly at: 'link'; readonly invitation: InvitationCode; readonly isForMe: boolean }
  | { readonly at: 'gone'; readonly gone: Gone }

export interface MembersDialogProps {
  readonly members: Members
  readonly list: MemberList
  readonly onClose: () => void
}

/** Who is in the space and with what; admins decide about it, everybody adds devices of their own. */
export const MembersDialog = ({ members, list, onClose }: MembersDialogProps) => {
  const [step, setStep] = useState<Step>({ at: 'overview' })
  const names = useMemberNames()
  const nameOf = ({ id }: MemberInfo): string => names.get(id) ?? ''
  const { problem, isBusy, run } = useDeed()
  const overview = (done?: string) => setStep({ at: 'overview', done })
  const invite = (guest: { readonly role: Role } | { readonly self: true }) =>
    run(async () => setStep({ at: 'link', invitation: await members.invite(guest), isForMe: 'self' in guest }))
  const finish = (work: () => Promise<void>, words: string) =>
    run(async () => {
      await work()
      overview(words)
    })
  const told = (
    <p className="secret-problem" role="alert">
      {problem}
    </p>
  )

  switch (step.at) {
    case 'invite':
      return (
        <Dialog key="invite" title="Invite a person" onClose={onClose}>
          <InviteForm isBusy={isBusy} onInvite={(role) => void invite({ role })} onBack={() => overview()}>
            {told}
          </InviteForm>
        </Dialog>
      )
    case 'link':
      return (
        <Dialog key="link" title={step.isForMe ? 'Add another device of mine' : 'The invitation'} onClose={onClose}>
          <p>
            {step.isForMe
              ? 'Open this link on your other device, or scan the code with its camera.'
              : 'Send this link to the person, or let them scan the code with their camera.'}
          </p>
          <ShareLink secret={step.invitation} label="Invitation link" />
          <p className="dialog-warning">
            It works once, for a week: whoever opens it first gets in{step.isForMe && ' in your name'}. So send it only
            in ways that you trust. It is not shown again; until it is used you can take it back.
          </p>
          <button type="button" className="button button-start" onClick={() => overview()}>
            Back to the members
          </button>
        </Dialog>
      )
    case 'gone':
      return (
        <ConfirmGone
          gone={step.gone}
          name={nameOf(step.gone.member)}
          isBusy={isBusy}
          onConfirm={() => void finish(() => takeOut(members, step.gone), doneWords(step.gone, nameOf))}
          onBack={() => overview()}
          onClose={onClose}
        >
          {told}
        </ConfirmGone>
      )
    case 'overview':
      return (
        <Dialog key="overview" title="People and devices" onClose={onClose}>
          <div className="button-row button-wrap">
            {list.role === 'admin' && (
              <button type="button" className="button button-primary" onClick={() => setStep({ at: 'invite' })}>
                Invite a person
              </button>
            )}
            {list.role !== undefined && (
              <button
                type="button"
                className="button"
                aria-disabled={isBusy}
                onClick={() => void invite({ self: true })}
              >
                Add another device of mine
              </button>
            )}
          </div>
          {told}
          <p className="secret-problem members-done" role="status">
            {step.done}
          </p>
          <MemberItems {...{ members, list, nameOf, run }} onGone={(gone) => setStep({ at: 'gone', gone })} />
          <OpenInvitations list={list} onWithdraw={(id) => void run(() => members.withdraw(id))} />
        </Dialog>
      )
  }
}

const takeOut = (members: Members, { member, installation }: Gone): Promise<void> =>
  installation === undefined ? members.remove(member.id) : members.revoke(installation.id)

const doneWords = ({ member, installation }: Gone, nameOf: (member: MemberInfo) => string): string =>
  installation === undefined ? `${nameOf(member)} is removed.` : 'The device is taken out.'

interface MemberItemsProps {
  readonly members: Members
  readonly list: MemberList
  readonly nameOf: (member: MemberInfo) => string
  readonly run: RunDeed
  readonly onGone: (gone: Gone) => void
}

const MemberItems = ({ members, list, nameOf, run, onGone }: MemberItemsProps): ReactNode => (
  <ul className="members" aria-label="Members">
    {list.members.map((member) => (
      <MemberItem
        key={member.id}
        member={member}
        name={nameOf(member)}
        isAdmin={list.role === 'admin'}
        onRole={(role) => void run(() => members.setRole(member.id, role))}
        onGone={(installation) => onGone({ member, installation })}
      />
    ))}
  </ul>
)
