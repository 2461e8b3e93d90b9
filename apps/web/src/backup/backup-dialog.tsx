import type { BackupProgress } from '@driftlog/client'
import { useEffect, useRef, useState } from 'react'
import { useReplica } from '../data/hooks.ts'
import { PassphraseForm } from '../keys/passphrase-form.tsx'
import { useSpaceKeys } from '../keys/keys-context.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { useNotify } from '../ui/notices.tsx'
import { download, type Ending, fileName } from './download.ts'
import { ProgressBar } from './progress-bar.tsx'

/** One encrypted file with everything; apart from it, what other programs read. */
export const BackupDialog = ({ onClose }: { readonly onClose: () => void }) => {
  const { space } = useSpaceKeys().keys
  const replica = useReplica()
  const notify = useNotify()
  const [progress, setProgress] = useState<BackupProgress>()
  const [problem, setProblem] = useState<string>()
  const isOpen = useIsOpen()

  const give = async (ending: Ending, make: () => Promise<Uint8Array>) => {
    const bytes = await make()
    // Whoever closed the dialog meanwhile does not want it any more.
    if (!isOpen.current) return
    const name = fileName(space, ending, new Date())
    download(bytes.slice(), name, ending)
    notify({ text: `“${name}” is in your downloads.` })
    onClose()
  }
  const backUp = (passphrase: string) =>
    give('driftlog', () => replica.backup({ passphrase, onProgress: setProgress })).finally(() =>
      setProgress(undefined),
    )
  const givePlain = (format: 'json' | 'sqlite') => {
    setProblem(undefined)
    give(format, () => replica.exportPlain(format)).catch((error: unknown) =>
      setProblem(error instanceof Error ? error.message : 'It failed.'),
    )
  }

  return (
    <Dialog title="Back up" onClose={onClose}>
      <p>
        One encrypted file with everything in this space, its history too: nobody can open it without the passphrase,
        and nobody can tell you that again.
      </p>
      <PassphraseForm label="Passphrase of the backup" submit="Download the backup" onChosen={backUp}>
        {progress && <ProgressBar label="Backing up" progress={progress} />}
      </PassphraseForm>
      <section className="dialog-apart" aria-labelledby="plain-export">
        <h3 id="plain-export">Not encrypted</h3>
        <p>The tasks as they are now, for other programs. Whoever has such a file reads it; it cannot be restored.</p>
        <div className="button-row">
          <button type="button" className="button" onClick={() => givePlain('json')}>
            Download JSON
          </button>
          <button type="button" className="button" onClick={() => givePlain('sqlite')}>
            Download SQLite
          </button>
        </div>
        <p className="secret-problem" role="alert">
          {problem}
        </p>
      </section>
    </Dialog>
  )
}

const useIsOpen = () => {
  const isOpen = useRef(true)
  useEffect(() => {
    isOpen.current = true
    return () => {
      isOpen.current = false
    }
  }, [])
  return isOpen
}
