import { useState } from 'react'
import { useNotify } from '../ui/notices.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { useSpaceKeys } from './keys-context.tsx'
import { PassphraseForm } from './passphrase-form.tsx'
import { RecoveryCode } from './recovery-code.tsx'

type Step = { readonly at: 'overview' | 'protect' | 'change' } | { readonly at: 'code'; readonly code: string }

/** Puts the key under a passphrase; later changes it, renews the recovery code, or locks. */
export const KeyDialog = ({ onClose }: { readonly onClose: () => void }) => {
  const { keys, isProtected } = useSpaceKeys()
  const notify = useNotify()
  const [step, setStep] = useState<Step>({ at: 'overview' })
  const goTo = (at: 'overview' | 'protect' | 'change') => setStep({ at })
  const finish = (text: string) => {
    notify({ text })
    onClose()
  }
  const renew = async () => setStep({ at: 'code', code: await keys.renewRecoveryCode() })
  const written = async () => {
    await keys.codeIsWritten()
    finish('From now on, this browser asks for your passphrase.')
  }
  const back = (
    <button type="button" className="button" onClick={() => goTo('overview')}>
      Back
    </button>
  )

  switch (step.at) {
    case 'protect':
      return (
        <Dialog key="protect" title="Protect with a passphrase" onClose={onClose}>
          <p>It is asked for whenever the app starts in this browser. Nobody can tell it to you again.</p>
          <PassphraseForm
            submit="Protect"
            onChosen={async (passphrase) => setStep({ at: 'code', code: await keys.protect(passphrase) })}
          >
            {back}
          </PassphraseForm>
        </Dialog>
      )
    case 'change':
      return (
        <Dialog key="change" title="Change the passphrase" onClose={onClose}>
          <p>The recovery code stays as it is.</p>
          <PassphraseForm
            submit="Change"
            onChosen={async (passphrase) => {
              await keys.changePassphrase(passphrase)
              finish('The passphrase is changed.')
            }}
          >
            {back}
          </PassphraseForm>
        </Dialog>
      )
    case 'code':
      return (
        <Dialog key="code" title="Your recovery code" onClose={undefined}>
          <RecoveryCode code={step.code} onWritten={() => void written()} />
        </Dialog>
      )
    case 'overview':
      return (
        <Dialog key="overview" title="The key of this space" onClose={onClose}>
          <p>
            What you write is encrypted before it leaves this device, and in its storage. The server keeps what it
            cannot read.
          </p>
          {isProtected ? (
            <>
              <p>Your passphrase protects the key in this browser.</p>
              <div className="button-column">
                <button type="button" className="button button-primary" onClick={() => void keys.lock()}>
                  Lock now
                </button>
                <button type="button" className="button" onClick={() => goTo('change')}>
                  Change the passphrase
                </button>
                <button type="button" className="button" onClick={() => void renew()}>
                  New recovery code
                </button>
              </div>
            </>
          ) : (
            <>
              <p className="dialog-warning">
                The key itself lies unprotected in this browser: whoever uses it can open your tasks.
              </p>
              <button type="button" className="button button-primary" onClick={() => goTo('protect')}>
                Protect with a passphrase
              </button>
            </>
          )}
        </Dialog>
      )
  }
}
