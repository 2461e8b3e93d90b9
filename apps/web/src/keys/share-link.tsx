import { useId, useRef } from 'react'
import { CopyButton } from '../ui/copy-button.tsx'
import { shareLink, type SpaceSecret } from './link.ts'
import { QrCode } from './qr-code.tsx'

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/

/** A link that lets into the space, to be copied or scanned. */
export const ShareLink = ({ secret, label }: { readonly secret: SpaceSecret; readonly label: string }) => {
  const id = useId()
  const field = useRef<HTMLInputElement>(null)
  const link = shareLink(secret, location)
  return (
    <>
      <QrCode text={link} label="The link as a code to scan" />
      <div className="secret-field">
        <label htmlFor={id}>{label}</label>
        <div className="share-link">
          <input ref={field} id={id} readOnly value={link} onFocus={(event) => event.target.select()} />
          <CopyButton text={link} label="Copy" onRefused={() => field.current?.focus()} />
        </div>
      </div>
      {LOOPBACK.test(location.hostname) && (
        <p className="fine-print">
          This address leads to this computer only. For a phone, start the server with <code>--host 0.0.0.0</code> and
          open the app by this computer’s name.
        </p>
      )}
    </>
  )
}
