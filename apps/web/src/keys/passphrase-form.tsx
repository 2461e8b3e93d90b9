import type { ReactNode } from 'react'
import { SecretForm } from './secret-form.tsx'
import { passphraseProblem } from './words.ts'

export interface PassphraseFormProps {
  readonly label?: string
  readonly submit: string
  readonly onChosen: (passphrase: string) => Promise<void>
  readonly children?: ReactNode
}

/** A new passphrase, typed twice: nobody can tell it to whoever mistyped it. */
export const PassphraseForm = ({ label = 'New passphrase', submit, onChosen, children }: PassphraseFormProps) => (
  <SecretForm
    fields={[
      {
        name: 'passphrase',
        label,
        hint: 'Four or five words that have nothing to do with each other are easy to keep and hard to guess.',
        autoComplete: 'new-password',
      },
      { name: 'again', label: 'Once more', autoComplete: 'new-password' },
    ]}
    submit={submit}
    busy="Encrypting …"
    onSubmit={async ({ passphrase, again }) => {
      const problem = passphraseProblem(passphrase, again)
      if (problem === undefined) await onChosen(passphrase)
      return problem
    }}
  >
    {children}
  </SecretForm>
)
