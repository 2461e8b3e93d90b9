import {
  type InstallationKey,
  type InvitationCode,
  isInstallationKey,
  isInvitationCode,
  isSpaceKey,
  type SpaceKey,
  type Vault,
} from '@driftlog/client'
import { type ReactNode, StrictMode } from 'react'
import { type RestoreTarget, restoreInto } from '../backup/restore.ts'
import { Screen } from '../ui/screen.tsx'
import type { Questions } from './find-key.ts'
import { InvitationScreen, JoinScreen } from './join-screens.tsx'
import type { OwnKey } from './kept-key.ts'
import type { SpaceSecret } from './link.ts'
import { RecoveryCode } from './recovery-code.tsx'
import { AloneScreen, LockedScreen, LookingScreen, PlainScreen, ReplaceScreen, SlipScreen } from './screens.tsx'
import { UnlockScreen } from './unlock-screen.tsx'

/** Asks by a screen at a time. `render`: shows it in the place of the app. `place`: where a backup is restored to. */
export const askBy = (
  render: (screen: ReactNode) => void,
  place: Pick<RestoreTarget, 'space' | 'store'>,
): Questions => {
  let asked = 0
  const ask = <T,>(screen: (answer: (value: T) => void) => ReactNode): Promise<T> =>
    new Promise((resolve) => {
      const answer = (value: T) => {
        render(<LookingScreen />)
        resolve(value)
      }
      // Each question begins afresh, also where it is the same one again.
      render(<StrictMode key={asked++}>{screen(answer)}</StrictMode>)
    })

  return {
    slip: () => ask<void>((answer) => <SlipScreen onNext={answer} />),
    unlock: (store) => ask<Vault>((answer) => <UnlockScreen store={store} onOpen={answer} />),
    recoveryCode: (code) =>
      ask<void>((answer) => (
        <Screen title="Your recovery code">
          <RecoveryCode code={code} onWritten={answer} />
        </Screen>
      )),
    join: (join, isBegun) =>
      ask<OwnKey | undefined>((answer) => <JoinScreen join={join} isBegun={isBegun} onNext={answer} />),
    invitation: (isWrong) =>
      ask<InvitationCode | InstallationKey>((answer) => (
        <InvitationScreen
          isWrong={isWrong}
          restore={restoreInto({ ...place, isRight: async (key) => isInstallationKey(key) })}
          onWay={answer}
        />
      )),
    key: (isRight, isWrong) => {
      const restore = restoreInto({ ...place, isRight: async (key) => isSpaceKey(key) && isRight(key) })
      return ask<SpaceKey>((answer) => (
        <LockedScreen isRight={isRight} isWrong={isWrong} restore={restore} onKey={answer} />
      ))
    },
    keyOrBegin: () => {
      const restore = restoreInto({ ...place, isRight: async () => true })
      return ask<SpaceSecret | InstallationKey | 'begin'>((answer) => (
        <AloneScreen restore={restore} onWay={answer} onBegin={() => answer('begin')} />
      ))
    },
    replace: (sight, offered, isRight) =>
      ask((answer) => (
        <ReplaceScreen
          sight={sight}
          isInvitation={isInvitationCode(offered)}
          isRight={isRight}
          onKeep={() => answer('keep')}
          onReplace={() => answer('replace')}
        />
      )),
    plain: () => ask<never>(() => <PlainScreen />),
  }
}
