import { useState } from 'react'
import { BackupDialog } from '../backup/backup-dialog.tsx'
import { Icon } from '../ui/icons.tsx'
import { KeyDialog } from './key-dialog.tsx'
import { useSpaceKeys } from './keys-context.tsx'
import { ShareDialog } from './share-dialog.tsx'

/** How the key of the space is kept, and the ways to hand it to another device or into a file. */
export const KeysPanel = () => {
  const { isProtected } = useSpaceKeys()
  const [open, setOpen] = useState<'share' | 'backup' | 'key'>()
  const close = () => setOpen(undefined)
  return (
    <div className="keys-panel">
      <button type="button" className="panel-button" onClick={() => setOpen('share')}>
        <span>Add a device</span>
        <Icon name="devices" />
      </button>
      <button type="button" className="panel-button" onClick={() => setOpen('backup')}>
        <span>Back up</span>
        <Icon name="download" />
      </button>
      <button
        type="button"
        className="panel-button"
        data-unprotected={!isProtected || undefined}
        onClick={() => setOpen('key')}
      >
        <span>{isProtected ? 'Encrypted · passphrase set' : 'Encrypted · no passphrase'}</span>
        <Icon name={isProtected ? 'lock' : 'unlocked'} />
      </button>
      {open === 'share' && <ShareDialog onClose={close} />}
      {open === 'backup' && <BackupDialog onClose={close} />}
      {open === 'key' && <KeyDialog onClose={close} />}
    </div>
  )
}
