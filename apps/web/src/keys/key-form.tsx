import type { SpaceKey } from '@driftlog/client'
import type { ReactNode } from 'react'
import { keyIn } from './link.ts'
import { SecretForm } from './secret-form.tsx'

export interface KeyFormProps {
  readonly submit: string
  readonly isRight: (key: SpaceKey) => Promise<boolean>
  readonly onKey: (key: SpaceKey) => void
  readonly children?: ReactNode
}

/** Takes the link, or the key alone, from another device. */
export const KeyForm = ({ submit, isRight, onKey, children }: KeyFormProps) => (
  <SecretForm
    fields={[
      {
        name: 'link',
        label: 'Link or key',
        hint: 'On a device that shows the tasks, choose “Add a device”, and copy the link from there.',
      },
    ]}
    submit={submit}
    busy="Opening …"
    onSubmit={async ({ link }) => {
      const key = keyIn(link)
      if (key === undefined) return 'There is no whole key in it. Copy the link once more, to its very end.'
      if (!(await isRight(key)))
        return 'This key opens nothing of what is in this space. Is it the link of another one?'
      onKey(key)
      return undefined
    }}
  >
    {children}
  </SecretForm>
)
