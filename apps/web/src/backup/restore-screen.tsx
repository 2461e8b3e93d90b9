import type { BackupProgress } from '@driftlog/client'
import { useId, useRef, useState } from 'react'
import type { OwnKey } from '../keys/kept-key.ts'
import { SecretForm } from '../keys/secret-form.tsx'
import { Screen } from '../ui/screen.tsx'
import { ProgressBar } from './progress-bar.tsx'
import type { Restore } from './restore.ts'

export interface RestoreScreenProps {
  readonly restore: Restore
  readonly onKey: (key: OwnKey) => void
  readonly onBack: () => void
}

/** The file and its passphrase. */
export const RestoreScreen = ({ restore, onKey, onBack }: RestoreScreenProps) => {
  const id = useId()
  const chosen = useRef<HTMLInputElement>(null)
  const [progress, setProgress] = useState<BackupProgress>()

  const run = async (passphrase: string): Promise<string | undefined> => {
    const file = chosen.current?.files?.[0]
    if (file === undefined) return 'Choose the file first.'
    const restored = await restore({ file, passphrase, onProgress: setProgress }).finally(() => setProgress(undefined))
    if ('problem' in restored) return restored.problem
    onKey(restored.key)
    return undefined
  }
  return (
    <Screen title="Restore from a backup">
      <p>The file and its passphrase are enough: it has the tasks and the key of this space.</p>
      <SecretForm
        before={
          <div className="secret-field">
            <label htmlFor={id}>File</label>
            {/* Any file: some phones offer none at all where they do not know the ending. */}
            <input ref={chosen} id={id} type="file" required autoFocus aria-describedby={`${id}-hint`} />
            <p id={`${id}-hint`} className="fine-print">
              “Back up” names it after the space and the day, with <code>.driftlog</code> at the end.
            </p>
          </div>
        }
        fields={[{ name: 'passphrase', label: 'Passphrase of the backup', autoComplete: 'current-password' }]}
        submit="Restore"
        busy="Restoring …"
        onSubmit={({ passphrase }) => run(passphrase)}
      >
        {progress ? (
          <ProgressBar label="Restoring" progress={progress} />
        ) : (
          <button type="button" className="link-button" onClick={onBack}>
            Use a link
          </button>
        )}
      </SecretForm>
    </Screen>
  )
}
