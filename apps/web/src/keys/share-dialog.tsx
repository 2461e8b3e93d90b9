import { useId, useRef } from 'react'
import { CopyButton } from '../ui/copy-button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { useSpaceKeys } from './keys-context.tsx'
import { QrCode } from './qr-code.tsx'

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/

/** The link with the key in it, to be copied or scanned. */
export const ShareDialog = ({ onClose }: { readonly onClose: () => void }) => {
  const { link } = useSpaceKeys().keys
  const id = useId()
  const field = useRef<HTMLInputElement>(null)
  return (
    <Dialog title="Add a device" onClose={onClose}>
      <p>Open this link on the other device, or scan the code with its camera.</p>
      <QrCode text={link} label="The link as a code to scan" />
      <div className="secret-field">
        <label htmlFor={id}>Link with the key</label>
        <div className="share-link">
          <input ref={field} id={id} readOnly value={link} onFocus={(event) => event.target.select()} />
          <CopyButton text={link} label="Copy" onRefused={() => field.current?.focus()} />
        </div>
      </div>
      <p className="dialog-warning">
        Whoever has this link reads and changes everything in this space, and it cannot be taken back: send it only in
        ways that you trust.
      </p>
      {LOOPBACK.test(location.hostname) && (
        <p className="fine-print">
          This address leads to this computer only. For a phone, start the server with <code>--host 0.0.0.0</code> and
          open the app by this computer’s name.
        </p>
      )}
    </Dialog>
  )
}
