import { unlockVault, type Vault } from '@driftlog/client'
import type { BatchStore } from '@driftlog/core'
import { useState } from 'react'
import { Screen } from '../ui/screen.tsx'
import { PassphraseForm } from './passphrase-form.tsx'
import { SecretForm } from './secret-form.tsx'
import { unlockProblem } from './words.ts'

export interface UnlockScreenProps {
  readonly store: BatchStore
  readonly onOpen: (vault: Vault) => void
}

/** The passphrase, or the recovery code and then a new passphrase. */
export const UnlockScreen = ({ store, onOpen }: UnlockScreenProps) => {
  const [by, setBy] = useState<'passphrase' | 'recoveryCode'>('passphrase')
  const [recovered, setRecovered] = useState<Vault>()

  const tryIt = async (typed: string): Promise<string | undefined> => {
    try {
      const vault = await unlockVault({
        store,
        ...(by === 'passphrase' ? { passphrase: typed } : { recoveryCode: typed }),
      })
      if (by === 'passphrase') onOpen(vault)
      else setRecovered(vault)
      return undefined
    } catch (error) {
      return unlockProblem(error, by)
    }
  }

  if (recovered !== undefined) {
    return (
      <Screen title="Choose a new passphrase">
        <p>The recovery code is right. It stays as it is; the forgotten passphrase ends with the new one.</p>
        <PassphraseForm
          submit="Set and open"
          onChosen={async (passphrase) => {
            await recovered.changePassphrase(passphrase)
            onOpen(recovered)
          }}
        >
          <button type="button" className="link-button" onClick={() => onOpen(recovered)}>
            Not now
          </button>
        </PassphraseForm>
      </Screen>
    )
  }
  return by === 'passphrase' ? (
    <Screen title="Your tasks are locked">
      <p>They are on this device, encrypted. Your passphrase opens them.</p>
      <SecretForm
        key={by}
        fields={[{ name: 'secret', label: 'Passphrase', autoComplete: 'current-password' }]}
        submit="Unlock"
        busy="Unlocking …"
        onSubmit={({ secret }) => tryIt(secret)}
      >
        <button type="button" className="link-button" onClick={() => setBy('recoveryCode')}>
          Use the recovery code
        </button>
      </SecretForm>
    </Screen>
  ) : (
    <Screen title="Your tasks are locked">
      <p>The recovery code was shown when the passphrase was set: eight groups of four letters and digits.</p>
      <SecretForm
        key={by}
        fields={[{ name: 'secret', label: 'Recovery code' }]}
        submit="Unlock"
        busy="Unlocking …"
        onSubmit={({ secret }) => tryIt(secret)}
      >
        <button type="button" className="link-button" onClick={() => setBy('passphrase')}>
          Use the passphrase
        </button>
      </SecretForm>
    </Screen>
  )
}
