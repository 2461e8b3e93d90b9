/** The way into a space with members: by an invitation. */
import { type InstallationKey, type InvitationCode, isInstallationKey, isInvitationCode } from '@driftlog/client'
import { DriftlogError } from '@driftlog/core'
import { useEffect, useRef, useState } from 'react'
import type { Restore } from '../backup/restore.ts'
import { RestoreScreen } from '../backup/restore-screen.tsx'
import { useDeed } from '../members/use-deed.ts'
import { Screen } from '../ui/screen.tsx'
import { KeyForm } from './key-form.tsx'
import type { OwnKey } from './kept-key.ts'
import { RestoreButton } from './screens.tsx'

export interface JoinScreenProps {
  readonly join: () => Promise<OwnKey>
  /** The person said so before. */
  readonly isBegun: boolean
  /** undefined: without the invitation. */
  readonly onNext: (key: OwnKey | undefined) => void
}

export const JoinScreen = ({ join, isBegun, onNext }: JoinScreenProps) => {
  const { problem, isBusy, run } = useDeed()
  const [isOver, setOver] = useState(false)
  const tryIt = () =>
    run(async () => {
      try {
        onNext(await join())
      } catch (error) {
        setOver(error instanceof DriftlogError && error.code === 'INVITATION_INVALID')
        throw error
      }
    })
  const hasBegun = useRef(false)
  useEffect(() => {
    if (!isBegun || hasBegun.current) return
    hasBegun.current = true
    void tryIt()
  })
  return (
    <Screen title="You are invited">
      <p>
        This link lets this browser into a space of somebody, or of yours on another device. The browser makes a key of
        its own, and then fetches what is in the space. The members see that it came in, and what you write.
      </p>
      <p className="fine-print">
        The invitation lets in one device. From then on this browser opens the space by itself, and the link is of no
        use to anybody.
      </p>
      <p className="secret-problem" role="alert">
        {problem}
      </p>
      <div className="button-row">
        {!isOver && (
          <button
            type="button"
            className="button button-primary"
            autoFocus
            aria-disabled={isBusy}
            onClick={() => void tryIt()}
          >
            {isBusy ? 'Joining …' : problem === undefined ? 'Join' : 'Try again'}
          </button>
        )}
        {!isBusy && (
          <button
            key={String(isOver)}
            type="button"
            className={isOver ? 'button button-primary' : 'button'}
            autoFocus={isOver}
            onClick={() => onNext(undefined)}
          >
            Go on without it
          </button>
        )}
      </div>
    </Screen>
  )
}

export interface InvitationScreenProps {
  /** The link had something that does not let in. */
  readonly isWrong: boolean
  readonly restore: Restore
  readonly onWay: (way: InvitationCode | InstallationKey) => void
}

export const InvitationScreen = ({ isWrong, restore, onWay }: InvitationScreenProps) => {
  const [isRestoring, setRestoring] = useState(false)
  if (isRestoring) {
    return (
      <RestoreScreen
        restore={restore}
        onKey={(key) => isInstallationKey(key) && onWay(key)}
        onBack={() => setRestoring(false)}
      />
    )
  }
  return (
    <Screen title="This space has members">
      {isWrong && <p className="banner">The key of the link opens nothing here: each member’s device has its own.</p>}
      <p>
        This browser is not one of theirs. Ask one of them for an invitation, or, if you are a member yourself, make one
        for this device on another one of yours.
      </p>
      <KeyForm
        submit="Join"
        label="Invitation"
        hint="A link from “People and devices”, on a device that shows the tasks."
        problemOf={async (secret) =>
          isInvitationCode(secret)
            ? undefined
            : 'This is the key of a space without members. Here an invitation lets in.'
        }
        onSecret={(secret) => isInvitationCode(secret) && onWay(secret)}
      >
        <button type="button" className="button" onClick={() => location.reload()}>
          Look again
        </button>
        <RestoreButton onClick={() => setRestoring(true)} />
      </KeyForm>
    </Screen>
  )
}
