import { useState } from 'react'
import { CopyButton } from '../ui/copy-button.tsx'

export interface RecoveryCodeProps {
  readonly code: string
  readonly onWritten: () => void
}

/** Shown now or never: so it goes away only when somebody says that it is written down. */
export const RecoveryCode = ({ code, onWritten }: RecoveryCodeProps) => {
  const [isWritten, setWritten] = useState(false)
  return (
    <div className="recovery">
      <p>
        It opens the tasks on this device where the passphrase is forgotten. It is shown only now: write it on paper,
        and keep it where you would keep a spare key.
      </p>
      <output className="recovery-code" aria-label="Recovery code">
        {code.split('-').map((group, index) => (
          <span key={index}>{group}</span>
        ))}
      </output>
      <label className="recovery-check">
        <input
          type="checkbox"
          className="tick"
          autoFocus
          checked={isWritten}
          onChange={(event) => setWritten(event.target.checked)}
        />
        I wrote it down
      </label>
      <div className="button-row">
        <button type="button" className="button button-primary" disabled={!isWritten} onClick={onWritten}>
          Done
        </button>
        <CopyButton text={code} label="Copy" />
      </div>
    </div>
  )
}
