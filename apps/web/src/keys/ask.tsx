import type { SpaceKey, Vault } from '@driftlog/client'
import { type ReactNode, StrictMode } from 'react'
import { type RestoreTarget, restoreInto } from '../backup/restore.ts'
import { Screen } from '../ui/screen.tsx'
import type { Questions } from './find-key.ts'
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
    key: (isRight, isWrong) => {
      const restore = restoreInto({ ...place, isRight })
      return ask((answer) => <LockedScreen isRight={isRight} isWrong={isWrong} restore={restore} onKey={answer} />)
    },
    keyOrBegin: () => {
      const restore = restoreInto({ ...place, isRight: async () => true })
      return ask<SpaceKey | 'begin'>((answer) => (
        <AloneScreen restore={restore} onKey={answer} onBegin={() => answer('begin')} />
      ))
    },
    replace: (sight, isRight) =>
      ask((answer) => (
        <ReplaceScreen
          sight={sight}
          isRight={isRight}
          onKeep={() => answer('keep')}
          onReplace={() => answer('replace')}
        />
      )),
    plain: () => ask<never>(() => <PlainScreen />),
  }
}
