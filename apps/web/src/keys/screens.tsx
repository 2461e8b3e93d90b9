/** What is shown in the place of the app until there is a key. */
import type { SpaceKey } from '@driftlog/client'
import { useState } from 'react'
import type { Restore } from '../backup/restore.ts'
import { RestoreScreen } from '../backup/restore-screen.tsx'
import { Screen } from '../ui/screen.tsx'
import { KeyForm } from './key-form.tsx'
import type { Sight } from './look.ts'
import { lossWords } from './words.ts'

type IsRight = (key: SpaceKey) => Promise<boolean>

export const SlipScreen = ({ onNext }: { readonly onNext: () => void }) => (
  <Screen title="This link is not whole">
    <p>
      The key in it was cut off or changed on the way, so it was not used. Copy the link once more, to its very end.
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
  if (isRestoring) return <RestoreScreen restore={restore} onKey={onKey} onBack={() => setRestoring(false)} />
  return (
    <Screen title="This space is locked">
      {isWrong && <p className="banner">The key of the link opens nothing of what is in this space.</p>}
      <p>
        What it holds is encrypted, and this device has no key yet. The server has none either: open the link of a
        device that shows the tasks, or paste it here.
      </p>
      <KeyForm submit="Open" isRight={isRight} onKey={onKey}>
        <RestoreButton onClick={() => setRestoring(true)} />
      </KeyForm>
    </Screen>
  )
}

const RestoreButton = ({ onClick }: { readonly onClick: () => void }) => (
  <button type="button" className="link-button" onClick={onClick}>
    Restore from a backup
  </button>
)

export interface AloneScreenProps {
  readonly restore: Restore
  readonly onKey: (key: SpaceKey) => void
  readonly onBegin: () => void
}

/** Beginning without having looked is a choice: two beginnings of one space have two keys. */
export const AloneScreen = ({ restore, onKey, onBegin }: AloneScreenProps) => {
  const [isRestoring, setRestoring] = useState(false)
  if (isRestoring) return <RestoreScreen restore={restore} onKey={onKey} onBack={() => setRestoring(false)} />
  return (
    <Screen title="The server does not answer">
      <p>
        This device has no key yet, and cannot see whether the space holds anything. Connect once, or paste the link of
        a device that shows the tasks.
      </p>
      <KeyForm submit="Open" isRight={async () => true} onKey={onKey}>
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
        , with a key of its own. If the space has begun elsewhere already, neither side will be able to read the other.
      </p>
    </Screen>
  )
}

export interface ReplaceScreenProps {
  readonly sight: Sight
  /** The key of the link opens what the space holds. */
  readonly isRight: boolean
  readonly onKeep: () => void
  readonly onReplace: () => void
}

export const ReplaceScreen = ({ sight, isRight, onKeep, onReplace }: ReplaceScreenProps) => (
  <Screen title="The link has another key">
    {isRight ? (
      <>
        <p>
          This device opens the space with a key of its own. To use the one of the link, what is here of the space is
          removed, its key and passphrase with it, and what the link opens is fetched from the server.
        </p>
        <p>{lossWords(sight)}</p>
        <div className="button-row">
          <button type="button" className="button button-primary" autoFocus onClick={onKeep}>
            Keep my key
          </button>
          <button type="button" className="button button-danger" onClick={onReplace}>
            Remove it and use the link
          </button>
        </div>
      </>
    ) : (
      <>
        <p>It opens nothing of what is in this space, so it was not used. Is it the link of another one?</p>
        <button type="button" className="button button-primary" autoFocus onClick={onKeep}>
          Open with my key
        </button>
      </>
    )}
  </Screen>
)

export interface BrokenKeysScreenProps {
  /** Rather than in the place of another key. */
  readonly areDamaged: boolean
  readonly sight: Sight
  readonly isRight: IsRight
  readonly onKey: (key: SpaceKey) => void
}

export const BrokenKeysScreen = ({ areDamaged, sight, isRight, onKey }: BrokenKeysScreenProps) => (
  <Screen title={areDamaged ? 'The keys on this device are damaged' : 'The key on this device is another one'}>
    <p>
      {areDamaged
        ? 'What is stored is not what was stored, so no passphrase opens it. Nothing was changed.'
        : 'What is stored here was encrypted with another key than the one that is kept beside it. Nothing was changed.'}
    </p>
    <p>
      With the link of another device, what is here of the space is removed and fetched again from the server.{' '}
      {lossWords(sight)}
    </p>
    <KeyForm submit="Remove and fetch again" isRight={isRight} onKey={onKey}>
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
