import type { ReactNode } from 'react'
import { secretIn, type SpaceSecret } from './link.ts'
import { SecretForm } from './secret-form.tsx'

export interface KeyFormProps {
  readonly submit: string
  /** What is wrong with one; undefined: it is right. */
  readonly problemOf: (secret: SpaceSecret) => Promise<string | undefined>
  readonly onSecret: (secret: SpaceSecret) => void
  readonly label?: string
  readonly hint?: string
  readonly children?: ReactNode
}

/** Takes the link, or what is behind its `#` alone, from another device. */
export const KeyForm = ({
  submit,
  problemOf,
  onSecret,
  label = 'Link or key',
  hint = 'On a device that shows the tasks, choose “Add a device”, and copy the link from there.',
  children,
}: KeyFormProps) => (
  <SecretForm
    fields={[
      {
        name: 'link',
        label,
        hint,
      },
    ]}
    submit={submit}
    busy="Opening …"
    onSubmit={async ({ link }) => {
      const secret = secretIn(link)
      if (secret === undefined) return 'There is no whole key in it. Copy the link once more, to its very end.'
      const problem = await problemOf(secret)
      if (problem === undefined) onSecret(secret)
      return problem
    }}
  >
    {children}
  </SecretForm>
)
