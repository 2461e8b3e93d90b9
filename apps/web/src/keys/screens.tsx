/** What is shown in the place of the app until there is a key. */
import { isInvitationCode, isSpaceKey, type SpaceKey } from '@driftlog/client'
import { useState } from 'react'
import type { Restore } from '../backup/restore.ts'
import { RestoreScreen } from '../backup/restore-screen.tsx'
import { Screen } from '../ui/screen.tsx'
import { KeyForm } from './key-form.tsx'
import type { OwnKey } from './kept-key.ts'
import type { SpaceSecret } from './link.ts'
import type { Sight } from './look.ts'
import { lossWords } from './words.ts'

/** Where nobody can tell which of the two kinds of space it is. */
const ANY_LINK =
  'On a device that shows the tasks, choose “People and devices” or “Add a device”, and copy the link from there.'

type IsRight = (key: SpaceKey) => Promise<boolean>

/** Why a secret does not open what is held; undefined where it does. */
const problemBy =
  (isRight: IsRight) =>
  async (secret: SpaceSecret): Promise<string | undefined> => {
    if (isInvitationCode(secret))
      return 'This is an invitation, and the space here has no members: its devices share one key. Is it the link of another one?'
    return (await isRight(secret))
      ? undefined
      : 'This key opens nothing of what is in this space. Is it the link of another one?'
  }

export const SlipScreen = ({ onNext }: { readonly onNext: () => void }) => (
  <Screen title="This link is not whole">
    <p>
      What lets in by it was cut off or changed on the way, so it was not used. Copy the link once more, to its very
      end.
    </p>
    <button type="button" className="button button-primary" onClick={onNext}>
      Go on without it
    </button>
  </Screen>
)

export interface LockedScreenProps {
  readonly isRight: IsRight
  /** The link had a key, and it opens nothing here. */
  readonly isWrong: boolean
  readonly restore: Restore
  readonly onKey: (key: SpaceKey) => void
}

export const LockedScreen = ({ isRight, isWrong, restore, onKey }: LockedScreenProps) => {
  const [isRestoring, setRestoring] = useState(false)
  if (isRestoring)
    return (
      <RestoreScreen
        restore={restore}
        onKey={(key) => isSpaceKey(key) && onKey(key)}
        onBack={() => setRestoring(false)}
      />
    )
  return (
    <Screen title="This space is locked">
      {isWrong && <p className="banner">The key of the link opens nothing of what is in this space.</p>}
      <p>
        What it holds is encrypted, and this device has no key yet. The server has none either: open the link of a
        device that shows the tasks, or paste it here.
      </p>
      <KeyForm
        submit="Open"
        problemOf={problemBy(isRight)}
        onSecret={(secret) => !isInvitationCode(secret) && onKey(secret)}
      >
        <RestoreButton onClick={() => setRestoring(true)} />
      </KeyForm>
    </Screen>
  )
}

export const RestoreButton = ({ onClick }: { readonly onClick: () => void }) => (
  <button type="button" className="link-button" onClick={onClick}>
    Restore from a backup
  </button>
)

export interface AloneScreenProps {
  readonly restore: Restore
  readonly onWay: (way: SpaceSecret | OwnKey) => void
  readonly onBegin: () => void
}

/** Beginning without having looked is a choice: of two beginnings of one space the server takes one. */
export const AloneScreen = ({ restore, onWay, onBegin }: AloneScreenProps) => {
  const [isRestoring, setRestoring] = useState(false)
  if (isRestoring) return <RestoreScreen restore={restore} onKey={onWay} onBack={() => setRestoring(false)} />
  return (
    <Screen title="The server does not answer">
      <p>
        This device has no key yet, and cannot see whether the space holds anything. Connect once, or paste the link of
        a device that shows the tasks.
      </p>
      <KeyForm submit="Open" hint={ANY_LINK} problemOf={async () => undefined} onSecret={onWay}>
        <button type="button" className="button" onClick={() => location.reload()}>
          Try again
        </button>
        <RestoreButton onClick={() => setRestoring(true)} />
      </KeyForm>
      <p className="fine-print">
        Or{' '}
        <button type="button" className="link-button" onClick={onBegin}>
          begin a new space
        </button>
        . If it has begun elsewhere already, the server goes on with that one: what you write here stays on this device
        then, and does not reach the others.
      </p>
    </Screen>
  )
}

export interface ReplaceScreenProps {
  readonly sight: Sight
  /** Rather than a key. */
  readonly isInvitation: boolean
  /** What the link has may be used. */
  readonly isRight: boolean
  readonly onKeep: () => void
  readonly onReplace: () => void
}

export const ReplaceScreen = ({ sight, isInvitation, isRight, onKeep, onReplace }: ReplaceScreenProps) => (
  <Screen title={replaceTitle(isInvitation, isRight)}>
    {isRight ? (
      <>
        <p>
          {isInvitation
            ? 'What this browser has of the space is cut off from what the members have. To use the invitation, what is here is removed, its key and passphrase with it, and what the members have is fetched from the server.'
            : 'This device opens the space with a key of its own. To use the one of the link, what is here of the space is removed, its key and passphrase with it, and what the link opens is fetched from the server.'}
        </p>
        <p>{lossWords(sight)}</p>
        {isInvitation && (
          <p className="fine-print">
            To have it in a file first, keep what is here and choose “Back up”. The link goes on to work.
          </p>
        )}
        <div className="button-row">
          <button type="button" className="button button-primary" autoFocus onClick={onKeep}>
            {isInvitation ? 'Keep what is here' : 'Keep my key'}
          </button>
          <button type="button" className="button button-danger" onClick={onReplace}>
            {isInvitation ? 'Remove it and join' : 'Remove it and use the link'}
          </button>
        </div>
      </>
    ) : (
      <>
        <p>
          {isInvitation
            ? 'So the invitation was not used, and still lets somebody in: open it on the device that it is meant for.'
            : 'It opens nothing of what is in this space, so it was not used. Is it the link of another one?'}
        </p>
        <button type="button" className="button button-primary" autoFocus onClick={onKeep}>
          {isInvitation ? 'Open the space' : 'Open with my key'}
        </button>
      </>
    )}
  </Screen>
)

const replaceTitle = (isInvitation: boolean, isRight: boolean): string => {
  if (!isInvitation) return 'The link has another key'
  return isRight ? 'Remove what is here, and join?' : 'This browser is in the space already'
}

export interface BrokenKeysScreenProps {
  /** Rather than in the place of another key. */
  readonly areDamaged: boolean
  readonly sight: Sight
  readonly isRight: IsRight
  readonly onSecret: (secret: SpaceSecret) => void
}

export const BrokenKeysScreen = ({ areDamaged, sight, isRight, onSecret }: BrokenKeysScreenProps) => (
  <Screen title={areDamaged ? 'The keys on this device are damaged' : 'The key on this device is another one'}>
    <p>
      {areDamaged
        ? 'What is stored is not what was stored, so no passphrase opens it. Nothing was changed.'
        : 'What is stored here was encrypted with another key than the one that is kept beside it. Nothing was changed.'}
    </p>
    <p>
      With the link of another device, or an invitation, what is here of the space is removed and fetched again from the
      server. {lossWords(sight)}
    </p>
    <KeyForm
      submit="Remove and fetch again"
      hint={ANY_LINK}
      problemOf={async (secret) => (isInvitationCode(secret) ? undefined : problemBy(isRight)(secret))}
      onSecret={onSecret}
    >
      <button type="button" className="button" onClick={() => location.reload()}>
        Try again
      </button>
    </KeyForm>
  </Screen>
)

export const PlainScreen = () => (
  <Screen title="This space is not encrypted">
    <p>
      An older version of this app began it without a key. This version reads and writes encrypted spaces only, and
      changed nothing.
    </p>
    <p>
      To begin anew, start the server over another file: <code>npm run driftlog -- serve --demo --db new.db</code>
    </p>
    <button type="button" className="button button-primary" onClick={() => location.reload()}>
      Try again
    </button>
  </Screen>
)

/** Appears only where it takes a while. */
export const LookingScreen = () => (
  <main className="message message-late" role="status">
    <img src="/icon.svg" alt="" width="44" height="44" />
    <p>Looking at what the space holds …</p>
  </main>
)
